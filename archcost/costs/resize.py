"""The same step of another batch: its events are known, and only the sizes of its storages are worked out.

What each layer says is asked for the other batch, once for equal layers, and compared with what it said before: all but
sizes has to be the same. Each storage then holds what a layer has named in the same place of its answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from archcost.costs.program import Op
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


def resized(line: Timeline, graph: ModelGraph) -> Resized | None:
    """The step of `line` at the batch of `graph`, several samples both; None where that is not certain."""
    table = _Table()
    ready = prepared(graph, line.run, line.device)
    ops = [op for op in line.program.ops if not op.is_copy]
    if len(ops) != len(ready.graph.nodes) or not _pair(line, ops, ready.graph, table):
        return None
    table.stay(line)
    found = [table.known.get(id(held.tensor)) for held in line.storages]
    tensors = tuple([tensor for tensor in found if tensor is not None])
    if table.differs or len(tensors) < len(found):
        return None
    calls = {
        storage: (table.all_of(run.call.inputs), table.all_of(run.call.outputs))
        for storage, run in line.kernels.items()
    }
    return Resized(tensors, calls)


class _Table:
    """By the identity of a tensor, the same of the other batch."""

    def __init__(self) -> None:
        self.known: dict[int, TensorType] = {}
        self.differs = False

    def pair(self, ours: Iterable[TensorType], theirs: Iterable[TensorType]) -> None:
        for one, other in zip(ours, theirs, strict=True):
            if self.known.setdefault(id(one), other) != other or one.dtype != other.dtype:
                self.differs = True

    def all_of(self, tensors: Tensors) -> Tensors:
        return tuple([self.known[id(tensor)] for tensor in tensors])

    def stay(self, line: Timeline) -> None:
        """What no batch changes: weights, what is made of them alone, and what kernels allocate, which is no tensor."""
        held = [each.tensor for each in line.storages if each.role in ("weights", "buffers", "optimizer_state")]
        for op in line.program.ops:
            if op.is_copy:
                held += _tensors(op.node, op.rules)[len(op.node.input_types) + len(op.node.output_types) :]
        for mark, after in zip(line.marks, line.marks[1:], strict=False):
            if mark.phase == "optimizer":
                held += [line.storages[event].tensor for event in line.events[mark.event : after.event] if event >= 0]
        held += [line.storages[storage].tensor for storage in line.kernels]
        for tensor in (*held, RNG_STATE.tensor):
            self.known.setdefault(id(tensor), tensor)


def _pair(line: Timeline, ops: list[Op], graph: ModelGraph, table: _Table) -> bool:
    """Whether each layer says the same at the other batch but for sizes; they are then in the table."""
    inputs = [line.program.storages[number] for number in range(len(graph.inputs))]
    table.pair([held.tensor for held in inputs], graph.inputs.values())
    last = line.run.channels_last
    layouts: dict[str, tuple[Layout, ...]] = {
        name: (input_layout(tensor, last),) for name, tensor in graph.inputs.items()
    }
    known: dict[object, LayerRules] = {}
    for op, node in zip(ops, graph.nodes, strict=True):
        arriving = tuple([layouts[producer][output] for producer, output in node.inputs])
        key = (id(op.rules), id(op.node.facts), id(node.facts), arriving)
        rules = known.get(key)
        if rules is None:
            rules = known[key] = _asked(op, node, arriving)
            if node.weights != op.node.weights or _words(op.rules) != _words(rules):
                return False
            ours, theirs = _tensors(op.node, op.rules), _tensors(node, rules)
            if len(ours) != len(theirs):
                return False
            table.pair(ours, theirs)
        layouts[node.name] = rules.layouts
    return True


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
    """All that a layer names, in an order that no batch changes."""
    return [
        *node.input_types,
        *node.output_types,
        *[made.tensor for made in rules.makes],
        *[give.gradient for give in rules.gives if isinstance(give.gradient, TensorType)],
        *[give.like for give in rules.gives],
        *[own.tensor for own in _temporaries(rules)],
        *[zeros for zeros in rules.zeros if zeros is not None],
    ]


def _temporaries(rules: LayerRules) -> Iterator[Own]:
    yield from rules.scratch.forward
    yield from rules.scratch.backward
    for part in rules.parts:
        yield from part.scratch
