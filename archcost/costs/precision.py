"""The graph of a run in its precision: the dtype of every tensor, and autocast's copies as layers of their own.

Autocast works operator by operator: what it does to which is declared by each layer (archcost/layers/dtypes.py), as is
the dtype of what comes out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal

from archcost.costs.run import Run
from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, Node, Port
from archcost.graph.model_graph import Facts
from archcost.layers.base import Weight
from archcost.layers.dtypes import Treatment
from archcost.layers.opaque.operation import Observed
from archcost.layers.parameter import Constant, Parameter
from archcost.layers.reduction.reduce import Mean, Sum
from archcost.layers.scan import Cumsum
from archcost.layers.shape.copy import WEIGHTS, Cast, Casting, CastLike
from archcost.spec.model import Region
from archcost.tensors import Tensors, TensorType, result_dtype
from archcost.terms.autograd import FORWARD, Device

NARROWED = ("float32", "bfloat16", "float16")
RAISED: Mapping[str, str] = {"bfloat16": "float32", "float16": "float32"}
AS_THEY_ARE: Mapping[str, str] = {}


class AutocastCopy(Casting):
    """A copy that autocast makes for one layer (torch's `_to_copy`)."""

    type: Literal["(cast)"] = "(cast)"


def with_precision(graph: ModelGraph, run: Run, device: Device) -> ModelGraph:
    """The same network in the dtypes of the run, with a layer for every copy of a tensor that autocast makes."""
    if run.weight_dtype is None and run.autocast is None and not graph.regions:
        return without_idle_casts(graph)
    return without_idle_casts(_Retyping(graph, run, device).graph())


def without_idle_casts(graph: ModelGraph) -> ModelGraph:
    """The same without casts to the dtype that arrives, for which torch hands out the tensor itself."""
    same: dict[Port, Port] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        if same:
            node = _reading(node, same)
        if isinstance(node.layer, Cast | CastLike) and node.input_types[0] == node.output_types[0]:
            same[Port(node.name)] = node.inputs[0]
        else:
            nodes.append(node)
    if not same:
        return graph
    outputs = tuple([same.get(port, port) for port in graph.outputs])
    last = _last_left(graph, {node.name for node in nodes})
    state = {same.get(port, port): last[until] for port, until in graph.state.items()}
    return replace(graph, nodes=_held_by_those_left(graph, nodes, same), outputs=outputs, state=state)


def _reading(node: Node, same: Mapping[Port, Port]) -> Node:
    def meant(port: Port) -> Port:
        return same.get(port, port)

    inputs, holds = tuple(map(meant, node.inputs)), tuple(map(meant, node.holds))
    given = {name: meant(port) for name, port in node.given.items()} if node.given else node.given
    return node._replace(inputs=inputs, given=given, holds=holds)


def _last_left(graph: ModelGraph, left: Collection[str]) -> dict[str, str]:
    """By layer itself where it is left, else the one left before it."""
    last: dict[str, str] = {}
    before = ""
    for node in graph.nodes:
        before = node.name if node.name in left else before
        last[node.name] = before
    return last


def _held_by_those_left(graph: ModelGraph, nodes: list[Node], same: Mapping[Port, Port]) -> tuple[Node, ...]:
    """What a cast holds that does nothing is held by the layer before it."""
    left = {node.name: index for index, node in enumerate(nodes)}
    before = -1
    made = [*nodes]
    for node in graph.nodes:
        if node.name in left:
            before = left[node.name]
        elif node.holds and before >= 0:
            held = tuple([same.get(port, port) for port in node.holds])
            made[before] = made[before]._replace(holds=(*made[before].holds, *held))
    return tuple(made)


def _dtype_of(region: Region) -> str | None:
    return None if region.dtype == "off" else region.dtype


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
        self.known: dict[tuple[int, Tensors, tuple[tuple[str, str], ...], Treatment, str | None], Facts] = {}
        self.leaves = {Port(node.name) for node in source.nodes if isinstance(node.layer, Parameter) and node.trainable}
        self.cached: dict[Port, Port] = {}
        """By trained parameter its copy in 16 bits, which autocast remembers (cached_cast in autocast_mode.cpp)."""

    def graph(self) -> ModelGraph:
        for node in self.source.nodes:
            self._add(node)
        return replace(self.source, inputs=self.inputs, nodes=tuple(self.nodes))

    def _declared(self, tensor: TensorType) -> TensorType:
        return TensorType(tensor.shape, self.all) if self.all and tensor.is_floating else tensor

    def _add(self, node: Node) -> None:
        region = self.source.regions.get(node.name)
        applies = region is not None and region.device in (None, self.device)
        self.autocast = _dtype_of(region) if applies and region else self.run.autocast
        treatment = self._treatment(node)
        wanted = self._wanted(node, treatment)
        # Arguments are cast from the last to the first: bias, weight, input.
        lent = [weight.name for weight in reversed(node.weights) if weight.name in node.given]
        given = {name: self._cast(node, node.given[name], name, wanted) for name in lent}
        precision = node.layer.precision(node.input_types, self.device)
        before = precision.before if treatment == "16 bits" else None
        wanted = self._wanted(node, before or treatment)
        words = [f"input {index + 1}" if index else "input" for index in range(len(node.inputs))]
        read = precision.operands
        cast = [self._cast(node, *arriving, wanted) for arriving in zip(node.inputs[:read], words, strict=False)]
        ports = (*cast, *node.inputs[read:])
        types = tuple([self.types[port] for port in ports])
        dtypes = tuple([(name, self.types[port].dtype) for name, port in given.items()])
        key = (id(node.facts), types, dtypes, treatment, self.autocast)
        if key not in self.known:
            self.known[key] = self._facts(node, types, dict(dtypes), treatment)
        made = node._replace(inputs=ports, given=given, facts=self.known[key])
        self.nodes.append(made)
        self.types.update({Port(node.name, index): tensor for index, tensor in enumerate(made.output_types)})

    def _treatment(self, node: Node) -> Treatment:
        if self.autocast is None:
            return "as given"
        treatment = node.layer.precision(node.input_types, self.device).treatment
        if treatment == "refused":
            what = node.layer.op if isinstance(node.layer, Observed) else node.layer.type
            raise ArchcostError(
                "torch refuses it under autocast, as its values overflow in 16 bits",
                expected="another precision, or a region without autocast",
                found=what,
                hint="binary_cross_entropy_with_logits, of what goes into the sigmoid",
                layer=node.name,
            )
        return treatment

    def _wanted(self, node: Node, treatment: Treatment) -> Mapping[str, str]:
        """By the dtypes that arrive, those in which autocast hands them to the layer; others stay."""
        match treatment:
            case "16 bits":
                return {dtype: self.autocast for dtype in NARROWED if dtype != self.autocast} if self.autocast else {}
            case "float32":
                return RAISED
            case "float32 of bfloat16":
                return {"bfloat16": "float32"}
            case "widest":
                read = [
                    self.types[port].dtype
                    for port in node.inputs[: node.layer.precision(node.input_types, self.device).operands]
                ]
                return RAISED if "float32" in read else AS_THEY_ARE
            case "as given" | "float32 out" | "refused":
                return AS_THEY_ARE

    def _cast(self, node: Node, port: Port, what: str, wanted: Mapping[str, str]) -> Port:
        """The port to read: the same, or that of a copy in the wanted dtype."""
        tensor = self.types[port]
        if tensor.dtype not in wanted:
            return port
        if port in self.cached:
            return self.cached[port]
        dtype = wanted[tensor.dtype]
        layer = AutocastCopy(dtype=dtype)
        outputs = layer.output_types((tensor,))
        facts = Facts((tensor,), outputs, (), layer.work((tensor,), outputs), None)
        copy = Port(f"{node.name} ({what} as {dtype})")
        self.nodes.append(Node(copy.producer, layer, (port,), facts, True))
        self.types[copy] = outputs[0]
        if port in self.leaves:
            self.cached[port] = copy
        return copy

    def _facts(self, node: Node, types: Tensors, given: Mapping[str, str], treatment: Treatment) -> Facts:
        """`given` are the dtypes of weights that are given."""
        lowered = self.autocast if treatment == "16 bits" else None
        weights = tuple(
            [
                weight._replace(dtype=given[weight.name])
                if weight.name in given
                else self._weight(weight, node, lowered)
                for weight in node.weights
            ]
        )
        if node.layer.comes_out == "named":
            outputs = self._named(node, types)
        else:
            outputs = tuple([self._result(node, made, types, weights, treatment) for made in node.output_types])
        return node.facts._replace(input_types=types, output_types=outputs, weights=weights)

    def _named(self, node: Node, types: Tensors) -> Tensors:
        """Of a layer that says itself in which dtype values come out."""
        outputs = node.layer.output_types(types)
        if isinstance(node.layer, Cast | Constant) and node.layer.dtype == WEIGHTS:
            return tuple([self._declared(tensor) for tensor in outputs])
        return outputs

    def _result(
        self, node: Node, declared: TensorType, types: Tensors, weights: tuple[Weight, ...], treatment: Treatment
    ) -> TensorType:
        """An output of the declared shape, in the dtype that it has where these arrive."""
        if not declared.is_floating or any(tensor.is_complex for tensor in (declared, *types)):
            return declared
        named = node.layer.dtype if isinstance(node.layer, Sum | Mean | Cumsum) else None
        if named is not None:
            return TensorType(declared.shape, named)
        precision = node.layer.precision(types, self.device)
        outcome = precision.promotion
        if outcome == "weight":
            return TensorType(declared.shape, weights[0].dtype or declared.dtype)
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

    def _weight(self, weight: Weight, node: Node, lowered: str | None) -> Weight:
        kept = TensorType((), weight.dtype or node.input_types[0].dtype)
        if not kept.is_floating:  # a counter
            return weight
        declared = self._declared(kept).dtype
        return weight._replace(dtype=declared, cast=None if declared in (lowered, "float64") else lowered)
