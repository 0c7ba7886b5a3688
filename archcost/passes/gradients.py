"""Which gradients a training step computes.

The network's inputs need none. A tensor needs one when something trainable lies before it, and gets one when
the loss is reached from it; so nothing before the first trainable layer does any backward work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from archcost.graph import ModelGraph, Node, Port
from archcost.work import Operand


class Needs(NamedTuple):
    """The operands of one layer whose gradient is computed."""

    inputs: tuple[int, ...]
    weights: tuple[str, ...]

    @property
    def operands(self) -> tuple[Operand, ...]:
        return (*self.inputs, *self.weights)


NOTHING = Needs((), ())


def gradients_needed(graph: ModelGraph, required: Mapping[str, Needs] | None = None) -> dict[str, Needs]:
    """For every layer by name, what its backward computes; `required` is what autograd prepares for, where known."""
    reached = _reached(graph)
    required = gradients_required(graph) if required is None else required
    return {name: needs if name in reached else NOTHING for name, needs in required.items()}


def gradients_required(graph: ModelGraph) -> dict[str, Needs]:
    """For every layer by name, what autograd prepares for in forward, when it cannot know where the loss will be."""
    trainable = {node.name: node.trainable for node in graph.nodes}
    requires: set[str] = set()
    needs: dict[str, Needs] = {}
    for node in graph.nodes:
        types, untouched = node.facts.input_types, node.layer.untouched
        inputs = tuple(
            [
                i
                for i, port in enumerate(node.inputs)
                if port.producer in requires and types[i].is_floating and i not in untouched
            ]
        )
        weights = _trained_weights(node, trainable) if node.facts.weights else ()
        if node.given:
            weights += tuple([name for name, port in _given_parameters(node).items() if port.producer in requires])
        if inputs or weights:
            requires.add(node.name)
        needs[node.name] = Needs(inputs, weights)
    return needs


def _trained_weights(node: Node, trainable: Mapping[str, bool]) -> tuple[str, ...]:
    """A shared weight is trained when the layer it belongs to is."""
    own = tuple([weight.name for weight in node.own_weights if not weight.is_buffer]) if node.trainable else ()
    return (*own, "weight") if node.shared and trainable[node.shared.owner] else own


def _given_parameters(node: Node) -> Mapping[str, Port]:
    """The weights that are given and get a gradient, where one is needed: buffers get none."""
    parameters = [weight.name for weight in node.weights if not weight.is_buffer and weight.name in node.given]
    return {name: node.given[name] for name in parameters}


def _reached(graph: ModelGraph) -> set[str]:
    """Layers from which floating tensors lead to an output of the network, and so to the loss, if there is one."""
    if graph.spec.loss == "none":
        return set()
    returned = zip(graph.outputs, graph.returned, strict=True)
    reached = {port.producer for port, tensor in returned if tensor.is_floating}
    for node in reversed(graph.nodes):
        if node.name in reached:
            for index, (port, tensor) in enumerate(zip(node.inputs, node.input_types, strict=True)):
                if tensor.is_floating and index not in node.layer.untouched:
                    reached.add(port.producer)
            if node.given:
                reached.update(port.producer for port in _given_parameters(node).values())
    return reached
