"""The working of every number: what is computed by which formula from which values, and why a zero is zero."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from archcost.costs import ModelCost
from archcost.costs.given import Counted, counted
from archcost.costs.model import LayerCost
from archcost.errors import SpecError, nearest, shorten
from archcost.files.result import Result
from archcost.graph import Node
from archcost.layers import Weight
from archcost.layers.value_function import ValueFunction
from archcost.report.grouping import Folded
from archcost.report.receptive_field import Fields, field_steps, known_fields
from archcost.tensors import ALL_BYTES, PACKED_BITS, Tensors, TensorType
from archcost.terms.expressions import exact, names
from archcost.work import Contraction, Elementwise, Operand, Shared

PARAMETERS, BUFFERS, MACS = "parameters", "buffers", "MACs"
FORWARD = "FLOPs forward"
BACKWARD_INPUT = "FLOPs backward, input gradient"
BACKWARD_WEIGHT = "FLOPs backward, weight gradient"
ELEMENTWISE = ", elementwise"

FIRST_LAYER = "the network's first layer: nobody needs its input gradient"
NOTHING_BEFORE = "nothing trainable before it: nobody needs its input gradient"
INTEGERS = "integers carry no gradient"
FROZEN = "frozen: no weight gradient"
CONSTANT = "nothing trainable gives its weights: nobody needs their gradient"


@dataclass(frozen=True, slots=True)
class Line:
    """One number of the working, None where it is not known. Without a formula the note gives the reason."""

    quantity: str
    result: int | Fraction | None
    formula: str = ""
    values: Mapping[str, int | Fraction] = field(default_factory=dict[str, "int | Fraction"])
    note: str = ""

    @classmethod
    def of(cls, quantity: str, formula: str, values: Mapping[str, int | Fraction], note: str = "") -> Line:
        """The line with its result worked out from the formula, and only the values that the formula uses."""
        in_formula = names(formula)
        used = {name: values[name] for name in values if name in in_formula}
        result = exact(formula, values)
        return cls(quantity, int(result) if result.denominator == 1 else result, formula, used, note)

    def to_dict(self) -> dict[str, Any]:
        return {
            "quantity": self.quantity,
            "formula": self.formula or None,
            "values": {name: _plain(value) for name, value in self.values.items()},
            "result": _plain(self.result),
            "note": self.note or None,
        }


def _plain(number: int | Fraction | None) -> int | float | None:
    if number is None:
        return None
    return int(number) if number.denominator == 1 else float(number)


@dataclass(frozen=True, slots=True)
class LayerWorking:
    name: str
    type: str
    inputs: tuple[str, ...]
    input_types: Tensors
    output_types: Tensors
    lines: tuple[Line, ...]
    assumption: str
    """What the numbers rest on beside what is declared; mostly nothing."""
    formula: str = ""
    """Of a function of values: what is worked out forward and backward, as the counts are read from it."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "inputs": list(self.inputs),
            "input_shapes": [list(tensor.shape) for tensor in self.input_types],
            "output_shapes": [list(tensor.shape) for tensor in self.output_types],
            "lines": [line.to_dict() for line in self.lines],
            "assumption": self.assumption or None,
            "formula": self.formula or None,
        }


@dataclass(frozen=True, slots=True)
class Sum:
    """A total of the network, and the parts that it is the sum of; parts that are zero are left out.

    It is a lower bound where some parts are `unknown`.
    """

    quantity: str
    parts: tuple[tuple[str, int], ...]
    unknown: tuple[str, ...] = ()

    @property
    def result(self) -> int:
        return sum(number for _, number in self.parts)

    def to_dict(self) -> dict[str, Any]:
        return {
            "quantity": self.quantity,
            "parts": dict(self.parts),
            "result": self.result,
            "unknown": list(self.unknown),
        }


@dataclass(frozen=True, slots=True, repr=False)
class Explanation(Result):
    """`totals` are given when the whole network is explained."""

    cost: ModelCost
    layers: tuple[LayerWorking, ...]
    totals: tuple[Sum, ...]

    @property
    def headline(self) -> str:
        return f"{self.cost.network}, batch {self.cost.batch:,}, the working of {len(self.layers):,} layers"

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.explain/1",
            "network": self.cost.network,
            "batch": self.cost.batch,
            "layers": [layer.to_dict() for layer in self.layers],
            "totals": [total.to_dict() for total in self.totals],
        }


def explain(network: Counted, layer: str | None = None, batch: int = 1) -> Explanation:
    """The working of one layer, of all layers of a block, or of the network: a spec, or the name or file of one, at
    `batch`, a graph or a cost. Raises SpecError for an unknown name, ArchcostError for what is no network.
    """
    cost = counted(network, batch)
    fields = known_fields(cost)
    if layer is None:
        return Explanation(cost, tuple(_working(cost, each, fields) for each in cost.layers), network_sums(cost))
    chosen = [each for each in cost.layers if each.name == layer or each.name.startswith(f"{layer}.")]
    if not chosen:
        known = [each.name for each in cost.layers]
        blocks = {name.rpartition(".")[0] for name in known} - {""}
        raise SpecError(
            f"{cost.network} has no layer {shorten(layer)}",
            expected="the name of a layer or of a block",
            found=shorten(layer),
            hint=nearest(layer, {*known, *blocks}) or f"archcost summary {cost.network}",
        )
    return Explanation(cost, tuple(_working(cost, each, fields) for each in chosen), ())


def network_sums(cost: ModelCost) -> tuple[Sum, ...]:
    """Every total as the sum of the network's top-level parts."""
    groups = Folded(cost, 1).groups
    whole = {
        PARAMETERS: [group.parameters for group in groups],
        BUFFERS: [group.amounts.buffers for group in groups],
    }
    columns = {MACS: [group.macs for group in groups]}
    for half, quantity in enumerate((FORWARD, BACKWARD_INPUT, BACKWARD_WEIGHT)):
        columns[quantity] = [group.flops[half].contraction for group in groups]
        columns[quantity + ELEMENTWISE] = [group.flops[half].elementwise for group in groups]
    step = cost.flops
    names = [group.name for group in groups]
    return (
        *(Sum(quantity, _nonzero(names, numbers)) for quantity, numbers in whole.items()),
        *(Sum(quantity, _nonzero(names, numbers), cost.unknown) for quantity, numbers in columns.items()),
        Sum(
            "FLOPs of one training step",
            (
                ("forward", step.forward.contraction),
                ("input gradients", step.backward_input.contraction),
                ("weight gradients", step.backward_weight.contraction),
            ),
            cost.unknown,
        ),
    )


def _nonzero(names: Sequence[str], numbers: Sequence[int]) -> tuple[tuple[str, int], ...]:
    return tuple((name, number) for name, number in zip(names, numbers, strict=True) if number)


def _working(cost: ModelCost, layer: LayerCost, fields: Fields) -> LayerWorking:
    node = layer.node
    steps = node.layer.working(node.input_types, node.output_types)
    given = {step.quantity: Line.of(step.quantity, step.formula, step.values, step.note) for step in steps}
    work = node.facts.work
    contractions = [part for part in work if isinstance(part, Contraction)]
    elementwise = [part for part in work if isinstance(part, Elementwise)]
    shared = [part for part in work if isinstance(part, Shared)]
    forward = (*_macs(contractions, given.get(MACS)), *_forward(contractions, elementwise))
    backward = (
        *_backward_input(cost, layer, contractions, elementwise, shared),
        *_backward_weight(layer, contractions, elementwise, shared),
    )
    lines = (
        *(line for quantity, line in given.items() if quantity not in (PARAMETERS, MACS)),
        *_weights(layer, given.get(PARAMETERS)),
        *(forward if layer.knows_forward else _unknown(layer, MACS, FORWARD, FORWARD + ELEMENTWISE)),
        *(_unknown(layer, BACKWARD_INPUT, BACKWARD_INPUT + ELEMENTWISE) if layer.is_unknown else backward),
        *(Line.of(step.quantity, step.formula, step.values, step.note) for step in field_steps(layer, fields)),
    )
    inputs = tuple(map(str, node.inputs))
    assumption = node.layer.assumption
    formula = str(node.layer.chosen()) if isinstance(node.layer, ValueFunction) else ""
    return LayerWorking(layer.name, layer.type, inputs, node.input_types, node.output_types, lines, assumption, formula)


def _unknown(layer: LayerCost, *quantities: str) -> Iterable[Line]:
    return [Line(quantity, None, note=f"no rule says what {layer.type} does") for quantity in quantities]


def _weights(layer: LayerCost, line: Line | None) -> Iterable[Line]:
    node = layer.node
    parameters = [weight for weight in node.own_weights if not weight.is_buffer]
    elsewhere = [f"its weight belongs to {node.shared.owner} and is counted there"] if node.shared else []
    elsewhere += [f"its {name} is given by {port}" for name, port in node.given.items()]
    if line is not None and not elsewhere:
        yield line
    elif parameters:
        yield _sizes(PARAMETERS, parameters, "; ".join(elsewhere))
    else:
        yield Line(PARAMETERS, 0, note="; ".join(elsewhere) or "no weights")
    if buffers := [weight for weight in node.own_weights if weight.is_buffer]:
        yield _sizes(BUFFERS, buffers, "")
    if any(weight.is_scale for weight in buffers):
        yield _bytes(node)


def _bytes(node: Node) -> Line:
    """Of a quantised weight, with what stands beside it: `18 + 1*4 + 16*4`, in the dtypes of the spec."""
    kept = [each for each in node.own_weights if each.name == "weight" or (each.is_scale and each.name != "bias")]
    tensors = [TensorType(weight.shape, weight.dtype or node.input_types[0].dtype) for weight in kept]
    terms = [str(t.nbytes) if t.dtype in PACKED_BITS else f"{t.numel}*{ALL_BYTES[t.dtype]}" for t in tensors]
    note = ", ".join(f"{weight.name} in {tensor.dtype}" for weight, tensor in zip(kept, tensors, strict=True))
    return Line.of("bytes of the weight", " + ".join(terms), {}, note)


def _sizes(quantity: str, weights: Sequence[Weight], note: str) -> Line:
    """Weights counted by their shapes: `64*3*3 + 64`."""
    formula = " + ".join("*".join(map(str, weight.shape)) or "1" for weight in weights)
    return Line.of(quantity, formula, {}, "; ".join(filter(None, (", ".join(w.name for w in weights), note))))


def _macs(contractions: Sequence[Contraction], given: Line | None) -> Iterable[Line]:
    if given is not None:
        yield given
    elif not contractions:
        yield Line(MACS, 0, note="no sums of products, so no FLOPs of contractions either")
    else:
        yield from _with_sum(MACS, [("MACs", {"MACs": part.macs}, "") for part in contractions])


Term = tuple[str, Mapping[str, int | Fraction], str]
"""Formula, values, note."""


def _with_sum(quantity: str, parts: Sequence[Term]) -> Iterable[Line]:
    """A line for each part, and where there are several, their sum under the name of the quantity."""
    if len(parts) == 1:
        formula, values, note = parts[0]
        yield Line.of(quantity, formula, values, note)
        return
    lines = [Line.of(f"{quantity}: {note}" if note else quantity, formula, values) for formula, values, note in parts]
    yield from lines
    yield Line.of(quantity, " + ".join(str(line.result) for line in lines), {}, "added up")


def _forward(contractions: Sequence[Contraction], elementwise: Sequence[Elementwise]) -> Iterable[Line]:
    if contractions:
        macs = sum(part.macs for part in contractions)
        yield from _with_sum(FORWARD, [("2*MACs", {"MACs": macs}, "a product and a sum for each MAC")])
    if parts := [_per_value(part, part.operations, part.what) for part in elementwise if part.operations]:
        yield from _with_sum(FORWARD + ELEMENTWISE, parts)
    elif not contractions:
        yield Line(FORWARD + ELEMENTWISE, 0, note=", ".join(part.what for part in elementwise) + ": no arithmetic")


def _contraction(part: Contraction, note: str) -> Term:
    return "2*MACs", {"MACs": part.macs}, note


def _per_value(part: Elementwise, operations: int, note: str) -> Term:
    return "N*o", {"N": part.numel, "o": operations}, note


def _backward_input(
    cost: ModelCost,
    layer: LayerCost,
    contractions: Sequence[Contraction],
    elementwise: Sequence[Elementwise],
    shared: Sequence[Shared],
) -> Iterable[Line]:
    if not layer.needs.inputs:
        quantity = BACKWARD_INPUT if contractions else BACKWARD_INPUT + ELEMENTWISE
        yield Line(quantity, 0, note=_why_no_input_gradient(cost, layer))
        return
    lines = list(_gradients(BACKWARD_INPUT, layer, layer.needs.inputs, contractions, elementwise, shared))
    yield from lines or [Line(BACKWARD_INPUT + ELEMENTWISE, 0, note="passed on without arithmetic")]


def _why_no_input_gradient(cost: ModelCost, layer: LayerCost) -> str:
    if not any(tensor.is_floating for tensor in layer.node.input_types):
        return INTEGERS
    reads_only_inputs = all(port.producer in cost.graph.inputs for port in layer.node.inputs)
    return FIRST_LAYER if reads_only_inputs else NOTHING_BEFORE


def _backward_weight(
    layer: LayerCost,
    contractions: Sequence[Contraction],
    elementwise: Sequence[Elementwise],
    shared: Sequence[Shared],
) -> Iterable[Line]:
    trained = [weight for weight in layer.node.weights if not weight.is_buffer]
    if not trained:
        return
    if not layer.needs.weights:
        note = CONSTANT if all(weight.name in layer.node.given for weight in trained) else FROZEN
        yield Line(BACKWARD_WEIGHT if contractions else BACKWARD_WEIGHT + ELEMENTWISE, 0, note=note)
        return
    remaining = [part for part in shared if not set(part.operands) & set(layer.needs.inputs)]
    yield from _gradients(BACKWARD_WEIGHT, layer, layer.needs.weights, contractions, elementwise, remaining)


def _gradients(
    quantity: str,
    layer: LayerCost,
    operands: Sequence[Operand],
    contractions: Sequence[Contraction],
    elementwise: Sequence[Elementwise],
    shared: Sequence[Shared],
) -> Iterable[Line]:
    """Both columns of the gradients of some operands; nothing for a column that is zero."""
    products = [
        _contraction(part, f"one contraction of the same MACs for {_operand_name(operand, layer)}")
        for operand in operands
        for part in contractions
        if operand in part.operands
    ]
    once = [part for part in shared if set(part.operands) & set(operands)]
    products += [_contraction(part.part, part.what) for part in once if isinstance(part.part, Contraction)]
    if products:
        yield from _with_sum(quantity, products)
    parts = [
        _per_value(part, part.gradients[operand], f"{part.what}, for {_operand_name(operand, layer)}")
        for operand in operands
        for part in elementwise
        if part.gradients.get(operand)
    ]
    shared_parts = [(each.part, each.what) for each in once]
    parts += [_per_value(part, part.operations, what) for part, what in shared_parts if isinstance(part, Elementwise)]
    if parts:
        yield from _with_sum(quantity + ELEMENTWISE, parts)


def _operand_name(operand: Operand, layer: LayerCost) -> str:
    if isinstance(operand, str):
        return f"the {operand}"
    return "the input" if len(layer.node.inputs) == 1 else f"input {layer.node.inputs[operand]}"
