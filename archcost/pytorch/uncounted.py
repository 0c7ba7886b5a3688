"""Layers that others have registered, for whose operators torch's counter has no formula: silence, and no zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archcost.costs import LayerCost
from archcost.layers.own import of_class
from archcost.pytorch.checks import Check


def without_own(check: Check, layers: Sequence[LayerCost]) -> Check:
    """The check of a sum over these layers, with those left out that the counter said nothing of, if that explains it.

    Of such layers alone it is undecided. Whoever registers a formula with torch.utils.flop_counter has them compared.
    """
    if check.agrees is not False:
        return check
    forward = check.quantity == "flops_forward"
    others = [layer for layer in layers if of_class(type(layer.node.layer)) is not None]
    halves = [layer.flops.forward if forward else layer.flops.backward for layer in others]
    left_out = sum([half.contraction for half in halves])
    if not left_out or check.excess != left_out:
        return check
    types = dict.fromkeys([layer.type for layer in others])
    reason = f"without {', '.join(types)}, for which torch's counter has no formula"
    if not check.witness:
        return replace(check, witness=None, agrees=None, reason=reason)
    assert isinstance(check.archcost, int)
    return replace(check, archcost=check.archcost - left_out, agrees=True, reason=reason)
