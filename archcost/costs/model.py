"""`ModelGraph` → `ModelCost`: weights, operations and receptive fields of every layer, and their sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from archcost.costs.published import check_published
from archcost.costs.receptive_field import Field, receptive_fields
from archcost.files.result import Result
from archcost.graph import ModelGraph, Node
from archcost.graph.given import graph_of
from archcost.passes.gradients import Needs, gradients_needed
from archcost.spec.given import Network
from archcost.work import NO_FLOPS, Contraction, Flops, Work, backward


class TrainingFlops(NamedTuple):
    """FLOPs of a training step: forward, gradients of inputs, gradients of weights."""

    forward: Flops = NO_FLOPS
    backward_input: Flops = NO_FLOPS
    backward_weight: Flops = NO_FLOPS

    @property
    def backward(self) -> Flops:
        return self.backward_input + self.backward_weight

    @property
    def total(self) -> Flops:
        return self.forward + self.backward

    def to_dict(self) -> dict[str, dict[str, int]]:
        return {name: flops.to_dict() for name, flops in self._asdict().items()}


class Amounts(NamedTuple):
    """What a layer costs by itself, wherever it stands. Work is for the whole batch."""

    parameters: int
    biases: int
    trainable_parameters: int
    buffers: int
    macs: int
    integer_macs: int
    """Of `macs` those whose operands are integers."""
    flops: TrainingFlops


@dataclass(frozen=True, slots=True)
class Costed:
    """What a layer and a whole network have in common: their amounts, by name."""

    amounts: Amounts

    @property
    def parameters(self) -> int:
        return self.amounts.parameters

    @property
    def biases(self) -> int:
        return self.amounts.biases

    @property
    def trainable_parameters(self) -> int:
        return self.amounts.trainable_parameters

    @property
    def buffers(self) -> int:
        return self.amounts.buffers

    @property
    def macs(self) -> int:
        return self.amounts.macs

    @property
    def integer_macs(self) -> int:
        return self.amounts.integer_macs

    @property
    def flops(self) -> TrainingFlops:
        return self.amounts.flops


@dataclass(frozen=True, slots=True)
class LayerCost(Costed):
    """What one layer costs. Parameters are its own: a weight shared with another layer counts there."""

    node: Node
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

    @property
    def is_unknown(self) -> bool:
        """Whether nobody knows how many operations it is: its MACs and FLOPs are no numbers, and 0 in sums."""
        return self.node.layer.is_unknown

    @property
    def knows_forward(self) -> bool:
        """Whether its MACs and its FLOPs forward are numbers."""
        return not self.is_unknown or self.node.layer.is_unknown_backward

    @property
    def macs_dtype(self) -> str | None:
        """The dtype of the integers that it multiplies; None where it multiplies floats, or nothing."""
        products = (part.integers for part in self.node.facts.work if isinstance(part, Contraction))
        return next((dtype for dtype in products if dtype), None)

    def to_dict(self) -> dict[str, Any]:
        amounts = amounts_dict(self.amounts)
        if self.integer_macs:
            amounts["macs_dtype"] = self.macs_dtype
        if self.is_unknown:
            nothing = {half: dict.fromkeys(Flops._fields) for half in TrainingFlops._fields}
            forward = {"forward": amounts["flops"]["forward"]} if self.knows_forward else {}
            amounts |= {"macs": self.macs if self.knows_forward else None, "flops": {**nothing, **forward}}
        return {
            "name": self.name,
            "type": self.type,
            "inputs": [str(port) for port in self.node.inputs],
            "output_shapes": [list(shape) for shape in self.output_shapes],
            **amounts,
            **_field_dict(self.field),
        }


def amounts_dict(amounts: Amounts) -> dict[str, Any]:
    """Products of integers are told apart only where there are any."""
    named = amounts._asdict()
    if not amounts.integer_macs:
        del named["integer_macs"]
    return {**named, "flops": amounts.flops.to_dict()}


def _field_dict(field: Field | None) -> dict[str, Any]:
    if field is None:
        return {"receptive_field": None, "jump": None, "effective_padding": None}
    jump = [int(step) if step.denominator == 1 else float(step) for step in field.jump]
    return {"receptive_field": list(field.size), "jump": jump, "effective_padding": list(field.padding)}


@dataclass(frozen=True, repr=False)
class ModelCost(Result, Costed):
    """What a network costs. Sums of its layers, nothing else; `to_dict()` is `archcost summary --format json`."""

    graph: ModelGraph
    layers: tuple[LayerCost, ...]

    @property
    def network(self) -> str:
        return self.graph.name

    @property
    def headline(self) -> str:
        least = "at least " if self.unknown else ""
        return f"{self.network}, batch {self.batch:,}: {self.parameters:,} parameters, {least}{self.macs:,} MACs"

    @property
    def batch(self) -> int:
        return self.graph.batch

    @property
    def unknown(self) -> tuple[str, ...]:
        """Layers whose operations are not known, for whom the totals are lower bounds."""
        return self.graph.unknown

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.summary/1",
            "network": self.network,
            "title": self.graph.spec.title or self.graph.name,
            "batch": self.batch,
            "unknown": list(self.unknown),
            "assumptions": [{"assumed": text, "layers": list(names)} for text, names in self.graph.assumptions.items()],
            "totals": amounts_dict(self.amounts),
            "layers": [layer.to_dict() for layer in self.layers],
        }


def sum_amounts(parts: Iterable[Amounts]) -> Amounts:
    """Parts add up to their parent, column by column."""
    columns = list(zip(*parts, strict=True))
    if not columns:
        return Amounts(0, 0, 0, 0, 0, 0, TrainingFlops())
    *counts, flops = columns
    return Amounts(*map(sum, counts), flops=TrainingFlops(*(_sum_flops(half) for half in zip(*flops, strict=True))))


def _sum_flops(flops: Sequence[Flops]) -> Flops:
    if len(flops) < 2:
        return flops[0] if flops else NO_FLOPS
    contractions = elementwise = 0
    for each in flops:
        contractions += each[0]
        elementwise += each[1]
    return Flops(contractions, elementwise)


def cost(graph: Network | ModelGraph) -> ModelCost:
    """Cost of every layer in training mode, of a graph; of a spec, or the name or file of one, at batch 1.

    Raises SpecError when a published figure of the spec disagrees, ArchcostError for what is no network.
    """
    graph = graph_of(graph)
    needs = gradients_needed(graph)
    fields = receptive_fields(graph)
    known: dict[tuple[int, Needs, bool, bool, tuple[str, ...]], Amounts] = {}
    layers: list[LayerCost] = []
    for node in graph.nodes:
        need = needs[node.name]
        # Equal layers on equal inputs cost the same, so each is worked out once.
        key = (id(node.facts), need, node.trainable, node.shared is None, tuple(node.given))
        if key not in known:
            known[key] = _amounts(node, need)
        layers.append(LayerCost(known[key], node, need, fields[node.name]))
    total = sum_amounts(layer.amounts for layer in layers)
    macs = None if graph.unknown else total.macs // graph.batch
    check_published(graph.spec, parameters=total.parameters, macs=macs)
    return ModelCost(total, graph, tuple(layers))


def integer_macs(graph: ModelGraph) -> int:
    """Of a forward pass the products of integers."""
    return sum([_of_integers(node.facts.work) for node in graph.nodes])


def _of_integers(work: Iterable[Work]) -> int:
    return sum([part.macs for part in work if isinstance(part, Contraction) and part.integers])


def _amounts(node: Node, needs: Needs) -> Amounts:
    work = node.facts.work
    flops = TrainingFlops(
        _sum_flops([part.forward for part in work]),
        backward(work, needs.inputs),
        backward(work, needs.weights, needs.inputs),
    )
    macs = sum([part.macs for part in work])
    of_integers = _of_integers(work)
    if not node.weights:
        return Amounts(0, 0, 0, 0, macs, of_integers, flops)
    own = node.own_weights
    parameters = sum([weight.numel for weight in own if not weight.is_buffer])
    biases = sum([weight.numel for weight in own if weight.name.startswith("bias")])
    buffers = sum([weight.numel for weight in own if weight.is_buffer])
    return Amounts(parameters, biases, parameters if node.trainable else 0, buffers, macs, of_integers, flops)
