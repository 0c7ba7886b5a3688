"""Networks side by side: their totals, and the layers in which they differ."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from archcost.costs import ModelCost
from archcost.costs.model import LayerCost
from archcost.presentable import Presentable


@dataclass(frozen=True, slots=True)
class NetworkTotals:
    """One network in a row. FLOPs are of contractions, for the whole batch; errors are published, in percent.

    `unknown` names the layers whose operations are not known, for whom MACs and FLOPs are lower bounds.
    """

    network: str
    title: str | None
    citation: str | None
    batch: int
    layers: int
    parameters: int
    macs: int
    flops_forward: int
    flops_backward: int
    unknown: tuple[str, ...]
    top1_error: float | None
    top5_error: float | None

    @classmethod
    def of(cls, cost: ModelCost) -> NetworkTotals:
        spec = cost.graph.spec
        flops = cost.flops
        return cls(
            network=cost.network,
            title=spec.title,
            citation=spec.citation,
            batch=cost.batch,
            layers=len(cost.layers),
            parameters=cost.parameters,
            macs=cost.macs,
            flops_forward=flops.forward.contraction,
            flops_backward=flops.backward.contraction,
            unknown=cost.unknown,
            top1_error=spec.published.top1_error if spec.published else None,
            top5_error=spec.published.top5_error if spec.published else None,
        )


@dataclass(frozen=True)
class Listing(Presentable):
    """The networks that ship, in order of their names."""

    networks: tuple[NetworkTotals, ...]

    def to_dict(self) -> dict[str, Any]:
        return {"schema": "archcost.list/1", "networks": [asdict(network) for network in self.networks]}


class LayerFacts(NamedTuple):
    """What a reviewer compares of a layer. MACs that are not known are None."""

    type: str
    output_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    macs: int | None

    @classmethod
    def of(cls, layer: LayerCost) -> LayerFacts:
        return cls(layer.type, layer.output_shapes, layer.parameters, None if layer.is_unknown else layer.macs)


@dataclass(frozen=True, slots=True)
class LayerRow:
    """A name, and the layer of that name in each network; None where there is none.

    `moved` marks the networks where it stands elsewhere than in the first.
    """

    name: str
    facts: tuple[LayerFacts | None, ...]
    moved: tuple[bool, ...]

    @property
    def differs(self) -> bool:
        return len(set(self.facts)) > 1 or any(self.moved)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "layers": [facts._asdict() if facts else None for facts in self.facts],
            "moved": list(self.moved),
        }


@dataclass(frozen=True)
class Comparison(Presentable):
    """Several networks. `differing` holds the layers that are not the same in all of them."""

    networks: tuple[NetworkTotals, ...]
    differing: tuple[LayerRow, ...]
    same: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.compare/1",
            "networks": [asdict(network) for network in self.networks],
            "same_layers": self.same,
            "differing_layers": [row.to_dict() for row in self.differing],
        }


def compare(costs: Sequence[ModelCost]) -> Comparison:
    """The networks side by side, their layers aligned by name."""
    rows = align([[(layer.name, LayerFacts.of(layer)) for layer in cost.layers] for cost in costs])
    differing = tuple(row for row in rows if row.differs)
    return Comparison(tuple(map(NetworkTotals.of, costs)), differing, len(rows) - len(differing))


def align(networks: Sequence[Sequence[tuple[str, LayerFacts]]]) -> tuple[LayerRow, ...]:
    """Every layer name once, each where its network has it: after the layer that stands before it there."""
    facts = [dict(network) for network in networks]
    orders = [[name for name, _ in network] for network in networks]
    moved = [moved_names(orders[0], order) for order in orders]
    return tuple(
        LayerRow(name, tuple(known.get(name) for known in facts), tuple(name in names for names in moved))
        for name in merge_orders(orders)
    )


def merge_orders(orders: Iterable[Iterable[str]]) -> list[str]:
    """All names in one order; a new one comes right after the one before it in its own list."""
    following: dict[str | None, str | None] = {None: None}
    for order in orders:
        previous: str | None = None
        for name in order:
            if name not in following:
                following[name] = following[previous]
                following[previous] = name
            previous = name
    merged: list[str] = []
    name = following[None]
    while name is not None:
        merged.append(name)
        name = following[name]
    return merged


def moved_names(before: Sequence[str], after: Sequence[str]) -> frozenset[str]:
    """The fewest names that have to move to bring what both share from one order into the other.

    All that is not on a longest increasing run of old positions (patience sorting).
    """
    position = {name: index for index, name in enumerate(before)}
    shared = [name for name in after if name in position]
    ends: list[int] = []
    run_end: list[str] = []
    behind: dict[str, str | None] = {}
    for name in shared:
        length = bisect_left(ends, position[name])
        behind[name] = run_end[length - 1] if length else None
        ends[length : length + 1] = [position[name]]
        run_end[length : length + 1] = [name]
    kept: set[str] = set()
    last: str | None = run_end[-1] if run_end else None
    while last is not None:
        kept.add(last)
        last = behind[last]
    return frozenset(shared) - kept
