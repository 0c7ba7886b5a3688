"""Memory over one step, stacked by role, with its peak and what the device has."""

# matplotlib does not say what its keywords are.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from archcost.costs.program import ROLES, Role
from archcost.costs.timeline import Moment, Timeline
from archcost.pictures.picture import Picture
from archcost.report.settings import settings
from archcost.units import UNITS, binary_unit, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_STEPS = 360
MOST_NAMED = 44
"""Moments whose layers are named under the axis."""

NEAR = 1.8
"""A device with more times the peak is named, and not drawn: the step would be a strip at the bottom."""


class Capacity(NamedTuple):
    device: str
    nbytes: int


def picture(line: Timeline, capacity: Capacity | None) -> Picture:
    title = f"{line.graph.name}, batch {line.graph.batch:,}: memory of {settings(line)}"
    peak = f"The peak is {size(line.peak)} ({line.peak:,} bytes), at {line.highest}: "
    roles = ", ".join(f"{role.replace('_', ' ')} {size(nbytes)}" for role, nbytes in line.by_role.items() if nbytes)
    device = "" if capacity is None else f" {capacity.device} has {size(capacity.nbytes)}."
    least = " It is a lower bound." if line.graph.unknown else ""
    description = f"Memory over {len(line.moments):,} moments, stacked by role. {peak}{roles}.{least}{device}"
    return Picture("timeline", line.graph.name, title, description, partial(_draw, line, capacity, title))


def _draw(line: Timeline, capacity: Capacity | None, title: str) -> Figure:
    from archcost.pictures.style import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, YELLOW, canvas, told

    looks: dict[Role, tuple[str, str]] = {
        "weights": (BLUE, ""),
        "gradients": (SKY, "////"),
        "optimizer_state": (GREEN, "\\\\\\\\"),
        "buffers": (GREY, ""),
        "kv_cache": (PURPLE, "++++"),
        "inputs": (YELLOW, "||||"),
        "activations": (ORANGE, ""),
        "temporaries": (VERMILLION, "xxxx"),
    }
    moments = thinned(line.moments)
    figure = canvas(9.0, 4.6)
    axes = figure.add_subplot()
    axes.set_title(told(title))
    unit = binary_unit(line.peak)
    scale = float(UNITS["B"][unit])
    edges = [float(index) for index in range(len(moments) + 1)]
    below = [0.0] * len(moments)
    for role, (colour, pattern) in looks.items():
        column = ROLES.index(role)
        if not any(moment.roles[column] for moment in line.moments):
            continue
        above = [low + moment.roles[column] / scale for low, moment in zip(below, moments, strict=True)]
        label = f"{role.replace('_', ' ')}: {size(line.by_role[role])}"
        axes.stairs(
            above,
            edges,
            baseline=below,
            fill=True,
            facecolor=colour,
            edgecolor="black",
            linewidth=0.3,
            hatch=pattern,
            label=label,
            gid=role,
        )
        below = above
    axes.set_xlim(0, len(moments))
    axes.set_ylabel(unit)
    _phases(axes, moments)
    _peak(axes, line, moments, line.peak / scale)
    _capacity(axes, line, capacity, scale)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], title="at the peak", loc="outside right upper", alignment="left")
    return figure


def thinned(moments: Sequence[Moment]) -> list[Moment]:
    """The highest of every few, where there are too many to be seen."""
    few = -(-len(moments) // MOST_STEPS)
    return [max(moments[at : at + few], key=lambda moment: moment.peak) for at in range(0, len(moments), few)]


def _phases(axes: Axes, moments: Sequence[Moment]) -> None:
    """Names of phases under the axis, and of layers where there is room for them."""
    from archcost.pictures.style import told

    named = len(moments) <= MOST_NAMED
    if named:
        axes.set_xticks([index + 0.5 for index in range(len(moments))])
        axes.set_xticklabels([told(moment.name[-24:]) for moment in moments], rotation=90, fontsize=6.5)
        axes.tick_params(axis="x", length=2)
    else:
        axes.set_xticks([])
    at, ends, middles, names = 0, [0], list[float](), list[str]()
    for phase, group in groupby("backward" if each.phase == "recompute" else each.phase for each in moments):
        length = len([*group])
        if at:
            axes.axvline(at, color="black", linewidth=0.6, linestyle=(0, (1, 2)))
        at += length
        ends.append(at)
        if length * 16 > len(moments):  # narrower ones have no room for a word
            middles.append(at - length / 2)
            names.append(phase)
    if not named:
        axes.set_xticks(middles, names)
        axes.tick_params(axis="x", length=0)
        axes.set_xlabel(f"{len(moments):,} moments of one step, each as wide as any other")
        return
    for middle, name in zip(middles, names, strict=True):
        axes.annotate(
            name, (middle, 1), xycoords=("data", "axes fraction"), xytext=(0, -2), textcoords="offset points",
            ha="center", va="top", fontsize=8, color="#333333", gid=f"phase-{name}",
        )  # fmt: skip


def _peak(axes: Axes, line: Timeline, moments: Sequence[Moment], height: float) -> None:
    from archcost.pictures.style import told

    at = next(index for index, moment in enumerate(moments) if moment.peak == line.peak) + 0.5
    axes.plot([at], [height], marker="v", color="black", markersize=6, gid="peak", clip_on=False)
    left = at < len(moments) / 2
    axes.annotate(
        told(f"peak: {size(line.peak)}, {line.highest}"), (at, height), xytext=(6 if left else -6, 5),
        textcoords="offset points", ha="left" if left else "right", va="bottom", fontsize=8, fontweight="bold",
    )  # fmt: skip


def _capacity(axes: Axes, line: Timeline, capacity: Capacity | None, scale: float) -> None:
    from archcost.pictures.style import BLACK

    peak = line.peak / scale
    if capacity is None:
        axes.set_ylim(0, max(peak, 1 / scale) * 1.2)
        return
    has, words = capacity.nbytes / scale, f"{capacity.device}: {size(capacity.nbytes)}"
    if has <= NEAR * peak:
        axes.set_ylim(0, max(peak, has) * 1.2)
        axes.axhline(has, color=BLACK, linewidth=1.4, linestyle="--", gid="capacity")
        axes.annotate(words, (0, has), xytext=(4, 3), textcoords="offset points", fontsize=8, va="bottom")
        return
    axes.set_ylim(0, peak * 1.2)
    axes.annotate(
        f"↑ {words}, {has / peak:,.1f} times the peak" if peak else f"↑ {words}", (0, 1), xycoords="axes fraction",
        xytext=(4, -14), textcoords="offset points", fontsize=8, va="top", gid="capacity",
    )  # fmt: skip
