"""Networks side by side: their totals, and the layers in which they differ."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

from archcost.comparison.align import LayerFacts, paired_layers
from archcost.comparison.totals import NetworkTotals
from archcost.costs import ModelCost
from archcost.costs.given import Counted, counted
from archcost.costs.model import LayerCost
from archcost.errors import ArchcostError
from archcost.files.result import Result

Layers = Sequence[tuple[str, LayerFacts]]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class LayerRow:
    """The layers that stand for each other, one of each network; None where there is none.

    `moved` marks the networks where it stands elsewhere than in the first.
    """

    names: tuple[str | None, ...]
    facts: tuple[LayerFacts | None, ...]
    moved: tuple[bool, ...]

    @property
    def name(self) -> str:
        """That in the first network which has the layer."""
        return next(name for name in self.names if name is not None)

    @property
    def changed(self) -> bool:
        return len(set(self.facts)) > 1

    @property
    def differs(self) -> bool:
        return self.changed or any(self.moved)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "names": list(self.names),
            "layers": [facts._asdict() if facts else None for facts in self.facts],
            "moved": list(self.moved),
        }


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """Several networks, with all their layers.

    `without_cost` holds those rows that have neither weights nor operations in any network: views, say.
    """

    networks: tuple[NetworkTotals, ...]
    aligned_by: Literal["name", "structure"]
    rows: tuple[LayerRow, ...]
    without_cost: frozenset[LayerRow]

    @property
    def headline(self) -> str:
        names = " beside ".join(network.network for network in self.networks)
        return f"{names}: {len(self.differing):,} of {len(self.rows):,} layers differ"

    @property
    def differing(self) -> tuple[LayerRow, ...]:
        """The layers that are not the same in all networks."""
        return tuple(row for row in self.rows if row.differs)

    @property
    def same(self) -> int:
        return len(self.rows) - len(self.differing)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.compare/1",
            "networks": [asdict(network) for network in self.networks],
            "aligned_by": self.aligned_by,
            "same_layers": self.same,
            "differing_layers": [{**row.to_dict(), "without_cost": row in self.without_cost} for row in self.differing],
            "aligned_names": [list(row.names) for row in self.rows],
        }


def compare(*networks: Counted, batch: int = 1) -> Comparison:
    """Networks side by side: specs, names or files of them at `batch`, graphs or costs. Raises ArchcostError.

    Layers are aligned by name, or by what they are where names say little.
    """
    if not networks:
        raise ArchcostError("nothing to compare", expected="networks", hint='archcost.compare("vgg_d", "vgg_e")')
    return side_by_side([counted(network, batch) for network in networks])


def side_by_side(costs: Sequence[ModelCost]) -> Comparison:
    """The networks side by side, their layers aligned by name, or by what they are where names say little.

    Names say little where a network shares fewer than half of them with the first (of the one with fewer layers). Then
    each is aligned with the first, by `align.paired_layers`.
    """
    networks = [[(layer.name, LayerFacts.of(layer)) for layer in cost.layers] for cost in costs]
    first, others = costs[0], costs[1:]
    by_name = all(_shares_names(networks[0], network) for network in networks[1:])
    rows = align(networks) if by_name else _align_keys(networks, _alignment_keys(first, others))
    free = [{layer.name for layer in cost.layers if _costs_nothing(layer)} for cost in costs]
    return Comparison(
        networks=tuple(map(NetworkTotals.of, costs)),
        aligned_by="name" if by_name else "structure",
        rows=rows,
        without_cost=frozenset(
            row
            for row in rows
            if all(name is None or name in names for name, names in zip(row.names, free, strict=True))
        ),
    )


def _shares_names(first: Layers, other: Layers) -> bool:
    shared = {name for name, _ in first} & {name for name, _ in other}
    return 2 * len(shared) >= min(len(first), len(other))


def _costs_nothing(layer: LayerCost) -> bool:
    return not (layer.parameters or layer.is_unknown or any(layer.flops.total))


def _alignment_keys(first: ModelCost, others: Sequence[ModelCost]) -> list[list[Hashable]]:
    """A key a layer: the name in the first network, or, of one that is not there, its number and name."""
    keys: list[list[Hashable]] = [[layer.name for layer in first.layers]]
    for number, other in enumerate(others):
        known = paired_layers(first, other)
        keys.append([known.get(layer.name, (number, layer.name)) for layer in other.layers])
    return keys


def align(networks: Sequence[Layers]) -> tuple[LayerRow, ...]:
    """Every layer name once, each where its network has it: after the layer that stands before it there."""
    return _align_keys(networks, [[name for name, _ in network] for network in networks])


def _align_keys(networks: Sequence[Layers], orders: Sequence[Sequence[Hashable]]) -> tuple[LayerRow, ...]:
    """A row for each key, in all networks that have a layer with it."""
    layers = [dict(zip(order, network, strict=True)) for order, network in zip(orders, networks, strict=True)]
    moved = [moved_keys(orders[0], order) for order in orders]
    rows: list[LayerRow] = []
    for key in merge_orders(orders):
        found = [known.get(key, (None, None)) for known in layers]
        names, facts = zip(*found, strict=True)
        rows.append(LayerRow(names, facts, tuple(key in keys for keys in moved)))
    return tuple(rows)


def merge_orders(orders: Iterable[Iterable[Key]]) -> list[Key]:
    """All keys in one order; a new one comes right after the one before it in its own list."""
    following: dict[Key | None, Key | None] = {None: None}
    for order in orders:
        previous: Key | None = None
        for key in order:
            if key not in following:
                following[key] = following[previous]
                following[previous] = key
            previous = key
    merged: list[Key] = []
    key = following[None]
    while key is not None:
        merged.append(key)
        key = following[key]
    return merged


def moved_keys(before: Sequence[Key], after: Sequence[Key]) -> frozenset[Key]:
    """The fewest keys that have to move to bring what both share from one order into the other.

    All that is not on a longest increasing run of old positions (patience sorting).
    """
    position = {key: index for index, key in enumerate(before)}
    shared = [key for key in after if key in position]
    ends: list[int] = []
    run_end: list[Key] = []
    behind: dict[Key, Key | None] = {}
    for key in shared:
        length = bisect_left(ends, position[key])
        behind[key] = run_end[length - 1] if length else None
        ends[length : length + 1] = [position[key]]
        run_end[length : length + 1] = [key]
    kept: set[Key] = set()
    last: Key | None = run_end[-1] if run_end else None
    while last is not None:
        kept.add(last)
        last = behind[last]
    return frozenset(shared) - kept
