"""Where a network looks from positions at positions: attention as one layer, or composed of products and a softmax."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from archcost.graph import ModelGraph, Node, Port
from archcost.tensors import TensorType

Sees = Literal["before", "masked", "all"]
"""Which positions a position sees: none behind it; those that a mask leaves, by its values; all."""


class Attention(NamedTuple):
    """One attention. `layer` is the one that makes the scores a mean: the whole of it, or its softmax."""

    layer: str
    query: Port
    key: Port
    value: Port
    positions: int
    """Keys that there are."""
    sees: Sees
    window: int | None = None


def attentions(graph: ModelGraph, reached: Mapping[str, int]) -> Iterator[Attention]:
    """All of them, in order. `reached` tells of each input and layer which inputs it depends on; of none it is 0."""
    finder = _Finder(graph, reached)
    for node in graph.nodes:
        if node.layer.type == "scaled_dot_product_attention":
            yield _whole(node)
        elif node.layer.type == "softmax" and reached[node.name]:
            found = finder.composed(node)
            if found is not None:
                yield found


def _whole(node: Node) -> Attention:
    layer, inputs = node.layer, node.inputs
    sees: Sees = "before" if getattr(layer, "is_causal", False) else "all"
    if any(map(_by_pairs, node.input_types[3:])):
        sees = "masked"
    window: int | None = getattr(layer, "window", None)
    query, key, value = inputs[0], inputs[1], inputs[2]
    return Attention(node.name, query, key, value, node.input_types[1].shape[-2], sees, window)


def _by_pairs(mask: TensorType) -> bool:
    """Whether it tells one position from another, which a padding mask does not."""
    return mask.rank >= 2 and mask.shape[-2] > 1


class _Finder:
    """Attention that is composed: the product of queries and keys, what is added to scores, a softmax, the product with
    values (a dropout, a cast or a slice in between).
    """

    def __init__(self, graph: ModelGraph, reached: Mapping[str, int]) -> None:
        self.graph, self.reached = graph, reached
        self.nodes = {node.name: node for node in graph.nodes}
        self.readers: dict[Port, list[Node]] = {}
        if any(node.layer.type == "softmax" for node in graph.nodes):
            for node in graph.nodes:
                for port in node.inputs:
                    self.readers.setdefault(port, []).append(node)

    def composed(self, softmax: Node) -> Attention | None:
        scored = self._scores(softmax)
        meant = self._mean(softmax)
        if scored is None or meant is None:
            return None
        product, sees, window = scored
        query, key = product.inputs[-2:]
        mean, place = meant
        value = mean.inputs[-1] if place == len(mean.inputs) - 2 else mean.inputs[-2]
        return Attention(softmax.name, query, key, value, product.output_types[0].shape[-1], sees, window)

    def _is_product(self, node: Node) -> bool:
        """Of two tensors that both depend on an input."""
        return node.layer.type in PRODUCTS and all(self.reached[port.producer] for port in node.inputs[-2:])

    def _scores(self, softmax: Node) -> tuple[Node, Sees, int | None] | None:
        """The product of queries and keys, and whether something that tells positions apart was laid over it."""
        sees: Sees = "all"
        window: int | None = None
        node = softmax
        for _ in range(MOST_BETWEEN):
            before = [port for port in node.inputs if port.producer in self.nodes and self.reached[port.producer]]
            whole = [port for port in before if 2 * self._numel(port) >= node.output_types[0].numel]
            types = zip(node.inputs, node.input_types, strict=True)
            masks = [port for port, tensor in types if port not in whole[:1] and _by_pairs(tensor)]
            if node is not softmax and masks:
                sees = "masked"
                window = window or self._window(masks[0])
            if not whole:
                return None
            node = self.nodes[whole[0].producer]
            if self._is_product(node):
                return node, sees, window
            if node.weights:
                return None
        return None

    def _window(self, mask: Port) -> int | None:
        """What is said of the tensor that a mask is, or is made of."""
        for _ in range(MOST_BETWEEN):
            node = self.nodes.get(mask.producer)
            window: int | None = None if node is None else getattr(node.layer, "window", None)
            if node is None or window is not None or not node.inputs:
                return window
            mask = node.inputs[0]
        return None

    def _mean(self, softmax: Node) -> tuple[Node, int] | None:
        """The product with the values, and at which place the chances go into it."""
        port = Port(softmax.name)
        for _ in range(MOST_BETWEEN):
            readers = self.readers.get(port, [])
            if not readers:
                return None
            node = next((each for each in readers if self._is_product(each)), readers[0])
            if self._is_product(node):
                return node, node.inputs.index(port)
            if node.weights or 2 * node.output_types[0].numel < self._numel(port):
                return None
            port = Port(node.name)
        return None

    def _numel(self, port: Port) -> int:
        return self.nodes[port.producer].output_types[port.output].numel


PRODUCTS = frozenset(["matmul", "bmm", "einsum", "baddbmm"])

MOST_BETWEEN = 12
"""Layers between a product and the softmax."""
