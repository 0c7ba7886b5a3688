"""Receptive fields: the input positions that an output position depends on, effective stride and effective padding.

Output position o sees the input positions [jump·o + low, jump·o + high]; rules compose by substitution, and
branches join by the hull of their intervals (Araujo, Norris and Sim, "Computing receptive fields of
convolutional neural networks", Distill 2019, from which the recurrence is checked). Jumps below 1 come from
upsampling; a jump of 0 means that every position sees the same whole, as after flattening.

Positions in between are taken as points on a line, so a network that shrinks and then enlarges gets a bound from
outside: pooled by 2 and replicated by 2, each value sees 2 inputs, and the interval holds 3.
"""

from __future__ import annotations

from math import ceil, floor
from typing import NamedTuple

from archcost.graph import ModelGraph, Node
from archcost.terms.windows import SAME, Everything, Rational, Rule, Window


class Interval(NamedTuple):
    """The receptive field along one axis, in input positions."""

    jump: Rational
    low: Rational
    high: Rational

    @property
    def size(self) -> int:
        """The most input positions that one output position sees, the padding's included."""
        return floor(self.high - self.low) + 1

    @property
    def padding(self) -> int:
        """The effective padding: by how much the first output's receptive field extends beyond the edge."""
        return -ceil(self.low)


class Field(NamedTuple):
    """The receptive field of a layer with regard to one input of the network."""

    source: str
    axes: tuple[Interval, ...]

    @property
    def size(self) -> tuple[int, ...]:
        return tuple(axis.size for axis in self.axes)

    @property
    def jump(self) -> tuple[Rational, ...]:
        return tuple(axis.jump for axis in self.axes)

    @property
    def padding(self) -> tuple[int, ...]:
        return tuple(axis.padding for axis in self.axes)


POINT = Interval(1, 0, 0)

LARGEST = 2**128
"""Farther than this nobody looks; beyond, the receptive field is not followed."""


def receptive_fields(graph: ModelGraph) -> dict[str, Field | None]:
    """For every layer by name; None where the axes can no longer be told apart, are none, or make no sense."""
    fields: dict[str, Field | None] = {
        name: Field(name, (POINT,) * (tensor.rank - 2)) if tensor.rank > 2 else None
        for name, tensor in graph.inputs.items()
    }
    learned: set[str] = set()
    known: dict[tuple[int, int], Field | None] = {}
    """By facts and by the one field before. Equal layers that look through equal fields share one."""
    for node in graph.nodes:
        looking = [(producer, index) for index, (producer, _) in enumerate(node.inputs) if producer not in learned]
        if len(looking) == 1:
            before = fields[looking[0][0]]
            key = (id(node.facts), id(before))
            if key not in known:
                known[key] = _looked_at(node, before)
            fields[node.name] = known[key]
            continue
        if not node.inputs:
            learned.add(node.name)
        types = node.input_types
        joined = [fields[producer] for producer, index in looking if types[index].is_floating]
        fields[node.name] = _joined(node, joined)
    return {node.name: fields[node.name] for node in graph.nodes}


def _joined(node: Node, before: list[Field | None]) -> Field | None:
    """An unknown branch makes the join unknown; labels, indices and learned tensors look at nothing."""
    known = [field for field in before if field is not None]
    if not known or len(known) < len(before):
        return None
    first = known[0]
    distinct = {id(field): field for field in known}.values()
    same_input = [field for field in distinct if field.source == first.source and len(field.axes) == len(first.axes)]
    axes = tuple([_hull(columns) for columns in zip(*[field.axes for field in same_input], strict=True)])
    return _looked_at(node, Field(first.source, axes))


def _looked_at(node: Node, before: Field | None) -> Field | None:
    """What a layer sees of the network's input through one tensor."""
    if before is None:
        return None
    rules = node.facts.windows
    if rules is None or len(rules) != len(before.axes):
        return before if _is_constant(before.axes) else None
    if rules.count(SAME) == len(rules):
        return before
    sizes = node.input_types[0].shape[2:]
    extents = sizes if len(sizes) == len(before.axes) else (1,) * len(before.axes)
    axes = tuple(map(_compose, before.axes, rules, extents))
    return Field(before.source, axes) if all(map(_is_sensible, axes)) else None


def _is_sensible(axis: Interval) -> bool:
    """Strides of 2^31, layer after layer, would make numbers of a million digits."""
    jump, low, high = axis
    if type(jump) is type(low) is type(high) is int:
        return -LARGEST < jump < LARGEST and low > -LARGEST and high < LARGEST
    return all(-LARGEST < number < LARGEST and number.denominator < LARGEST for number in axis)


def _is_constant(axes: tuple[Interval, ...]) -> bool:
    """Every position sees the same, so it does not matter any more which axis is which."""
    return all(axis.jump == 0 for axis in axes)


def _hull(intervals: tuple[Interval, ...]) -> Interval:
    """Branches of equal jump look from the same place; of different jumps, the larger one is kept."""
    jump = max(interval.jump for interval in intervals)
    return Interval(jump, min(i.low for i in intervals), max(i.high for i in intervals))


def _compose(axis: Interval, rule: Rule, extent: int) -> Interval:
    match rule:
        case Everything():
            return Interval(0, axis.low, axis.high + axis.jump * (extent - 1))
        case Window(jump, low, high):
            return Interval(axis.jump * jump, axis.low + axis.jump * low, axis.high + axis.jump * high)
