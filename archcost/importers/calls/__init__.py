"""Which layer a call of torch is: tables by the name of the call, filled by the modules of this folder."""

from archcost.importers.calls import gradients, packing, placing, pointwise, reducing, shaping, weighted
from archcost.importers.calls.drawn import COMPOSITES, LEAVES, SAMPLES, Drawn

__all__ = [
    "COMPOSITES",
    "LEAVES",
    "SAMPLES",
    "Drawn",
    "gradients",
    "packing",
    "placing",
    "pointwise",
    "reducing",
    "shaping",
    "weighted",
]
