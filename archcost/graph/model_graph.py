"""`ModelGraph`: a network with a batch size, so that every tensor has a shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from archcost.files.frames import frame_of
from archcost.files.result import Result
from archcost.graph.checkpoints import ModuleCheckpoint
from archcost.graph.parameter_order import Owned, in_order
from archcost.layers import Layer, Weight
from archcost.spec.model import ModelSpec, Region
from archcost.tensors import Tensors, TensorType
from archcost.terms.windows import Rules
from archcost.work import Work

if TYPE_CHECKING:
    import networkx as nx


class Port(NamedTuple):
    """One output of a layer, by the layer's name and the number of the output. An input of the network has output 0."""

    producer: str
    output: int = 0

    def __str__(self) -> str:
        return self.producer if self.output == 0 else f"{self.producer}:{self.output}"


NO_PORTS: Mapping[str, Port] = {}


@dataclass(frozen=True, slots=True)
class SharedWeight:
    """A weight that belongs to another layer."""

    owner: str
    transposed: bool


@dataclass(slots=True, unsafe_hash=True)
class Declared:
    """A layer on the tensors of the spec: what it does there, worked out when somebody asks."""

    layer: Layer
    inputs: Tensors
    outputs: Tensors
    _work: tuple[Work, ...] | None = field(default=None, init=False, compare=False, repr=False)

    @property
    def work(self) -> tuple[Work, ...]:
        if self._work is None:
            self._work = self.layer.work(self.inputs, self.outputs)
        return self._work

    @property
    def windows(self) -> Rules | None:
        return self.layer.windows(self.inputs, self.outputs)


class Facts(NamedTuple):
    """What a layer's rules give for inputs of these shapes. Equal layers on equal inputs share one object."""

    input_types: Tensors
    output_types: Tensors
    weights: tuple[Weight, ...]
    declared: Declared

    @classmethod
    def of(cls, layer: Layer, inputs: Tensors, outputs: Tensors, weights: tuple[Weight, ...] = ()) -> Facts:
        return cls(inputs, outputs, weights, Declared(layer, inputs, outputs))

    @property
    def work(self) -> tuple[Work, ...]:
        """In the dtypes of the spec, whatever those of the run."""
        return self.declared.work

    @property
    def windows(self) -> Rules | None:
        return self.declared.windows


class Node(NamedTuple):
    """A layer of a ModelGraph, wired and with shapes. `trainable` includes what the blocks around it say."""

    name: str
    layer: Layer
    inputs: tuple[Port, ...]
    facts: Facts
    trainable: bool
    shared: SharedWeight | None = None
    path: tuple[str | int, ...] = ()
    """Where the layer stands in the spec, for messages."""
    given: Mapping[str, Port] = NO_PORTS
    """Weights that are outputs of other layers, by their names in this layer."""
    holds: tuple[Port, ...] = ()
    """Outputs that it does not read, and that stay alive until it is done, as a composite's inputs do."""

    @property
    def reads(self) -> tuple[Port, ...]:
        """Its inputs, then the outputs of other layers that are its weights."""
        return (*self.inputs, *self.given.values()) if self.given else self.inputs

    @property
    def uses(self) -> tuple[Port, ...]:
        """What has to be in memory for it: `reads` without those of which it only asks the shape or dtype."""
        asked = self.layer.asked
        if not asked:
            return self.reads
        return (*(port for index, port in enumerate(self.inputs) if index not in asked), *self.given.values())

    @property
    def input_types(self) -> Tensors:
        return self.facts.input_types

    @property
    def output_types(self) -> Tensors:
        return self.facts.output_types

    @property
    def weights(self) -> tuple[Weight, ...]:
        return self.facts.weights

    @property
    def own_weights(self) -> tuple[Weight, ...]:
        """Its weights without those that belong to another layer or are outputs of one."""
        if self.shared is None and not self.given:
            return self.weights
        others = {*self.given, "weight"} if self.shared else self.given
        return tuple([weight for weight in self.weights if weight.name not in others])


STACKED = "matrices that are kept in one tensor, as those of experts, stay in floats, as bitsandbytes leaves them"


@dataclass(frozen=True, repr=False)
class ModelGraph:
    """Layers in order of execution, each after everything it reads."""

    spec: ModelSpec
    batch: int
    inputs: Mapping[str, TensorType]
    nodes: tuple[Node, ...]
    outputs: tuple[Port, ...]
    """What the network returns. The loss of a training step is made of it."""
    state: Mapping[Port, str] = field(default_factory=dict[Port, str])
    """Outputs that the module keeps until the next step, each with the layer of that step after which it goes."""
    regions: Mapping[str, Region] = field(default_factory=dict[str, Region])
    """The autocast that the module itself sets, by the layers under it."""
    checkpoints: tuple[ModuleCheckpoint, ...] = ()
    """The checkpoints that the module itself sets."""
    parameter_order: tuple[str, ...] = ()
    """The spec's, with the names that weights have here."""
    thawed: tuple[str, ...] = ()
    """Layers with quantised weights that nothing else freezes: there is no training of them."""

    def __repr__(self) -> str:
        return f"<ModelGraph: {self.name}, batch {self.batch:,}, {len(self.nodes):,} layers>"

    def _repr_html_(self) -> str:
        return Result.shown_by(self, "html")

    def to_frame(self) -> Any:
        """The layers as a pandas.DataFrame. Raises ArchcostError where pandas is not installed."""
        return frame_of(*Result.tabled_by(self))

    @property
    def name(self) -> str:
        """That of the spec, with what is altered in it."""
        return self.spec.label

    @cached_property
    def parameters(self) -> tuple[Owned, ...]:
        """All parameters, in the order in which an optimizer goes through them. Raises SpecError."""
        owned = [
            Owned(node.name, weight.name) for node in self.nodes for weight in node.own_weights if not weight.is_buffer
        ]
        return tuple(in_order(owned, self.parameter_order))

    @cached_property
    def assumptions(self) -> Mapping[str, tuple[str, ...]]:
        """Each assumption with the layers that it is about; without any where it is about the whole network."""
        assumed: dict[str, list[str]] = {text: [] for text in self.spec.assumptions}
        for node in self.nodes:
            if node.layer.assumption:
                assumed.setdefault(node.layer.assumption, []).append(node.name)
        if self.spec.weights:
            tables = [node for node in self.nodes if node.layer.type in ("parameter", "grouped_mm")]
            stacked = [node.name for node in tables if any(len(weight.shape) == 3 for weight in node.own_weights)]
            if stacked:
                assumed[STACKED] = stacked
        return {text: tuple(names) for text, names in assumed.items()}

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """Names of layers whose number of operations is not known."""
        return tuple(node.name for node in self.nodes if node.layer.is_unknown)

    @cached_property
    def returned(self) -> tuple[TensorType, ...]:
        """Shapes and dtypes of `outputs`."""
        made = {name: (tensor,) for name, tensor in self.inputs.items()}
        made |= {node.name: node.output_types for node in self.nodes}
        return tuple([made[port.producer][port.output] for port in self.outputs])

    @cached_property
    def nx(self) -> nx.DiGraph[str]:
        """The network as a frozen networkx DiGraph. Vertices are names of inputs (with `tensor`) and of layers (with
        `node`); edges carry `ports`.

        Made when first asked for, since no cost needs it and networkx is slow to import.
        """
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph(name=self.name)
        graph.add_nodes_from((name, {"tensor": tensor}) for name, tensor in self.inputs.items())
        graph.add_nodes_from((node.name, {"node": node}) for node in self.nodes)
        for node in self.nodes:
            for port in node.reads:
                if graph.has_edge(port.producer, node.name):
                    graph.edges[port.producer, node.name]["ports"] += (port,)
                else:
                    graph.add_edge(port.producer, node.name, ports=(port,))
        return nx.freeze(graph)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
