"""Operators of ONNX that are layers which others have registered, as the card of each says."""

from __future__ import annotations

from typing import Any

from archcost.errors import ArchcostError
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_layers import checked_layer
from archcost.importers.onnx_values import UnsupportedError, short
from archcost.layers import own


def own_rule(operator: str, ours: Rule | None) -> Rule | None:
    """The rule for an operator with its domain in front; `ours` where there is no other.

    Raises ArchcostError where it has two, or a package with layers cannot be imported.
    """
    if "::" not in operator or operator.startswith("archcost::"):
        return ours
    for registered in own.registered().values():
        known = registered.kind.card.onnx
        if known is None or known.operator != operator:
            continue
        if ours is not None:
            raise ArchcostError(
                f"the ONNX operator {operator} has two layers: {own.class_name(registered.kind)} and archcost's own",
                expected="one class for each",
            )
        return registered.hook("onnx") or _by_card(registered)
    return ours


def _by_card(registered: own.OwnLayer) -> Rule:
    """Inputs first, then weights in the order in which the layer names them; attributes are fields."""
    kind, known = registered.kind, registered.kind.card.onnx
    assert known is not None

    def rule(call: Call) -> Result:
        fields: dict[str, Any] = {}
        for name, value in call.node.attributes.items():
            if name not in known.attributes:
                raise UnsupportedError(f"{name} is no attribute on the card of {registered.type}")
            field = known.attributes[name]
            fields[field] = _as_field(value, kind.model_fields[field].annotation)
        layer = checked_layer(registered.type, fields)
        most = layer.arity.most
        inputs = call.inputs if most is None else call.inputs[:most]
        reads = [value for value in inputs if value is not None]
        if len(reads) < layer.arity.least:
            raise UnsupportedError(f"{registered.type} has {layer.arity}")
        rest = call.inputs[len(inputs) :]
        names = [weight.name for weight in layer.weights(tuple([value.tensor for value in reads]))]
        present = [value for value in rest if value is not None]
        if len(present) != len(names):
            raise UnsupportedError(f"{registered.type} has {len(names)} weights and {len(present)} are given")
        if not names:
            return call.layers(registered.type, *reads, **fields)
        source, *beside = reads
        return call.weighted(registered.type, source, dict(zip(names, present, strict=True)), *beside, **fields)

    return rule


def _as_field(value: Any, annotation: Any) -> Any:
    """ONNX has no truth values, and numbers in single precision."""
    if annotation is bool and isinstance(value, int):
        return bool(value)
    if annotation is float and isinstance(value, int):
        return float(value)
    return short(value) if isinstance(value, float) else value
