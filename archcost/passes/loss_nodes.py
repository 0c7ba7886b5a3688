"""What the layers of a loss are made of: names that no layer of a spec can have, and tensors on their way to it."""

from __future__ import annotations

from typing import Any, NamedTuple

from archcost.graph import Node, Port
from archcost.graph.model_graph import Facts
from archcost.layers import LAYERS, Layer
from archcost.tensors import TensorType

LABELS = "(labels)"
LOSS = "(loss)"
"""Names that no layer of a spec can have."""


class Term(NamedTuple):
    """A tensor on the way to the loss, and who makes it."""

    port: Port
    tensor: TensorType


def result(node: Node, index: int = 0) -> Term:
    return Term(Port(node.name, index), node.output_types[index])


def layer(kind: str, **fields: Any) -> Layer:
    return LAYERS[kind](type=kind, **fields)


def node_of(name: str, layer: Layer, reads: tuple[Term, ...]) -> Node:
    inputs = tuple([term.tensor for term in reads])
    facts = Facts.of(layer, inputs, layer.output_types(inputs), layer.weights(inputs))
    return Node(name, layer, tuple([term.port for term in reads]), facts, True)
