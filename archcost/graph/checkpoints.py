"""Checkpoints of a module's own (torch.utils.checkpoint), by the layers in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from archcost.errors import SpecError, nearest
from archcost.spec.model import ModelSpec


class Again(NamedTuple):
    """Layers, in order of execution, that the module computes again in backward; `reentrant` as torch calls it."""

    names: tuple[str, ...]
    reentrant: bool


def checkpoints_of(spec: ModelSpec, names: Sequence[str]) -> tuple[Again, ...]:
    """In order of execution. Raises SpecError for a layer that is not there, and for layers in two checkpoints."""
    order = {name: index for index, name in enumerate(names)} if spec.checkpoints else {}
    found: dict[int, Again] = {}
    taken: set[str] = set()
    for index, each in enumerate(spec.checkpoints):
        for field, name in (("first", each.first), ("last", each.last)):
            if name not in order:
                place = spec.source.place(("checkpoints", index, field))
                hint = nearest(name, order)
                raise SpecError("no such layer", expected="the name of a layer", found=name, hint=hint).at(
                    "checkpoints", place
                )
        place = spec.source.place(("checkpoints", index))
        if order[each.last] < order[each.first]:
            raise SpecError(
                "a checkpoint ends before it begins",
                expected="first before last, or the same",
                found=f"{each.first} to {each.last}",
            ).at("checkpoints", place)
        inside = names[order[each.first] : order[each.last] + 1]
        if not taken.isdisjoint(inside):
            raise SpecError(
                "a layer is in two checkpoints",
                expected="checkpoints one after the other",
                found=next(name for name in inside if name in taken),
            ).at("checkpoints", place)
        taken.update(inside)
        found[order[each.first]] = Again(tuple(inside), each.reentrant)
    return tuple([found[start] for start in sorted(found)])
