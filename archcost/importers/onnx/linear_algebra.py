"""Operators of archcost's own, which stand for factors of matrices."""

from __future__ import annotations

from archcost.importers.onnx_call import Rule, own_operators

RULES: dict[str, Rule] = own_operators("linear_algebra")
