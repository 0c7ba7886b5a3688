"""A network with what a remedy changes in it."""

from __future__ import annotations

from archcost.planning.changes import Altered
from archcost.planning.images import with_side
from archcost.spec import ModelSpec
from archcost.spec.changes import changed


def altered_spec(spec: ModelSpec, altered: Altered) -> ModelSpec:
    """Raises SpecError where no such network is."""
    if altered.side is not None:
        spec = with_side(spec, altered.side)
    return changed(spec, altered.freeze, altered.train, altered.adapt, altered.weights)
