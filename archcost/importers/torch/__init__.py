"""Which layer a call of torch is: by a rule in a module of this folder, or as the card of a layer says.

A rule for the first of a card's names is the one for all of them.
"""

from importlib import import_module
from pkgutil import iter_modules

from archcost.importers.torch.proposal import COMPOSITES, RULES, SAMPLES, Proposal, rule_of
from archcost.layers import LAYERS

for _found in iter_modules(__path__, f"{__name__}."):
    import_module(_found.name)
for _kind in LAYERS.values():
    if _kind.card.calls:
        _rule = RULES.get(_kind.card.calls[0]) or rule_of(_kind)
        for _name in _kind.card.calls:
            RULES.setdefault(_name, _rule)

__all__ = ["COMPOSITES", "RULES", "SAMPLES", "Proposal"]
