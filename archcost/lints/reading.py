"""Who reads what in a graph, looked up once for a rule."""

from __future__ import annotations

from archcost.graph import ModelGraph, Node
from archcost.graph.model_graph import Port
from archcost.work import Copy, Gather

SPATIAL = ("conv", "max_pool", "avg_pool", "adaptive_", "batch_norm2d", "batch_norm3d", "max_unpool", "instance_norm2d")
"""How types begin whose layers take channels on axis 1 and positions behind them."""

PASSING = (
    *("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "hardswish", "hardsigmoid", "mish"),
    *("dropout", "dropout2d", "identity", "contiguous", "local_response_norm", "group_norm", "prelu", "selu"),
    *("add", "mul"),
)
"""Types whose output has its axes where the input has them."""

MOST_STEPS = 20
"""Backwards from a layer, in search of where its axes come from."""


class Reading:
    """The readers of each name, and what the network hands out."""

    def __init__(self, graph: ModelGraph) -> None:
        self.graph = graph
        self._nodes = {node.name: node for node in graph.nodes}
        self._readers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in dict.fromkeys(port.producer for port in node.reads):
                self._readers.setdefault(name, []).append(node)
        self._returned = {port.producer for port in graph.outputs}
        self._kept = {port.producer for port in graph.state}
        self._kept |= {port.producer for node in graph.nodes for port in node.holds}
        self._kept |= {node.shared.owner for node in graph.nodes if node.shared is not None}

    def node(self, name: str) -> Node | None:
        return self._nodes.get(name)

    def readers(self, name: str) -> list[Node]:
        return self._readers.get(name, [])

    def is_returned(self, name: str) -> bool:
        return name in self._returned

    def is_kept(self, name: str) -> bool:
        """From step to step, or by a variable, or for its weight."""
        return name in self._kept

    def costs_alone(self, unread: Node) -> bool:
        """Whether a layer that no other reads, or one before it that nobody else reads, has weights or operations.

        What a module keeps or caches is no dead branch.
        """
        ways = [unread]
        for node in ways:
            if self.is_kept(node.name) or node.layer.is_cache:
                return False
            computes = any(not isinstance(part, (Copy, Gather)) for part in node.facts.work)
            if computes or any(not weight.is_buffer for weight in node.own_weights):
                return True
            before = [self._nodes[port.producer] for port in node.reads if port.producer in self._nodes]
            ways += [each for each in before if len(self.readers(each.name)) == 1 and not self.is_returned(each.name)]
        return False

    def is_spatial(self, node: Node) -> bool:
        return node.layer.type.startswith(SPATIAL)

    def spatial_source(self, port: Port) -> str | None:
        """The layer with channels on axis 1 whose axes a tensor has; None where they have been moved, or may have."""
        name = port.producer
        for _ in range(MOST_STEPS):
            node = self._nodes.get(name)
            if node is None:
                return None
            if self.is_spatial(node):
                return node.name
            if node.layer.type not in PASSING or not node.inputs:
                return None
            name = node.inputs[0].producer
        return None
