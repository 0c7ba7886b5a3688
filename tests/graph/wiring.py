"""Helpers of the graph tests: a network in a few words."""

from __future__ import annotations

import archcost
from archcost import ModelGraph

LINEAR = "{type: linear, out_features: 4}"


def graph(
    layers: str, *, blocks: str = "{}", parameters: str = "{}", inputs: str = "{x: [4]}", batch: int = 1
) -> ModelGraph:
    text = f"name: net\ninputs: {inputs}\nparameters: {parameters}\nblocks: {blocks}\nlayers: {layers}\n"
    return archcost.build(archcost.loads(text), batch=batch)


def names(graph: ModelGraph) -> list[str]:
    return [node.name for node in graph.nodes]


def wires(graph: ModelGraph) -> dict[str, list[str]]:
    """What each layer reads."""
    return {node.name: [str(port) for port in node.inputs] for node in graph.nodes}
