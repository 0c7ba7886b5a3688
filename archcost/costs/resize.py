"""The same step of another batch: its events are known, and only the sizes of its storages are worked out.

What each layer says is asked for the other batch, once for equal layers, and compared with what it said before: all but
sizes has to be the same. Each storage then holds what a layer has named in the same place of its answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

from archcost.costs.program import Op, Program
from archcost.costs.timeline import RNG_STATE, Timeline
from archcost.graph import ModelGraph, Node
from archcost.passes.gradients import NOTHING, Needs
from archcost.passes.layer_rules import LayerRules, ask, layer_rules
from archcost.passes.order import prepared
from archcost.passes.storages import input_layout
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Own
from archcost.terms.memory_format import Layout


class Resized(NamedTuple):
    """Of the storages of a step, by number, what each holds; and what kernels that allocate for themselves work on."""

    tensors: tuple[TensorType, ...]
    calls: Mapping[int, tuple[Tensors, Tensors]]


class Resizing:
    """A step that was played at some number of samples, to be had at others."""

    def __init__(self, line: Timeline) -> None:
        self.line = line
        self.ops = [op for op in line.program.ops if not op.is_copy]
        self.inputs = [line.program.storages[number].tensor for number in range(_inputs(line))]
        self.stay = {id(tensor): tensor for tensor in _constant(line)}
        """By identity, tensors that no batch changes."""
        self.said = {
            id(op.rules): _said(op.node, op.rules, line.program.dropped(op) if line.replayed else ()) for op in self.ops
        }
        """By rules, what a layer says but for sizes, and the tensors that it names."""

    def at(self, graph: ModelGraph) -> Resized | None:
        """At the batch of `graph`, several samples both; None where it is not certain to be the same step."""
        line = self.line
        ready = prepared(graph, line.run, line.device).graph
        if len(self.ops) != len(ready.nodes) or len(self.inputs) != len(ready.inputs):
            return None
        pairs = self._pairs(ready)
        return None if pairs is None else self._resized(pairs)

    def beside(self, written: Program) -> Resized | None:
        """The same from the program of another batch, which has asked all layers."""
        ops = [op for op in written.ops if not op.is_copy]
        inputs = [written.storages[number].tensor for number in range(len(self.inputs))]
        pairs: dict[int, TensorType] = {}
        if len(self.ops) != len(ops) or not _pair(pairs, self.inputs, inputs):
            return None
        known: set[tuple[int, int]] = set()
        for op, other in zip(self.ops, ops, strict=True):
            key = (id(op.rules), id(other.rules))
            if key in known:
                continue
            known.add(key)
            words, tensors = self.said[id(op.rules)]
            said, others = _said(other.node, other.rules, written.dropped(other) if self.line.replayed else ())
            if other.node.weights != op.node.weights or said != words or not _pair(pairs, tensors, others):
                return None
        return self._resized(pairs)

    def _resized(self, pairs: Mapping[int, TensorType]) -> Resized | None:
        """None where a storage has no pair."""
        line = self.line
        found = [pairs.get(id(held.tensor)) or self.stay.get(id(held.tensor)) for held in line.storages]
        tensors = tuple([tensor for tensor in found if tensor is not None])
        if len(tensors) < len(found):
            return None
        calls = {
            storage: (_all(pairs, run.call.inputs), _all(pairs, run.call.outputs))
            for storage, run in line.kernels.items()
        }
        return Resized(tensors, calls)

    def _pairs(self, graph: ModelGraph) -> dict[int, TensorType] | None:
        """By the identity of a tensor the one of the other batch; None where a layer says more than another size."""
        pairs: dict[int, TensorType] = {}
        if not _pair(pairs, self.inputs, [*graph.inputs.values()]):
            return None
        last = self.line.run.channels_last
        layouts: dict[str, tuple[Layout, ...]] = {
            name: (input_layout(tensor, last),) for name, tensor in graph.inputs.items()
        }
        known: dict[object, LayerRules] = {}
        for op, node in zip(self.ops, graph.nodes, strict=True):
            arriving = tuple([layouts[producer][output] for producer, output in node.inputs])
            key = (id(op.rules), id(node.facts), arriving)
            rules = known.get(key)
            if rules is None:
                rules = known[key] = _asked(op, node, arriving)
                words, tensors = self.said[id(op.rules)]
                said, others = _said(node, rules, rules.dropped if self.line.replayed else ())
                if node.weights != op.node.weights or said != words or not _pair(pairs, tensors, others):
                    return None
            layouts[node.name] = rules.layouts
        return pairs


def _inputs(line: Timeline) -> int:
    """How many inputs a run has, its labels among them."""
    return sum([line.program.storages[number].role == "inputs" for number in line.program.resident])


def _pair(pairs: dict[int, TensorType], ours: list[TensorType], theirs: list[TensorType]) -> bool:
    """Whether they may be the same tensors of two batches."""
    if len(ours) != len(theirs):
        return False
    for one, other in zip(ours, theirs, strict=True):
        known = pairs.setdefault(id(one), other)
        if one.dtype != other.dtype or (known is not other and known != other):
            return False
    return True


def _all(pairs: Mapping[int, TensorType], tensors: Tensors) -> Tensors:
    return tuple([pairs[id(tensor)] for tensor in tensors])


def _constant(line: Timeline) -> Iterator[TensorType]:
    """What no batch changes: weights, what is made of them alone, and what kernels allocate, which is no tensor."""
    yield RNG_STATE.tensor
    yield from (each.tensor for each in line.storages if each.role in ("weights", "buffers", "optimizer_state"))
    yield from (line.storages[storage].tensor for storage in line.kernels)
    for op in line.program.ops:
        if op.is_copy:
            yield from _named(op.rules)
    for mark, after in pairwise(line.marks):
        if mark.phase == "optimizer":
            events = line.events[mark.event : after.event]
            yield from (line.storages[event].tensor for event in events if event >= 0)


def _asked(op: Op, node: Node, arriving: tuple[Layout, ...]) -> LayerRules:
    given = arriving if any(layout is not None for layout in arriving) else ()
    call = replace(
        op.rules.call,
        inputs=node.input_types,
        outputs=node.output_types,
        setting=replace(op.rules.call.setting, layouts=given),
    )
    operands = op.rules.operands
    needs = Needs(
        tuple([each for each in operands if isinstance(each, int)]),
        tuple([each for each in operands if isinstance(each, str)]),
    )
    return layer_rules(node, needs if operands else NOTHING, arriving, call, ask(node.layer, call))


def _said(node: Node, rules: LayerRules, dropped: tuple[Own, ...]) -> tuple[tuple[object, ...], list[TensorType]]:
    """All but sizes, and the tensors; `dropped` are those that live under a checkpoint."""
    words = (*_words(rules), [own.what for own in dropped])
    return words, [*_tensors(node, rules), *[own.tensor for own in dropped]]


def _words(rules: LayerRules) -> tuple[object, ...]:
    """All that a layer says but sizes."""
    return (
        [made.what for made in rules.makes],
        rules.own,
        rules.outputs,
        rules.saved,
        [layout is None for layout in (*rules.layouts, *rules.arriving)],
        [(isinstance(give.gradient, TensorType) or give.gradient, *give[2:]) for give in rules.gives],
        rules.given_to,
        [own.what for own in _temporaries(rules)],
        [(part.gives, part.frees) for part in rules.parts],
        rules.outlives,
        [zeros is None for zeros in rules.zeros],
        (rules.overwrites, rules.is_view, rules.hides_writes),
    )


def _tensors(node: Node, rules: LayerRules) -> list[TensorType]:
    """All around a layer that it names, in an order that no batch changes."""
    return [*node.input_types, *node.output_types, *_named(rules)]


def _named(rules: LayerRules) -> list[TensorType]:
    return [
        *[made.tensor for made in rules.makes],
        *[give.gradient for give in rules.gives if isinstance(give.gradient, TensorType)],
        *[give.like for give in rules.gives],
        *[own.tensor for own in _temporaries(rules)],
        *[zeros for zeros in rules.zeros if zeros is not None],
    ]


def _temporaries(rules: LayerRules) -> list[Own]:
    scratch = rules.scratch
    return [*scratch.forward, *scratch.backward, *[own for part in rules.parts for own in part.scratch]]
