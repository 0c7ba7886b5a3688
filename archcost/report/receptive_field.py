"""The recurrence of receptive field, effective stride and effective padding, layer by layer, as steps of working.

r inputs are seen by one output, neighbours look j inputs apart, and the first one's view hangs P over the edge.
An output that looks at a layer's inputs s·o + a to s·o + b makes r + (b − a)·j, s·j and P − a·j of them
(a = −p and b = d·(k − 1) − p in a convolution).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from archcost.costs import ModelCost
from archcost.costs.model import LayerCost
from archcost.costs.receptive_field import POINT, Field, Interval
from archcost.layers.convolution.conv import Convolution
from archcost.layers.pooling.pool import Pool
from archcost.layers.symbols import AXES
from archcost.terms.expressions import Step, exact
from archcost.terms.windows import SAME, Everything, Rule, Rules, Window

FIELD, STRIDE, PADDING = "receptive field", "effective stride", "effective padding"

Values = dict[str, int | Fraction]


Fields = Mapping[str, Field]


def known_fields(cost: ModelCost) -> Fields:
    """What every input and layer sees, by name, as far as it is known."""
    inputs = {name: Field(name, (POINT,) * (tensor.rank - 2)) for name, tensor in cost.graph.inputs.items()}
    return inputs | {layer.name: layer.field for layer in cost.layers if layer.field is not None}


def field_steps(layer: LayerCost, fields: Fields) -> tuple[Step, ...]:
    """The recurrence of every axis, equal axes once. Empty where the layer sees what the one before it sees."""
    if layer.field is None or not layer.field.axes:
        return ()
    before = _fields_before(layer, fields)
    rules = _rules(layer)
    if len(before) == 1 and all(rule is SAME for rule in rules):
        return ()
    sizes = layer.node.input_types[0].shape[2:]
    extents = sizes if len(sizes) == len(rules) else (1,) * len(rules)
    shown: list[tuple[list[str], tuple[Step, ...]]] = []
    for axis, (letter, rule, extent) in enumerate(zip(AXES[len(rules)], rules, extents, strict=True)):
        steps = _axis_steps(layer, axis, rule, [field.axes[axis] for field in before], extent)
        same = next((letters for letters, known in shown if known == steps), None)
        if same is None:
            shown.append(([letter], steps))
        else:
            same.append(letter)
    return tuple(
        Step(f"{step.quantity} {', '.join(letters)}", step.formula, step.values, step.note)
        for letters, steps in shown
        for step in steps
    )


def _fields_before(layer: LayerCost, fields: Fields) -> list[Field]:
    """Fields of the tensors that the layer looks at, each once; indices and labels beside others do not count."""
    assert layer.field is not None
    found = [
        fields[port.producer]
        for port, tensor in zip(layer.node.inputs, layer.node.input_types, strict=True)
        if port.producer in fields and (tensor.is_floating or len(layer.node.inputs) == 1)
    ]
    suiting = [f for f in found if f.source == layer.field.source and len(f.axes) == len(layer.field.axes)]
    return list(dict.fromkeys(suiting))


def _rules(layer: LayerCost) -> Rules:
    """The layer's rules; none of them where every position sees the same whole, and axes no longer matter."""
    assert layer.field is not None
    rules = layer.node.facts.windows
    same = (SAME,) * len(layer.field.axes)
    return rules if rules is not None and len(rules) == len(same) else same


def _axis_steps(layer: LayerCost, axis: int, rule: Rule, branches: Sequence[Interval], extent: int) -> tuple[Step, ...]:
    jump = max(branch.jump for branch in branches)
    low, high = min(branch.low for branch in branches), max(branch.high for branch in branches)
    seen: Values = {"r_in": high - low + 1, "j_in": jump, "P_in": -low}
    note = ""
    if len(branches) > 1:
        note = "the branches' views together: " + " and ".join(f"[{b.low}, {b.high}]" for b in branches)
    match rule:
        case Everything():
            values: Values = {**seen, "n": extent}
            return (
                _whole_positions(FIELD, "r_in + (n - 1)*j_in", values, "every output sees the whole axis"),
                Step(STRIDE, "0", {}, "every output sees the same"),
                _whole_positions(PADDING, "P_in", values),
            )
        case Window() if rule is SAME:
            return (
                _whole_positions(FIELD, "r_in", seen, note),
                Step(STRIDE, "j_in", seen),
                _whole_positions(PADDING, "P_in", seen),
            )
        case Window() if isinstance(layer.node.layer, (Convolution, Pool)):
            kernel, dilation = layer.node.layer.kernels()[axis], layer.node.layer.dilations()[axis]
            values = {**seen, "k": kernel, "d": dilation, "s": rule.jump, "p": -rule.low}
            return (
                _whole_positions(FIELD, "r_in + (k - 1)*d*j_in", values, note),
                Step(STRIDE, "j_in*s", values),
                _whole_positions(PADDING, "P_in + p*j_in", values),
            )
        case Window():
            values = {**seen, "s": rule.jump, "a": rule.low, "b": rule.high}
            looks = f"an output o looks at inputs {rule.jump}·o + a to {rule.jump}·o + b"
            return (
                _whole_positions(FIELD, "r_in + (b - a)*j_in", values, "; ".join(filter(None, (looks, note)))),
                Step(STRIDE, "j_in*s", values),
                _whole_positions(PADDING, "P_in - a*j_in", values),
            )


def _whole_positions(quantity: str, formula: str, values: Values, note: str = "") -> Step:
    """A step of working whose result is rounded down to whole input positions."""
    if exact(formula, values).denominator == 1:
        return Step(quantity, formula, values, note)
    return Step(quantity, f"({formula})//1", values, note)
