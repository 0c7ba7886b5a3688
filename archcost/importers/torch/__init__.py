"""Which layer a call of torch is: by a rule in a module of this folder, or as the card of a layer says."""

from importlib import import_module
from pkgutil import iter_modules

from archcost.importers.torch.proposal import COMPOSITES, RULES, SAMPLES, Proposal, rule_of
from archcost.layers import LAYERS

for _found in iter_modules(__path__, f"{__name__}."):
    import_module(_found.name)
for _kind in LAYERS.values():
    for _name in _kind.card.calls if hasattr(_kind, "card") else ():
        if _name not in RULES:
            RULES[_name] = rule_of(_kind)

__all__ = ["COMPOSITES", "RULES", "SAMPLES", "Proposal"]
