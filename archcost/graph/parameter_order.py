"""The order of a network's parameters: that of its layers, unless the spec's `parameter_order` says otherwise.

An optimizer goes through them one by one, so that what lives at once depends on which follow each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from archcost.errors import SpecError, nearest


class Owned(NamedTuple):
    """A parameter: the layer that owns it, and its name there."""

    layer: str
    weight: str


def in_order(owned: Sequence[Owned], order: Sequence[str]) -> list[Owned]:
    """Each name of `order` takes those parameters that nobody took before: a layer's, those of all layers under a
    dotted name, or one alone (`fc.bias`). The rest comes last. All within one name come as in `owned`.

    Raises SpecError for a name that takes none.
    """
    if not order:
        return list(owned)
    under = by_prefix(owned)
    taken: dict[Owned, None] = {}
    for name in order:
        own = [each for each in under.get(name, ()) if each not in taken]
        if not own:
            raise SpecError(
                "parameter_order names no parameter that was not named before",
                expected="a layer with parameters, layers under one name, or a parameter such as fc.bias",
                found=name,
                hint=None if name in under else nearest(name, under),
            )
        taken.update(dict.fromkeys(own))
    taken.update(dict.fromkeys(owned))
    return list(taken)


def by_prefix(owned: Iterable[Owned]) -> Mapping[str, Sequence[Owned]]:
    """By name, the parameters that it stands for. A name of a layer and of a parameter of another means the layer."""
    under: dict[str, list[Owned]] = {}
    single: dict[str, list[Owned]] = {}
    for each in owned:
        for name in prefixes(each.layer):
            under.setdefault(name, []).append(each)
        single[f"{each.layer}.{each.weight}"] = [each]
    return {**single, **under}


def prefixes(name: str) -> Iterator[str]:
    """`a.b.c` → `a`, `a.b`, `a.b.c`."""
    parts = name.split(".")
    return (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def shortest_order(owned: Sequence[Owned], wanted: Sequence[Owned]) -> tuple[str, ...]:
    """Few names that bring the parameters of `owned` into the order that is wanted; none where they are in it.

    `wanted` holds the same parameters. The longest run that one name stands for is taken first.
    """
    under = by_prefix(owned)
    left = dict.fromkeys(owned)
    names: list[str] = []
    done = 0
    while not _begins(left, wanted, done):
        each = wanted[done]
        choices = (*prefixes(each.layer), f"{each.layer}.{each.weight}")
        name = next(name for name in choices if _begins((own for own in under[name] if own in left), wanted, done))
        for own in under[name]:
            done += left.pop(own, True) is None
        names.append(name)
    return tuple(names)


def _begins(run: Iterable[Owned], wanted: Sequence[Owned], done: int) -> bool:
    """Whether these come next."""
    end = len(wanted)
    return all(place < end and own == wanted[place] for place, own in enumerate(run, done))
