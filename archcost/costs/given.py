"""A network as a question on its costs is given it: what it costs, or what that is worked out of."""

from __future__ import annotations

from archcost.costs.model import ModelCost, cost
from archcost.graph import ModelGraph, build
from archcost.spec.given import Network

Counted = Network | ModelGraph | ModelCost


def counted(network: Counted, batch: int = 1) -> ModelCost:
    """The cost of a spec, or the name or file of one, at `batch`; a graph and a cost have their own. Raises
    ArchcostError.
    """
    if isinstance(network, ModelCost):
        return network
    return cost(network if isinstance(network, ModelGraph) else build(network, batch))
