"""`ModelGraph` → `ModelCost`: weights, operations and receptive fields of every layer, and their sums."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from archcost.costs.gradients import Needs, gradients_needed
from archcost.costs.published import check_published
from archcost.costs.receptive_field import Field, receptive_fields
from archcost.graph import ModelGraph, Node
from archcost.presentable import Presentable
from archcost.work import NO_FLOPS, Flops, Operand


class TrainingFlops(NamedTuple):
    """One step of training: forward, and the two halves of backward."""

    forward: Flops = NO_FLOPS
    backward_input: Flops = NO_FLOPS
    backward_weight: Flops = NO_FLOPS

    @property
    def backward(self) -> Flops:
        return self.backward_input + self.backward_weight

    @property
    def total(self) -> Flops:
        return self.forward + self.backward

    def plus(self, other: TrainingFlops) -> TrainingFlops:
        return TrainingFlops(*map(add, self, other))

    def to_dict(self) -> dict[str, dict[str, int]]:
        return {name: flops.to_dict() for name, flops in self._asdict().items()}


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer costs. Parameters are its own: a weight shared with another layer counts there.

    `biases` of the `parameters` are biases; `macs` and `flops` are for the whole batch.
    """

    node: Node
    parameters: int
    biases: int
    trainable_parameters: int
    buffers: int
    macs: int
    flops: TrainingFlops
    needs: Needs
    field: Field | None

    @property
    def name(self) -> str:
        return self.node.name

    @property
    def type(self) -> str:
        return self.node.layer.type

    @property
    def output_shapes(self) -> tuple[tuple[int, ...], ...]:
        return tuple(tensor.shape for tensor in self.node.output_types)

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "type": self.type,
            "inputs": [str(port) for port in self.node.inputs],
            "output_shapes": [list(shape) for shape in self.output_shapes],
            "parameters": self.parameters,
            "biases": self.biases,
            "trainable_parameters": self.trainable_parameters,
            "buffers": self.buffers,
            "macs": self.macs,
            "flops": self.flops.to_dict(),
            **_field_dict(self.field),
        }


def _field_dict(field: Field | None) -> dict[str, Any]:
    if field is None:
        return {"receptive_field": None, "jump": None, "effective_padding": None}
    jump = [int(step) if step.denominator == 1 else float(step) for step in field.jump]
    return {"receptive_field": list(field.size), "jump": jump, "effective_padding": list(field.padding)}


@dataclass(frozen=True)
class ModelCost(Presentable):
    """What a network costs. Sums of its layers, nothing else; `to_dict()` is `archcost summary --format json`."""

    graph: ModelGraph
    layers: tuple[LayerCost, ...]

    @property
    def network(self) -> str:
        return self.graph.name

    @property
    def batch(self) -> int:
        return self.graph.batch

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def biases(self) -> int:
        return sum(layer.biases for layer in self.layers)

    @property
    def trainable_parameters(self) -> int:
        return sum(layer.trainable_parameters for layer in self.layers)

    @property
    def buffers(self) -> int:
        return sum(layer.buffers for layer in self.layers)

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def flops(self) -> TrainingFlops:
        return sum_flops(layer.flops for layer in self.layers)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Layers whose operations are not known. Every layer of this version has its rule, so there is none yet."""
        return ()

    def to_dict(self) -> dict[str, Any]:
        totals = {
            "parameters": self.parameters,
            "biases": self.biases,
            "trainable_parameters": self.trainable_parameters,
            "buffers": self.buffers,
            "macs": self.macs,
            "flops": self.flops.to_dict(),
        }
        return {
            "schema": "archcost.summary/1",
            "network": self.network,
            "batch": self.batch,
            "unknown": list(self.unknown),
            "totals": totals,
            "layers": [layer.to_dict() for layer in self.layers],
        }


def sum_flops(flops: Iterable[TrainingFlops]) -> TrainingFlops:
    return reduce(TrainingFlops.plus, flops, TrainingFlops())


def cost(graph: ModelGraph) -> ModelCost:
    """Cost of every layer in training mode. Raises SpecError when a published figure of the spec disagrees."""
    needs = gradients_needed(graph)
    fields = receptive_fields(graph)
    layers = tuple(_layer_cost(node, needs[node.name], fields[node.name]) for node in graph.nodes)
    result = ModelCost(graph, layers)
    check_published(graph.spec, parameters=result.parameters, macs=result.macs // graph.batch)
    return result


def _layer_cost(node: Node, needs: Needs, field: Field | None) -> LayerCost:
    weights = [weight for weight in node.own_weights if not weight.is_buffer]
    parameters = sum(weight.numel for weight in weights)
    work = node.layer.work(node.input_types, node.output_types)

    def gradients(operands: Iterable[Operand]) -> Flops:
        return sum((part.gradient(operand) for operand in operands for part in work), NO_FLOPS)

    return LayerCost(
        node=node,
        parameters=parameters,
        biases=sum(weight.numel for weight in weights if weight.name == "bias"),
        trainable_parameters=parameters if node.trainable else 0,
        buffers=sum(weight.numel for weight in node.own_weights if weight.is_buffer),
        macs=sum(part.macs for part in work),
        flops=TrainingFlops(
            forward=sum((part.forward for part in work), NO_FLOPS),
            backward_input=gradients(needs.inputs),
            backward_weight=gradients(needs.weights),
        ),
        needs=needs,
        field=field,
    )
