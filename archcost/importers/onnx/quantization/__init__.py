"""Integers in the place of floats: of ONNX, and of onnxruntime's own."""

from __future__ import annotations

from archcost.importers.onnx.quantization import frozen, microsoft, packed, standard
from archcost.importers.onnx_call import Rule

RULES: dict[str, Rule] = {**standard.RULES, **microsoft.RULES, **packed.RULES, **frozen.RULES}
