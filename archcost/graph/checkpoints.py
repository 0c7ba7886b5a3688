"""The checkpoints that a module sets itself (torch.utils.checkpoint), as the layers that each of them recomputes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from archcost.errors import SpecError
from archcost.graph.adaptation.rewritten import Span
from archcost.graph.layer_ranges import layer_ranges
from archcost.spec.model import ModelSpec


class ModuleCheckpoint(NamedTuple):
    """Layers, in order of execution, that the module computes again in backward; torch's `use_reentrant`."""

    names: tuple[str, ...]
    reentrant: bool


def checkpoints_of(spec: ModelSpec, names: Sequence[str], spans: Mapping[str, Span]) -> tuple[ModuleCheckpoint, ...]:
    """In order of execution. Raises SpecError for an unknown layer, and for one in two checkpoints."""
    ranges = layer_ranges(spec, names, spans, "checkpoints", "a checkpoint")
    taken: set[int] = set()
    for number, inside in enumerate(ranges):
        if not taken.isdisjoint(inside):
            problem = SpecError(
                "a layer is in two checkpoints",
                expected="checkpoints one after the other",
                found=names[next(index for index in inside if index in taken)],
            )
            raise problem.at("checkpoints", spec.source.place(("checkpoints", number)))
        taken.update(inside)
    found = sorted(zip(ranges, spec.checkpoints, strict=True), key=lambda pair: pair[0].start)
    return tuple(
        [ModuleCheckpoint(tuple([names[index] for index in inside]), each.reentrant) for inside, each in found]
    )
