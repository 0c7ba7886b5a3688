"""Timelines of tiny networks, and how tests look at them."""

from __future__ import annotations

from typing import Any

import archcost
from archcost.costs.phases import by_phase
from archcost.costs.timeline import Timeline, timeline
from archcost.passes.run import Run
from archcost.terms.autograd import Device

Entry = dict[str, Any]
SGD = Run(optimizer="sgd")


def fc(name: str, out_features: int, **fields: Any) -> Entry:
    return {"type": "linear", "name": name, "out_features": out_features, **fields}


def layer(type: str, name: str, *inputs: str, **fields: Any) -> Entry:
    return {"type": type, "name": name, **({"inputs": inputs} if inputs else {}), **fields}


def played(
    shape: list[int],
    *layers: Entry,
    run: Run = SGD,
    batch: int = 2,
    loss: str = "sum",
    device: Device = "cpu",
    out_of_place: bool = False,
) -> Timeline:
    spec = archcost.ModelSpec.model_validate({"name": "n", "inputs": {"x": shape}, "loss": loss, "layers": layers})
    return timeline(archcost.build(spec, batch), run, device, out_of_place=out_of_place)


def moments(line: Timeline) -> list[tuple[str, int]]:
    return [(str(moment), moment.peak) for moment in line.moments]


def worst(line: Timeline) -> dict[str, int]:
    return {phase.name: phase.peak for phase in by_phase(line)}


def roles(line: Timeline) -> dict[str, int]:
    """At the peak, without those that hold nothing."""
    assert sum(line.by_role.values()) == line.peak
    return {role: nbytes for role, nbytes in line.by_role.items() if nbytes}


def alive(line: Timeline) -> list[tuple[str, int, str]]:
    return [(f"{each.held.owner} {each.held.what}", each.held.nbytes, each.why) for each in line.alive]


LINEAR = fc("fc", 5)
"""3 → 5 for 2 samples: weights (5·3 + 5)·4 = 80, input 24, output 40; its sum 4."""

CHAIN = (fc("fc", 5), layer("sigmoid", "block.a"), layer("sigmoid", "block.b"), layer("sigmoid", "c"))
"""7 → 5 for 3 samples: weights (35 + 5)·4 = 160, input 84, each output 60. A sigmoid keeps its output."""
