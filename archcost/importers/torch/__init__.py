"""Which layer a call of torch is: tables by the name of the call, filled by the modules of this folder."""

from archcost.importers.torch import (
    gradients,
    packed_sequences,
    placing,
    pointwise,
    reducing,
    shaping,
    weighted,
)
from archcost.importers.torch.proposal import COMPOSITES, RULES, SAMPLES, Proposal

__all__ = [
    "COMPOSITES",
    "RULES",
    "SAMPLES",
    "Proposal",
    "gradients",
    "packed_sequences",
    "placing",
    "pointwise",
    "reducing",
    "shaping",
    "weighted",
]
