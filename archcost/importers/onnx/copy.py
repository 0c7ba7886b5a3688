"""Truth and bits turned round."""

from __future__ import annotations

from archcost.importers.onnx_call import Rule

RULES: dict[str, Rule] = {
    "BitwiseNot": lambda call: call.layer("bitwise_not", call[0]),
    "Not": lambda call: call.layer("logical_not", call[0]),
}
