"""The graph of a run in its precision: the dtype of every tensor, and autocast's copies as layers of their own.

Autocast works operator by operator: what it does to which is declared by each layer (archcost/layers/dtypes.py), as is
the dtype of what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import ClassVar, Literal, NamedTuple

from archcost.errors import ArchcostError, ShapeError
from archcost.graph import ModelGraph, Node, Port
from archcost.graph.model_graph import Facts
from archcost.layers.base import Layer, Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.dtypes import Treatment
from archcost.layers.fields import Dtype
from archcost.layers.rules import Precision
from archcost.layers.shape.copy import WEIGHTS, Cast, Recast
from archcost.layers.shape.reshape import moving
from archcost.passes.contract import Condition, Pass, RunGraph
from archcost.passes.mixed_dtypes import refuse_mixed_product
from archcost.passes.run import Run
from archcost.spec.model import Region
from archcost.tensors import Tensors, TensorType, result_dtype
from archcost.terms.autograd import FORWARD, Device

NARROWED = ("float32", "bfloat16", "float16")
RAISED: Mapping[str, str] = {"bfloat16": "float32", "float16": "float32"}
AS_THEY_ARE: Mapping[str, str] = {}


class AutocastCopy(Recast):
    """A copy that autocast makes for one layer (torch's `_to_copy`)."""

    type: Literal["(cast)"] = "(cast)"
    card: ClassVar[Card] = moving(None, promotion="named")
    dtype: Dtype

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(inputs[0].shape, self.dtype),)


def _in_precision(given: RunGraph) -> RunGraph:
    run, graph = given.run, given.graph
    if run.weight_dtype is None and run.autocast is None and not graph.regions and not _some_cast_themselves(graph):
        return given
    retyping = _Retyping(graph, run, given.device)
    made = retyping.graph()
    return replace(given, graph=made, returned=tuple([retyping.renamed.get(port, port) for port in given.returned]))


def _some_cast_themselves(graph: ModelGraph) -> bool:
    """Whether a layer computes in another dtype than what it reads, without being told to by the run."""
    return any(node.layer.computes_in("float32", None) != "float32" for node in graph.nodes)


def _autocast_of(node: Node, graph: ModelGraph, run: Run, device: Device) -> str | None:
    """The dtype that autocast casts to at that layer: the run's, or that of the module's own region there."""
    region = graph.regions.get(node.name)
    if region is None or region.device not in (None, device):
        return run.autocast
    return None if region.dtype in ("off", "float32") else region.dtype


def _is_parameter(node: Node) -> bool:
    """Whether a layer is a trained weight itself: it reads nothing and has one."""
    return not node.inputs and node.trainable and any(not weight.is_buffer for weight in node.weights)


def _dtype_field(node: Node) -> str | None:
    """The dtype that a layer is told to put out."""
    return getattr(node.layer, "dtype", None)


class _Plan(NamedTuple):
    """What becomes of a layer where tensors of these dtypes arrive. Equal layers on equal tensors share it."""

    weights: tuple[tuple[str, str], ...]
    """Of the weights that are given, those that autocast copies, and into which dtype: the bias first."""
    inputs: tuple[tuple[int, str], ...]
    """The same of the inputs."""
    facts: Facts


class _Retyping:
    def __init__(self, source: ModelGraph, run: Run, device: Device) -> None:
        self.source = source
        self.run = run
        self.autocast = run.autocast
        self.all = run.weight_dtype
        self.device: Device = device
        self.inputs = {name: self._declared(tensor) for name, tensor in source.inputs.items()}
        self.types: dict[Port, TensorType] = {Port(name): tensor for name, tensor in self.inputs.items()}
        self.nodes: list[Node] = []
        self.plans: dict[tuple[int, Tensors, Tensors, str | None], _Plan] = {}
        self.copies: dict[tuple[TensorType, str], Node] = {}
        self.lowered: dict[tuple[int, str], tuple[Layer, Facts]] = {}
        """By facts and autocast's dtype."""
        self.leaves = {Port(node.name) for node in source.nodes if _is_parameter(node)}
        self.cached: dict[Port, Port] = {}
        """By trained parameter its copy in 16 bits, which autocast remembers (cached_cast in autocast_mode.cpp)."""
        self.renamed: dict[Port, Port] = {}
        """By result of a layer that casts it back, the cast one."""

    def graph(self) -> ModelGraph:
        for region, nodes in groupby(self.source.nodes, key=self._listed):
            if region is None:
                for node in nodes:
                    self._add(node)
            else:
                self._add_as_one(tuple(nodes))
        made = replace(self.source, inputs=self.inputs, nodes=tuple(self.nodes))
        if not self.renamed:
            return made
        outputs = tuple([self.renamed.get(port, port) for port in made.outputs])
        return replace(made, outputs=outputs, state={self.renamed.get(at, at): name for at, name in made.state.items()})

    def _listed(self, node: Node) -> Region | None:
        """The call that autocast takes as one, which the layer is in."""
        region = self.source.regions.get(node.name) if self.run.autocast else None
        return region if region and region.dtype == "float32" and region.device in (None, self.device) else None

    def _add_as_one(self, nodes: tuple[Node, ...]) -> None:
        """Layers of one call: copies of its arguments come before them, and stay until it returns."""
        inside = {node.name for node in nodes}
        read = dict.fromkeys(port for node in nodes for port in node.inputs if port.producer not in inside)
        narrow = [port for port in read if self.types[port].dtype in RAISED]
        copies: dict[Port, Port] = {}
        for number in range(len(narrow), 0, -1):  # arguments are cast from the last to the first
            port = narrow[number - 1]
            copies[port] = self._cast(nodes[0], port, f"argument {number}", RAISED[self.types[port].dtype])
        for node in nodes:
            self._add(node._replace(inputs=tuple([copies.get(port, port) for port in node.inputs])))
        last = self.nodes[-1]
        self.nodes[-1] = last._replace(holds=(*last.holds, *copies.values()))

    def _declared(self, tensor: TensorType) -> TensorType:
        return TensorType(tensor.shape, self.all) if self.all and tensor.is_real else tensor

    def _add(self, node: Node) -> None:
        if self.source.regions:
            self.autocast = _autocast_of(node, self.source, self.run, self.device)
        node = self._lowered(self._reading_casts(node))
        if self._casts_itself(node):
            return
        self._place(node)

    def _reading_casts(self, node: Node) -> Node:
        if not self.renamed:
            return node
        inputs, holds = ([self.renamed.get(port, port) for port in ports] for ports in (node.inputs, node.holds))
        given = {name: self.renamed.get(port, port) for name, port in node.given.items()}
        return node._replace(inputs=tuple(inputs), holds=tuple(holds), given=given)

    def _casts_itself(self, node: Node) -> bool:
        """Whether the layer has cast what it reads, and has cast back what came out; what it read stays until then."""
        if not node.layer.casts_itself:
            return False
        arrives = self.types[node.inputs[0]].dtype
        dtype = node.layer.computes_in(arrives, self.autocast)
        if self.autocast is not None and dtype != self.autocast:
            raise ArchcostError(
                "autocast casts once more what the layer has cast for its product",
                expected=f"compute={self.autocast}, or a precision without autocast",
                found=f"compute={dtype}",
                layer=node.name,
            )
        if dtype == arrives:
            return False
        read = self._cast(node, node.inputs[0], "input", dtype)
        before, self.autocast = self.autocast, None
        self._place(node._replace(inputs=(read, *node.inputs[1:])))
        self.autocast = before
        made = Port(node.name)
        self.renamed[made] = self._cast(node, made, "output", arrives)
        self.nodes[-1] = self.nodes[-1]._replace(holds=(read, node.inputs[0]))
        return True

    def _place(self, node: Node) -> None:
        types = tuple([self.types[port] for port in node.inputs])
        given = tuple([self.types[port] for port in node.given.values()]) if node.given else ()
        key = (id(node.facts), types, given, self.autocast)
        if key not in self.plans:
            self.plans[key] = self._plan(node, types, dict(zip(node.given, given, strict=True)))
        plan = self.plans[key]
        made = node._replace(facts=plan.facts)
        if plan.weights:
            copies = {name: self._cast(node, node.given[name], name, dtype) for name, dtype in plan.weights}
            made = made._replace(given={**node.given, **copies})
        if plan.inputs:
            ports = list(node.inputs)
            for index, dtype in plan.inputs:
                ports[index] = self._cast(node, ports[index], f"input {index + 1}" if index else "input", dtype)
            made = made._replace(inputs=tuple(ports))
        self.nodes.append(made)
        for index, tensor in enumerate(plan.facts.output_types):
            self.types[Port(node.name, index)] = tensor

    def _lowered(self, node: Node) -> Node:
        """With the layer as autocast makes it, where that is another: equal ones stay one object."""
        if self.autocast is None:
            return node
        key = (id(node.facts), self.autocast)
        if key not in self.lowered:
            layer = node.layer.lowered(self.autocast)
            is_other = layer is not node.layer
            weights = layer.weights(node.input_types) if is_other else node.weights
            self.lowered[key] = (layer, node.facts._replace(weights=weights) if is_other else node.facts)
        layer, facts = self.lowered[key]
        return node if layer is node.layer else node._replace(layer=layer, facts=facts)

    def _plan(self, node: Node, types: Tensors, given: Mapping[str, TensorType]) -> _Plan:
        """`given` are the types of weights that are given."""
        precision = node.layer.precision(node.input_types, self.device)
        treatment = self._treatment(node, precision)
        read = types[: precision.operands]
        wanted = self._wanted(treatment, read)
        # Arguments are cast from the last to the first: bias, weight, input.
        lent = [weight.name for weight in reversed(node.weights) if weight.name in given]
        weights = tuple([(name, wanted[given[name].dtype]) for name in lent if given[name].dtype in wanted])
        if treatment == "16 bits" and precision.before:
            wanted = self._wanted(precision.before, read)
        inputs = tuple([(index, wanted[each.dtype]) for index, each in enumerate(read) if each.dtype in wanted])
        dtypes = {name: tensor.dtype for name, tensor in given.items()} | dict(weights)
        arriving = list(types)
        for index, dtype in inputs:
            arriving[index] = TensorType(types[index].shape, dtype)
        return _Plan(weights, inputs, self._facts(node, tuple(arriving), dtypes, treatment))

    def _treatment(self, node: Node, precision: Precision) -> Treatment:
        if self.autocast is None:
            return "as given"
        if precision.treatment == "refused":
            raise ArchcostError(
                "torch refuses it under autocast, as its values overflow in 16 bits",
                expected="another precision, or a region without autocast",
                found=getattr(node.layer, "op", node.layer.type),
                hint="binary_cross_entropy_with_logits, of what goes into the sigmoid",
                layer=node.name,
            )
        return precision.treatment

    def _wanted(self, treatment: Treatment, read: Tensors) -> Mapping[str, str]:
        """The dtypes in which autocast passes the inputs to the layer."""
        match treatment:
            case "16 bits":
                return {dtype: self.autocast for dtype in NARROWED if dtype != self.autocast} if self.autocast else {}
            case "float32":
                return RAISED
            case "float32 of bfloat16":
                return {"bfloat16": "float32"}
            case "widest":
                return RAISED if any(tensor.dtype == "float32" for tensor in read) else AS_THEY_ARE
            case "as given" | "float32 out" | "refused":
                return AS_THEY_ARE

    def _cast(self, node: Node, port: Port, what: str, dtype: str) -> Port:
        """The port of a copy in that dtype."""
        if port in self.cached:
            return self.cached[port]
        tensor = self.types[port]
        key = (tensor, dtype)
        if key not in self.copies:
            layer = AutocastCopy(dtype=dtype)
            outputs = layer.output_types((tensor,))
            facts = Facts.of(layer, (tensor,), outputs)
            self.copies[key] = Node("", layer, (), facts, True)
        made = self.copies[key]._replace(name=f"{node.name} ({what} as {dtype})", inputs=(port,))
        copy = Port(made.name)
        self.nodes.append(made)
        self.types[copy] = made.output_types[0]
        if port in self.leaves:
            self.cached[port] = copy
        return copy

    def _facts(self, node: Node, types: Tensors, given: Mapping[str, str], treatment: Treatment) -> Facts:
        """`given` are the dtypes of weights that are given."""
        lowered = self.autocast if treatment == "16 bits" else None
        if "weight" in given and self.all and not self.autocast:
            refuse_mixed_product(node, types, given["weight"])
        weights = tuple(
            [
                weight._replace(dtype=given[weight.name])
                if weight.name in given
                else self._weight(weight, node, lowered, types)
                for weight in node.weights
            ]
        )
        is_complex = any(tensor.is_complex for tensor in (*types, *node.output_types))
        if node.layer.card.promotion == "named" or (is_complex and not node.layer.is_unknown):
            outputs = self._named(node, types)
        else:
            outputs = tuple([self._result(node, made, types, weights, treatment) for made in node.output_types])
        return node.facts._replace(input_types=types, output_types=outputs, weights=weights)

    def _named(self, node: Node, types: Tensors) -> Tensors:
        """As the layer's own rule says of what arrives. Raises ShapeError where it refuses the dtypes of the run."""
        if self.autocast and self.device == "cuda" and isinstance(node.layer, Cast) and node.layer.unless_autocast:
            return types
        try:
            outputs = node.layer.output_types(types)
        except ShapeError as error:
            raise error.at(layer=node.name) from None
        if _dtype_field(node) == WEIGHTS:
            return tuple([self._declared(tensor) for tensor in outputs])
        return outputs

    def _result(
        self, node: Node, declared: TensorType, types: Tensors, weights: tuple[Weight, ...], treatment: Treatment
    ) -> TensorType:
        """An output of the declared shape, in the dtype that it has where these arrive."""
        if not declared.is_floating or any(tensor.is_complex for tensor in (declared, *types)):
            return declared
        precision = node.layer.precision(types, self.device)
        outcome = precision.promotion
        if outcome == "weight":
            return TensorType(declared.shape, weights[0].dtype or declared.dtype)
        if named := _dtype_field(node):
            return TensorType(declared.shape, named)
        types = types[: precision.operands]
        floating = [tensor.dtype for tensor in types if tensor.is_floating]
        if not floating:
            return declared
        if treatment == "16 bits" and self.autocast and floating[0] != "float64":
            return TensorType(declared.shape, self.autocast)
        if node.layer.overwrites(FORWARD):
            return TensorType(declared.shape, types[0].dtype)
        if treatment in ("float32 out", "float32 of bfloat16") and floating[0] != "float64":
            return TensorType(declared.shape, "float32")
        if outcome == "promoted":
            return TensorType(declared.shape, result_dtype(types))
        return TensorType(declared.shape, floating[-1 if outcome == "last" else 0])

    def _weight(self, weight: Weight, node: Node, lowered: str | None, types: Tensors) -> Weight:
        if weight.name == "bias" and node.layer.casts_itself:
            return weight._replace(dtype=types[0].dtype)  # once and for all
        kept = TensorType((), weight.dtype or node.input_types[0].dtype)
        if not kept.is_floating or (weight.is_scale and weight.dtype):  # a counter, or what a quantised weight has
            return weight
        stays_wide = isinstance(node.layer, WeightedLayer) and node.layer.keep_float32 and kept.dtype == "float32"
        if stays_wide and lowered is None and self.all:
            refuse_mixed_product(node, types, kept.dtype)
        declared = kept.dtype if stays_wide else self._declared(kept).dtype
        stays = kept.is_complex or declared in (lowered, "float64")
        return weight._replace(dtype=declared, cast=None if stays else lowered)


def _in_another(given: RunGraph) -> Iterator[str]:
    """Dtypes that no spec has declared."""
    graph = given.graph
    for name, tensor in graph.inputs.items():
        if name in graph.spec.inputs and tensor.dtype != graph.spec.inputs[name].dtype:
            yield f"{name} in {tensor.dtype}"
    known: set[int] = set()
    for node in graph.nodes:
        if id(node.facts) in known:
            continue
        known.add(id(node.facts))
        if isinstance(node.layer, AutocastCopy) or any(weight.cast for weight in node.weights):
            yield f"autocast's copy for {node.name.partition(' (')[0]}"


def _in_no_dtype_of_the_run(given: RunGraph) -> Iterator[str]:
    """The error where a layer needs another dtype than it gets, or than autocast or the run gives it."""
    graph, run = given.graph, given.run
    made = {Port(name): tensor for name, tensor in graph.inputs.items()}
    if run.weight_dtype is not None:
        yield from (
            f"{name} in {tensor.dtype}"
            for name, tensor in graph.inputs.items()
            if tensor.is_real and tensor.dtype != run.weight_dtype
        )
    for node in graph.nodes:
        for port, tensor in zip(node.inputs, node.input_types, strict=True):
            if made[port] != tensor:
                yield f"{node.name} reads {tensor}, and {port} is {made[port]}"
        made.update({Port(node.name, index): tensor for index, tensor in enumerate(node.output_types)})
        autocast = _autocast_of(node, graph, run, given.device)
        if autocast is None or isinstance(node.layer, AutocastCopy):
            continue
        precision = node.layer.precision(node.input_types, given.device)
        wanted = {"16 bits": autocast, "float32": "float32"}.get(precision.before or precision.treatment)
        for tensor in node.input_types[: precision.operands]:
            if wanted is not None and tensor.dtype in NARROWED and tensor.dtype != wanted:
                yield f"{node.name} reads {tensor} under autocast"


IN_DECLARED_DTYPES = Condition("every tensor in the dtype that the spec declares", _in_another)
IN_RUN_DTYPES = Condition("every layer reads what arrives, in the dtype of the run", _in_no_dtype_of_the_run)

PRECISION = Pass(
    "precision", _in_precision, requires=(IN_DECLARED_DTYPES,), ensures=(IN_RUN_DTYPES,), ends=(IN_DECLARED_DTYPES,)
)
