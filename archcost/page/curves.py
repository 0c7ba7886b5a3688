"""The charts' values: memory through a step by role, and kernels under the roofs of a device."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from archcost.costs.timeline import Moment, Timeline
from archcost.estimates import Estimate
from archcost.page.answers import Answer
from archcost.page.rows import Shared, points
from archcost.passes.storages import ROLES
from archcost.report.timeline import folded
from archcost.times.step import peak

MOST_MOMENTS = 2_000
"""More than a chart has columns of pixels: deeper names are folded then, each group at its highest moment."""


def memory(answer: Answer) -> dict[str, Any] | None:
    """The moments of the step, by role in bytes, each as its difference from the one before; None without an answer."""
    one = answer.estimate
    if one is None:
        return None
    moments = _for_a_chart(one.line)
    names = Shared()
    columns = list(zip(*[moment.roles for moment in moments], strict=True))
    return {
        "phase": [moment.phase for moment in moments],
        "name": [names.place(moment.name) for moment in moments],
        "names": names.values,
        "roles": {
            role.replace("_", " "): _differences(column)
            for role, column in zip(ROLES, columns, strict=True)
            if any(column)
        },
        "folded": len(moments) < len(one.line.moments),
        "capacity": one.capacity,
        "peak": one.peak,
        "at": str(one.line.highest),
        "hardware": one.hardware.name,
    }


def _for_a_chart(line: Timeline) -> Sequence[Moment]:
    moments: Sequence[Moment] = line.moments
    depth = max([moment.name.count(".") for moment in moments], default=0)
    while len(moments) > MOST_MOMENTS and depth > 0:
        moments = folded(line.moments, depth)
        depth -= 1
    return moments


def _differences(values: Sequence[int]) -> list[int]:
    return [*values[:1], *[after - before for before, after in pairwise(values)]]


def roofline(answer: Answer) -> dict[str, Any] | None:
    """Kernels by FLOPs a byte and FLOPs a second, and the data sheet's roofs; None without a time."""
    one = answer.estimate
    found = points(answer)
    bandwidth = one and one.hardware.memory.bandwidth
    if one is None or bandwidth is None or not found:
        return None
    return {
        "points": found,
        "bandwidth": float(bandwidth.amount),
        "rate": peak(one.run, one.hardware),
        "dtype": one.run.matmul_dtype,
        "hardware": one.hardware.name,
        "typical": _is_typical(one),
    }


def _is_typical(one: Estimate) -> bool:
    """Whether times are a data sheet's typical ones and no forecast."""
    return one.time is not None and one.time.step is None
