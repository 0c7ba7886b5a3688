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
    """The parameters in the order that a spec's `parameter_order` says.

    Each of its names stands for the parameters of a layer, of all layers under a dotted name, or for one (`fc.bias`);
    those that an earlier name stood for are left out, and those of no name come last. Within one name the order is that
    of `owned`. Raises SpecError for a name that stands for none.
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
    """Parameters by every name that stands for some: of a layer, a dotted prefix, or a parameter, in that order."""
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
    """A short `parameter_order` that brings the parameters of `owned` into the order `wanted`; empty where they are in
    it. Greedy: at each place the name that stands for the most parameters.
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
    """Whether the parameters of `run` are those of `wanted` from the place `done` on."""
    end = len(wanted)
    return all(place < end and own == wanted[place] for place, own in enumerate(run, done))
