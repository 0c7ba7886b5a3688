"""Changed networks: a spec's `freeze`, `train`, `adapt` and `weights`, applied to the flat list of its layers.

That is after blocks are written out and before names are looked up, so any network can be changed: one that is declared
with blocks, one of a torch module, one of an ONNX file.
"""

from __future__ import annotations

from archcost.graph.adaptation.rewritten import Rewritten, Step
from archcost.spec.model import ModelSpec

__all__ = ["changed_steps"]


def changed_steps(spec: ModelSpec, steps: list[Step]) -> Rewritten:
    """The steps as these change them.

    Raises SpecError for a pattern that means nothing, for two adapters on one layer, and for a name that is taken.
    """
    if not spec.changes:
        return Rewritten(steps)
    from archcost.graph.adaptation.rewriting import rewrite  # most networks are as they are declared

    return rewrite(spec, steps)
