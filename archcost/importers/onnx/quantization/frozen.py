"""Linear layers with a frozen weight of few bits, as our own export writes them."""

from __future__ import annotations

from typing import Any

from archcost.importers.onnx.linear import kept
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_layers import checked_layer
from archcost.importers.onnx_values import UnsupportedError, short
from archcost.layers import LAYERS

TYPES = ("linear_4bit", "linear_8bit", "hqq_linear", "weight_only_linear")


def rule_for(type_: str) -> Rule:
    """Inputs first, then the weights in the order in which the layer names them; attributes are fields."""

    def rule(call: Call) -> Result:
        flags = [name for name, field in LAYERS[type_].model_fields.items() if isinstance(field.default, bool)]
        fields: dict[str, Any] = {
            name: bool(value) if name in flags else short(value) if isinstance(value, float) else value
            for name, value in call.node.attributes.items()
        }
        source, *held = call.given
        names = [weight.name for weight in checked_layer(type_, fields).weights((source.tensor,))]
        if len(names) != len(held):
            raise UnsupportedError(f"{type_} has {len(names)} weights and {len(held)} are given")
        weights = dict(zip(names, map(kept, held), strict=True))
        return call.weighted(type_, source, weights, **fields)

    return rule


RULES: dict[str, Rule] = {f"archcost::{type_}": rule_for(type_) for type_ in TYPES}
