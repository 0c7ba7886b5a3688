"""Which gradients a training step computes.

The network's inputs need none. A tensor needs one when something trainable lies before it, and gets one when
the loss is reached from it; so nothing before the first trainable layer does any backward work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
    own: dict[int, tuple[str, ...]] = {}
    """By facts the names of all parameters. Equal layers share them."""
    for node in graph.nodes:
        inputs = tuple([index for index, (producer, _) in enumerate(node.inputs) if producer in requires])
        if inputs:
            types, untouched = node.facts.input_types, node.layer.untouched
            inputs = tuple([index for index in inputs if types[index].is_floating and index not in untouched])
        weights: tuple[str, ...] = ()
        if node.given or node.shared:
            weights = _trained_weights(node, trainable, requires)
        elif node.trainable and node.facts.weights:
            if id(node.facts) not in own:
                own[id(node.facts)] = tuple([weight.name for weight in node.weights if not weight.is_buffer])
            weights = own[id(node.facts)]
        if inputs or weights:
            requires.add(node.name)
            needs[node.name] = Needs(inputs, weights)
        else:
            needs[node.name] = NOTHING
    return needs


def _trained_weights(node: Node, trainable: Mapping[str, bool], requires: Collection[str]) -> tuple[str, ...]:
    """The weights of a layer that are trained; a shared one is when its owner is."""
    own = [weight.name for weight in node.own_weights if not weight.is_buffer] if node.trainable else []
    if node.shared and trainable[node.shared.owner]:
        own.append("weight")
    given = [name for name, port in _given_parameters(node).items() if port.producer in requires]
    return (*own, *given)


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
        if node.name not in reached:
            continue
        types, untouched = node.facts.input_types, node.layer.untouched
        reached.update(
            [
                producer
                for index, (producer, _) in enumerate(node.inputs)
                if producer not in reached and types[index].is_floating and index not in untouched
            ]
        )
        if node.given:
            reached.update([port.producer for port in _given_parameters(node).values()])
    return reached
