"""Ranges of layers that a spec writes as `first` and `last`, under `autocast` and `checkpoints`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from archcost.errors import SpecError, nearest
from archcost.graph.adaptation.rewritten import Span
from archcost.spec.model import Checkpoint, ModelSpec, Region


def layer_ranges(
    spec: ModelSpec, names: Sequence[str], spans: Mapping[str, Span], field: str, what: str
) -> list[range]:
    """For each entry of the spec's `field` its range of indices into `names`, the layers in order of execution.

    `spans` are the layers in the place of some, `what` is what a message calls such an entry. Raises SpecError for an
    unknown name, or a range that ends before it begins.
    """
    entries: Sequence[Region | Checkpoint] = getattr(spec, field)
    order = {name: index for index, name in enumerate(names)} if entries else {}
    first = order | {name: order[span.first] for name, span in spans.items() if order}
    last = order | {name: order[span.last] for name, span in spans.items() if order}
    return [_range_of(spec, each, first, last, (field, index), what) for index, each in enumerate(entries)]


def _range_of(
    spec: ModelSpec,
    each: Region | Checkpoint,
    firsts: Mapping[str, int],
    lasts: Mapping[str, int],
    path: tuple[str, int],
    what: str,
) -> range:
    field = path[0]
    for end, name, order in (("first", each.first, firsts), ("last", each.last, lasts)):
        if name not in order:
            hint = nearest(name, order)
            problem = SpecError("no such layer", expected="the name of a layer", found=name, hint=hint)
            raise problem.at(field, spec.source.place((*path, end)))
    if lasts[each.last] < firsts[each.first]:
        problem = SpecError(
            f"{what} ends before it begins",
            expected="first before last, or the same",
            found=f"{each.first} to {each.last}",
        )
        raise problem.at(field, spec.source.place(path))
    return range(firsts[each.first], lasts[each.last] + 1)
