"""Numbers of layers beside those of the modules that they stand in, so that a difference is named where it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from archcost.errors import listing
from archcost.pytorch.checks import Check, compare
from archcost.pytorch.differences import KnownDifference, corrected
from archcost.pytorch.user_module import Path


class _Part(NamedTuple):
    """A module whose own number differs, and is not yet made up for by another's."""

    path: Path
    check: Check


def by_module(
    quantity: str,
    ours: Mapping[Path, int],
    theirs: Mapping[Path, int],
    by: str,
    excess: Mapping[Path, Mapping[KnownDifference, int]],
    whole: str,
) -> Iterator[Check]:
    """What each module has by itself. `whole` is the name of the outermost.

    What one has too much and another in the same module has too little is no other number but another place: a module
    may multiply with the weights of those in it. Then the module around them is compared, and it is said.
    """
    counted = [path for path in {**ours, **theirs} if ours.get(path) or theirs.get(path)]
    order = {path: index for index, path in enumerate(counted)}
    for path in counted:
        for above in _chain(path):
            order.setdefault(above, order[path])
    found: dict[Path, list[_Part]] = {}
    checks: list[_Part] = []
    for path in sorted(order, key=_depth, reverse=True):
        parts = found.pop(path, [])
        raw = compare(quantity, path or whole, ours.get(path, 0), theirs.get(path, 0), by)
        own = _Part(path, corrected(raw, dict(excess.get(path, {}))))
        parts += [own] if path in counted else []
        if not any(part.check.agrees is False for part in parts):
            checks += parts
        elif sum(part.check.excess for part in parts) == 0:
            checks.append(_Part(path, _sum_check(quantity, path or whole, parts, by)))
        elif path:
            found.setdefault(path.rpartition(".")[0], []).extend(parts)
        else:
            checks += parts
    yield from (part.check for part in sorted(checks, key=lambda part: order[part.path]))


def _chain(path: Path) -> Iterator[Path]:
    while path:
        yield path
        path = path.rpartition(".")[0]
    yield ""


def _depth(path: Path) -> int:
    return path.count(".") + 1 if path else 0


def _sum_check(quantity: str, scope: str, parts: list[_Part], by: str) -> Check:
    ours = sum(part.check.archcost for part in parts if isinstance(part.check.archcost, int))
    check = compare(quantity, scope, ours, ours, by)
    placed = [
        f"{part.check.scope} {part.check.archcost:,} and by torch {part.check.witness:,}"
        for part in parts
        if not part.check.agrees
    ]
    reasons = [part.check.reason for part in parts if part.check.reason]
    if placed:
        reasons.append(f"as much in other places: {listing(placed, 4)}")
    return replace(check, reason="; ".join(dict.fromkeys(reasons)) or None)
