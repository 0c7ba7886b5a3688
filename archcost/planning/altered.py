"""A network with what a remedy changes in it."""

from __future__ import annotations

from archcost.planning.changes import Altered
from archcost.planning.images import with_side
from archcost.spec import ModelSpec
from archcost.spec.changes import changed
from archcost.spec.overrides import set_loss, with_sequence


def altered_spec(spec: ModelSpec, altered: Altered) -> ModelSpec:
    """Raises SpecError where no such network is."""
    if altered.side is not None:
        spec = with_side(spec, altered.side)
    if altered.sequence is not None:
        spec = with_sequence(spec, altered.sequence)
    if altered.loss is not None:
        spec = set_loss(spec, altered.loss)
    return changed(spec, altered.freeze, altered.train, altered.adapt, altered.weights)
