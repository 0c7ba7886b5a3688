"""Which layer an operator of ONNX is: by a rule in a module of this folder, or as the card of a layer says."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from archcost.importers.onnx_call import Rule, rule_of
from archcost.layers import LAYERS

RULES: dict[str, Rule] = {}
"""By the operator's name."""

for _kind in LAYERS.values():
    if _kind.card.onnx is not None:
        RULES[_kind.card.onnx.operator] = rule_of(_kind)
for _found in iter_modules(__path__, f"{__name__}."):
    RULES.update(import_module(_found.name).RULES)
