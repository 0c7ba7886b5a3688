"""Attention: of ONNX, and of onnxruntime's own."""

from __future__ import annotations

from archcost.importers.onnx.attention import microsoft, rotary, standard
from archcost.importers.onnx_call import Rule

RULES: dict[str, Rule] = {**standard.RULES, **rotary.RULES, **microsoft.RULES}
