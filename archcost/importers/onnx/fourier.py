"""Operators of archcost's own, which stand for Fourier transforms of complex tensors."""

from __future__ import annotations

from archcost.importers.onnx_call import Rule, own_operators

RULES: dict[str, Rule] = own_operators("fourier")
