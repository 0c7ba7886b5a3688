"""`diff`: a network as it was and as it is, or two networks; what each number has grown by, and in which layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archcost.comparison.align import LayerFacts
from archcost.comparison.compare import Comparison, LayerRow, compare
from archcost.costs import ModelCost
from archcost.estimates import Estimate
from archcost.files.result import Result
from archcost.guarding.amounts import Amount, Kind
from archcost.tensors import format_shape


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: what it is called here, what it costs, and its step on a device, where one is named."""

    label: str
    cost: ModelCost
    estimate: Estimate | None = None


class Change(NamedTuple):
    """A number of both. One that is not known is None, or a lower bound where `is_bound`."""

    name: str
    words: str
    kind: Kind
    old: Amount | None
    new: Amount | None
    is_bound: bool = False

    @property
    def difference(self) -> int | float | None:
        old, new = self.old, self.new
        if self.is_bound or not isinstance(old, int | float) or not isinstance(new, int | float):
            return None
        return new - old

    @property
    def percent(self) -> float | None:
        """None where there was nothing before."""
        if self.difference is None or not isinstance(self.old, int | float) or self.old == 0:
            return None
        return 100 * self.difference / self.old

    def to_dict(self) -> dict[str, Any]:
        bound = {"lower_bound": True} if self.is_bound else {}
        return {
            "name": self.name,
            "old": self.old,
            "new": self.new,
            "difference": self.difference,
            "percent": self.percent,
            **bound,
        }


class Held(NamedTuple):
    """Of a layer, or of several together. MACs that are not known are None."""

    parameters: int
    macs: int | None


class LayerChange(NamedTuple):
    """A layer, or layers under one name: what has changed, and what they had and have. None where there is none."""

    name: str
    what: str
    layers: int
    old: Held | None
    new: Held | None

    def to_dict(self) -> dict[str, Any]:
        sides = {side: held and held._asdict() for side, held in (("old", self.old), ("new", self.new))}
        return {"name": self.name, "change": self.what, "layers": self.layers, **sides}


@dataclass(frozen=True, repr=False)
class Difference(Result):
    """Two networks. `depth` folds layers at so many dotted names."""

    old: Side
    new: Side
    comparison: Comparison
    depth: int | None

    @property
    def headline(self) -> str:
        rows = self.comparison.rows
        return f"{self.old.label} → {self.new.label}: {len(self.comparison.differing):,} of {len(rows):,} layers differ"

    @property
    def differs(self) -> bool:
        """In a number or in a layer; a name alone is no difference."""
        return bool(self.comparison.differing) or any(change.old != change.new for change in self.changes)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The sums over the network and, where both have a step, its memory and time."""
        found = [*_counted(self.old.cost, self.new.cost)]
        if self.old.estimate is not None and self.new.estimate is not None:
            found += _estimated(self.old.estimate, self.new.estimate)
        return tuple(found)

    @property
    def layers(self) -> tuple[LayerChange, ...]:
        """Those that differ, in order; folded, those under one name together."""
        if self.depth is None:
            return tuple([_layer_change(_name(row), [row]) for row in self.comparison.differing])
        groups: defaultdict[str, list[LayerRow]] = defaultdict(list)
        for row in self.comparison.rows:
            groups[".".join(row.name.split(".")[: self.depth])].append(row)
        return tuple([_layer_change(name, rows) for name, rows in groups.items() if any(row.differs for row in rows)])

    def to_dict(self) -> dict[str, Any]:
        step = self.old.estimate
        return {
            "schema": "archcost.diff/1",
            "old": self.old.label,
            "new": self.new.label,
            "different": self.differs,
            "batch": self.new.cost.batch,
            "hardware": None if step is None else step.hardware.name,
            "run": None if step is None else step.run.to_dict(),
            "unknown": sorted({*self.old.cost.unknown, *self.new.cost.unknown}),
            "aligned_by": self.comparison.aligned_by,
            "same_layers": self.comparison.same,
            "changes": [change.to_dict() for change in self.changes],
            "layers": [layer.to_dict() for layer in self.layers],
        }


def difference(old: Side, new: Side, depth: int | None = None) -> Difference:
    """Their layers are aligned as `compare` does."""
    return Difference(old, new, compare(old.cost, new.cost), depth)


def _counted(old: ModelCost, new: ModelCost) -> Iterator[Change]:
    unknown = bool(old.unknown or new.unknown)
    yield Change("parameters", "parameters", "count", old.parameters, new.parameters)
    trained = old.trainable_parameters, new.trainable_parameters
    if trained != (old.parameters, new.parameters):
        yield Change("trainable_parameters", "trainable parameters", "count", *trained)
    yield Change("macs", "MACs", "count", old.macs, new.macs, unknown)
    (forward, step), (new_forward, new_step) = _flops(old), _flops(new)
    yield Change("flops", "FLOPs forward", "count", forward, new_forward, unknown)
    yield Change("training_flops", "FLOPs of a training step", "count", step, new_step, unknown)


def _flops(cost: ModelCost) -> tuple[int, int]:
    """Of contractions, forward and of a step of training."""
    forward = cost.flops.forward.contraction
    return forward, forward + cost.flops.backward.contraction


def _estimated(old: Estimate, new: Estimate) -> Iterator[Change]:
    unknown = bool(old.line.graph.unknown or new.line.graph.unknown)
    yield Change("peak", "peak", "bytes", old.peak, new.peak, unknown)
    yield Change("time", "time of a step", "seconds", old.time and old.time.step, new.time and new.time.step)
    yield Change("fits", "fits", "verdict", old.verdict, new.verdict)
    yield Change("max_batch", "largest batch", "batch", old.max_batch, new.max_batch, unknown)


def _name(row: LayerRow) -> str:
    """That of the layer, or both where it has two."""
    return " → ".join(dict.fromkeys(filter(None, row.names)))


def _layer_change(name: str, rows: Sequence[LayerRow]) -> LayerChange:
    old, new = (_held([facts for row in rows if (facts := row.facts[side])]) for side in (0, 1))
    what = _what(rows[0]) if len(rows) == 1 else _of_several(rows)
    return LayerChange(name, what, len(rows), old, new)


def _held(layers: Sequence[LayerFacts]) -> Held | None:
    if not layers:
        return None
    macs = [facts.macs for facts in layers if facts.macs is not None]
    return Held(sum([facts.parameters for facts in layers]), sum(macs) if len(macs) == len(layers) else None)


def _what(row: LayerRow) -> str:
    old, new = row.facts
    if old is None or new is None:
        return f"added: {new.type}" if new else f"removed: {old.type}" if old else ""
    found = [f"{old.type} → {new.type}"] if old.type != new.type else []
    if old.output_shapes != new.output_shapes:
        shapes = [", ".join(map(format_shape, facts.output_shapes)) for facts in (old, new)]
        found.append(" → ".join(shapes))
    if any(row.moved):
        found.append("moved")
    return "; ".join(found) or "changed"


def _of_several(rows: Sequence[LayerRow]) -> str:
    changed = [row for row in rows if row.differs]
    counts = {
        "added": sum(row.facts[0] is None for row in changed),
        "removed": sum(row.facts[1] is None for row in changed),
        "changed": sum(row.changed and None not in row.facts for row in changed),
        "moved": sum(any(row.moved) and not row.changed for row in changed),
    }
    told = ", ".join(f"{number:,} {word}" for word, number in counts.items() if number)
    return f"{told} of {len(rows):,} layers"
