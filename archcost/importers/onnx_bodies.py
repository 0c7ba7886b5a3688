"""Operators of ONNX with graphs within: branches of `If`, bodies of `Loop` and `Scan`.

What shapes decide is read as it runs: the branch that is chosen, the body once a turn. What values decide has bounds:
the least that surely runs is counted, as layers, behind which an `opaque` one stands for the rest. It reads the weights
of all that may run, since all are in the file and in memory, and an assumption says what the bounds are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from archcost.errors import ArchcostError, shorten
from archcost.importers.onnx_call import Call
from archcost.importers.onnx_model import Graph
from archcost.importers.onnx_opaque import unruled
from archcost.importers.onnx_sizes import SAMPLES
from archcost.importers.onnx_values import UnsupportedError, Value, from_batch, samples_in
from archcost.layers.checks import normalize_axis
from archcost.tensors import TensorType
from archcost.work import NO_FLOPS, Flops

MOST_UNROLLED = 20_000
"""Operators that the turns of one loop may come to; of a longer one, one turn is counted."""


@dataclass(frozen=True)
class Bodies:
    """An operator, and how its graphs are read: with the values of their inputs, whatever else they read outside."""

    call: Call
    convert: Callable[[Graph, Mapping[str, Value]], Sequence[Value]]
    weights: Callable[[Graph], Sequence[Value]]
    """The weights that a graph holds or reads, and what it computes of."""

    def graph(self, name: str) -> Graph:
        graph = self.call.node.attributes.get(name)
        if not isinstance(graph, Graph):
            raise ArchcostError(f"{name} cannot be read", expected="a graph", found=shorten(graph))
        return graph


class Read(NamedTuple):
    """The results of a graph, and the work of the layers that they come of, for `SAMPLES` samples."""

    results: Sequence[Value]
    macs: int
    flops: Flops
    is_unknown: bool
    weights: frozenset[str]
    assumed: tuple[str, ...] = ()

    def __str__(self) -> str:
        each, rest = divmod(self.macs, SAMPLES)
        least = "at least " if self.is_unknown else ""
        return f"{least}{self.macs:,} MACs in all samples" if rest else f"{least}{each:,} MACs a sample"

    @property
    def does_nothing(self) -> bool:
        return self.flops == NO_FLOPS and not self.weights and not self.is_unknown


def _read(bodies: Bodies, graph: Graph, inputs: Mapping[str, Value]) -> Read:
    """What is assumed in it is left to whoever counts it."""
    net = bodies.call.net
    before, assumed = len(net.entries), dict(net.assumptions)
    try:
        read = _measured(bodies, bodies.convert(graph, inputs), before)
        return read._replace(assumed=tuple(text for text in net.assumptions if text not in assumed))
    finally:
        net.assumptions = assumed


def _measured(bodies: Bodies, results: Sequence[Value], before: int) -> Read:
    """Of the layers from number `before` on."""
    net = bodies.call.net
    reached = net.reached([value.ref for value in results if value.ref], before)
    work = [each for number in reached for each in net.work_of(number)]
    flops = sum((each.forward for each in work), NO_FLOPS)
    is_unknown = any(net.entries[number].layer.is_unknown for number in reached)
    return Read(results, sum(each.macs for each in work), flops, is_unknown, net.weights_of(reached))


def _behind(bodies: Bodies, counted: Read, others: Sequence[Graph], tensors: Sequence[TensorType]) -> Sequence[Value]:
    """A layer of unknown work behind what is counted, which reads the weights of what else may run."""
    weights = [value for graph in others for value in bodies.weights(graph) if value.held not in counted.weights]
    return unruled(bodies.call, [*bodies.call.given, *counted.results, *weights], tensors, is_unknown=True)


def branches(bodies: Bodies) -> Sequence[Value]:
    """The branch that the condition selects; where values decide, the one of fewer MACs."""
    call, words = bodies.call, ("then_branch", "else_branch")
    condition = call[0].number
    if condition is not None:
        return bodies.convert(bodies.graph(words[0] if condition else words[1]), {})
    read: dict[str, Read] = {}
    said: list[str] = []
    for word in words:
        try:
            read[word] = _read(bodies, bodies.graph(word), {})
            said.append(f"{word} ({read[word]})")
        except (ArchcostError, UnsupportedError) as error:
            if said and not read:
                raise
            said.append(f"{word} (not read: {str(error).splitlines()[0][:200]})")
    if len(read) == len(words) and all(each.does_nothing for each in read.values()):
        return read[words[0]].results
    word, least = min(read.items(), key=lambda item: item[1].macs)
    for text in least.assumed:
        call.net.assume(text)
    which = f"values decide which branch of {_name(call)} runs, {' or '.join(said)}"
    call.net.assume(f"{which}: {word} is counted, and the weights of both")
    others = [bodies.graph(other) for other in words if other != word]
    return _behind(bodies, least, others, [value.tensor for value in least.results])


def loop(bodies: Bodies) -> Sequence[Value]:
    """The body once a turn, as often as is known; then what is carried from turn to turn, and the results of each."""
    call, body = bodies.call, bodies.graph("body")
    most, going = (call.get(index) for index in (0, 1))
    limit = None if most is None else most.number
    goes_on = 1 if going is None else going.number
    carried = [call[index] for index in range(2, len(call.inputs))]
    if len(body.inputs) != len(carried) + 2 or len(body.outputs) <= len(carried):
        raise UnsupportedError("a body of other inputs or outputs than the loop's")
    turns: list[Sequence[Value]] = []
    before = len(call.net.entries)
    is_counted = most is None or limit is not None
    while goes_on and is_counted and _fits(len(turns), body):
        if limit is not None and (len(turns) >= limit or (turns and samples_in(int(limit)))):
            break
        results = bodies.convert(body, _inputs_of(body, len(turns), carried))
        goes_on, carried = results[0].number, list(results[1 : 1 + len(carried)])
        turns.append(results[1 + len(carried) :])
    is_over = goes_on == 0 or (limit is not None and len(turns) >= limit)
    if is_over:
        return [*carried, *(_together(call, [each[index] for each in turns]) for index in range(_kept(body, carried)))]
    times = "as often as values decide" if limit is None else f"at most {int(limit):,} times, as values decide"
    if limit is not None and goes_on:  # too often, or as often as there are samples
        times = f"{int(limit):,} times"
    return _without_end(bodies, body, _measured(bodies, carried, before), len(turns), times)


def _inputs_of(body: Graph, turn: int, carried: Sequence[Value]) -> dict[str, Value]:
    import numpy as np

    number = Value(TensorType((), "int64"), numbers=np.array(turn, np.int64))
    going = Value(TensorType((), "bool"), numbers=np.array(True))
    return dict(zip(body.inputs, (number, going, *carried), strict=True))


def _kept(body: Graph, carried: Sequence[Value]) -> int:
    return len(body.outputs) - 1 - len(carried)


def _fits(turns: int, body: Graph) -> bool:
    return (turns + 1) * max(len(body.nodes), 1) <= MOST_UNROLLED


def _without_end(bodies: Bodies, body: Graph, counted: Read, turns: int, times: str) -> Sequence[Value]:
    """What is carried, behind an `opaque` layer that stands for the turns that are not counted."""
    call, carried = bodies.call, counted.results
    try:
        each = str(_read(bodies, body, _inputs_of(body, turns, carried)))
    except (ArchcostError, UnsupportedError) as error:
        each = f"not read: {str(error).splitlines()[0][:200]}"
    call.net.assume(_turns_text(call, times, each, turns))
    if _kept(body, carried):
        raise UnsupportedError("values decide how often it runs, and so how many results it collects")
    return _behind(bodies, counted, [body], [value.tensor for value in carried])


def _together(call: Call, values: Sequence[Value], axis: int = 0) -> Value:
    """Results of the turns in one tensor."""
    import numpy as np

    if not values:
        raise UnsupportedError("results of no turn")
    if all(value.is_constant for value in values):
        arrays = [value.numbers for value in values if value.numbers is not None]
        shape = values[0].shape
        kept = np.stack(arrays, axis) if len(arrays) == len(values) else None
        whole = (*shape[:axis], len(values), *shape[axis:])
        return Value(TensorType(whole, values[0].tensor.dtype), numbers=kept)
    return call.layer("stack", *values, dim=axis)


def scan(bodies: Bodies) -> Sequence[Value]:
    """The body once for each position along an axis of what is scanned."""
    call, body = bodies.call, bodies.graph("body")
    count = call.integer("num_scan_inputs")
    inputs = [call[index] for index in range(len(call.inputs))]
    if not 0 < count <= len(inputs) or len(body.inputs) != len(inputs):
        raise UnsupportedError("a body of other inputs than what is scanned")
    carried, scanned = inputs[: len(inputs) - count], inputs[len(inputs) - count :]
    axes = [
        normalize_axis(axis, value.rank, "scan_input_axes")
        for axis, value in zip(call.sizes("scan_input_axes", count) or [0] * count, scanned, strict=True)
    ]
    kept = len(body.outputs) - len(carried)
    if kept < 0:
        raise UnsupportedError("a body of other outputs than what is carried")
    places = call.sizes("scan_output_axes", kept) or [0] * kept
    lengths = {value.shape[axis] for axis, value in zip(axes, scanned, strict=True)}
    if len(lengths) != 1:
        raise UnsupportedError("tensors of several lengths scanned together")
    (length,) = lengths
    turns: list[Sequence[Value]] = []
    is_whole = not samples_in(length) and _fits(length - 1, body)
    for turn in range(length if is_whole else 1):
        at = [_at(call, value, axis, turn) for value, axis in zip(scanned, axes, strict=True)]
        before = len(call.net.entries)
        results = bodies.convert(body, dict(zip(body.inputs, (*carried, *at), strict=True)))
        if not is_whole:
            return _one_turn(bodies, body, _measured(bodies, results, before), length, places)
        carried = list(results[: len(carried)])
        turns.append(results[len(carried) :])
    together = [
        _together(call, [each[index] for each in turns], normalize_axis(place, turns[0][index].rank + 1, "axes"))
        for index, place in enumerate(places)
    ]
    return [*carried, *together]


def _at(call: Call, value: Value, axis: int, index: int) -> Value:
    if value.is_constant and value.numbers is not None:
        numbers = value.numbers.take(index, axis)
        return Value(TensorType(numbers.shape, value.tensor.dtype), numbers=numbers)
    return call.layer("select", value, index=index, dim=axis)


def _one_turn(bodies: Bodies, body: Graph, counted: Read, length: int, places: Sequence[int]) -> Sequence[Value]:
    """Of a scan over the samples, or a very long one: an `opaque` layer behind one turn."""
    call, carried = bodies.call, len(counted.results) - len(places)
    times = "once a sample" if samples_in(length) else f"{length:,} times"
    call.net.assume(_turns_text(call, times, str(counted), 1))
    tensors = [value.tensor for value in counted.results[:carried]]
    for value, place in zip(counted.results[carried:], places, strict=True):
        axis = normalize_axis(place, value.rank + 1, "scan_output_axes")
        tensors.append(TensorType((*value.shape[:axis], length, *value.shape[axis:]), value.tensor.dtype))
    if any(len(from_batch(tensor.shape)) > 1 for tensor in tensors):
        raise UnsupportedError("a scan over the samples of what depends on all of them")
    return _behind(bodies, counted, [body], tensors)


def _turns_text(call: Call, times: str, each: str, turns: int) -> str:
    counted = "1 turn is" if turns == 1 else f"{turns:,} turns are"
    return f"the body of {_name(call)} runs {times} ({each} and turn): {counted} counted, and the weights once"


def _name(call: Call) -> str:
    return shorten(str(call.node))


BODIES: dict[str, Callable[[Bodies], Sequence[Value]]] = {"If": branches, "Loop": loop, "Scan": scan}
"""By the operator's name."""
