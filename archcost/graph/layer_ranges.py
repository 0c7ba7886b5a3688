"""Ranges of layers that a spec writes as `first` and `last`, under `autocast` and `checkpoints`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcost.errors import SpecError, nearest
from archcost.spec.model import Checkpoint, ModelSpec, Region


def layer_ranges(spec: ModelSpec, names: Sequence[str], field: str, what: str) -> list[range]:
    """For each entry of the spec's `field` its range of indices into `names`, the layers in order of execution.

    `what` is what a message calls such an entry. Raises SpecError for an unknown name, or a range that ends before it
    begins.
    """
    entries: Sequence[Region | Checkpoint] = getattr(spec, field)
    order = {name: index for index, name in enumerate(names)} if entries else {}
    return [_range_of(spec, each, order, (field, index), what) for index, each in enumerate(entries)]


def _range_of(
    spec: ModelSpec, each: Region | Checkpoint, order: Mapping[str, int], path: tuple[str, int], what: str
) -> range:
    field = path[0]
    for end, name in (("first", each.first), ("last", each.last)):
        if name not in order:
            hint = nearest(name, order)
            problem = SpecError("no such layer", expected="the name of a layer", found=name, hint=hint)
            raise problem.at(field, spec.source.place((*path, end)))
    if order[each.last] < order[each.first]:
        problem = SpecError(
            f"{what} ends before it begins",
            expected="first before last, or the same",
            found=f"{each.first} to {each.last}",
        )
        raise problem.at(field, spec.source.place(path))
    return range(order[each.first], order[each.last] + 1)
