"""A network as a question on its sizes is given it: a graph, or what one is built from."""

from __future__ import annotations

from pathlib import Path

from archcost.graph.build import build
from archcost.graph.model_graph import ModelGraph
from archcost.spec.given import no_network
from archcost.spec.model import ModelSpec


def graph_of(network: object) -> ModelGraph:
    """A graph as it is; of others that at batch 1. Raises ArchcostError for what is no network."""
    if isinstance(network, ModelGraph):
        return network
    if isinstance(network, ModelSpec | str | Path):
        return build(network)
    raise no_network(network, "a graph, a spec, a name or a path")
