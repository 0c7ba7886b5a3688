"""A network in another precision: the dtypes of its tensors, and the copies that autocast makes.

Autocast works by operator (torch/csrc/../aten/src/ATen/autocast_mode.h and .cpp, torch 2.13): products of matrices and
convolutions take copies of inputs and weights in 16 bits, some operators take float32 copies, concatenation takes the
widest dtype that arrives, and all others take what they are given. The lists for the CPU are measured; those of CUDA
are read from the header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from archcost.costs.run import Run
from archcost.graph import ModelGraph, Node, Port
from archcost.graph.model_graph import Facts
from archcost.keeping import Device
from archcost.layers.base import Weight
from archcost.layers.copies import WEIGHTS, Cast, Casting, CastLike
from archcost.layers.parameter import Constant, Parameter
from archcost.spec.model import Region
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType, result_dtype

LOWERED = frozenset(f"{kind}{rank}d" for kind in ("conv", "conv_transpose") for rank in (1, 2, 3)) | {
    "linear",
    "prelu",
    "matmul",
    "bmm",
    "addmm",
    "baddbmm",
    "einsum",
    "scaled_dot_product_attention",
}
"""Layers whose inputs and weights autocast copies into 16 bits, on every device."""

_RAISED = frozenset(["cross_entropy", "mse", "(l1)"])
RAISED: Mapping[Device, frozenset[str]] = {
    "cpu": _RAISED
    | {
        "max_pool3d",
        "avg_pool3d",
        "adaptive_avg_pool3d",
        "max_unpool1d",
        "max_unpool2d",
        "max_unpool3d",
        "grid_sample",
    },
    "cuda": _RAISED
    | {"softplus", "softmax", "log_softmax", "layer_norm", "rms_norm", "group_norm", "upsample", "(sum)"}
    | {"exp", "log", "reciprocal", "rsqrt", "pow", "sum", "cumsum", "norm"}
    | {"prod", "logsumexp", "acos", "asin", "cosh", "expm1", "log10", "log1p", "log2", "sinh", "tan"},
}
"""Layers whose inputs autocast copies into float32."""

WIDENED = frozenset(
    ["einsum", "add", "mul", "sub", "div", "maximum", "minimum", "clamp_tensor", "where", "concat", "stack", "(total)"]
)
"""Layers whose result has the widest dtype of what arrives."""


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
    state = tuple([same.get(port, port) for port in graph.state])
    return replace(graph, nodes=_held_by_those_left(graph, nodes), outputs=outputs, state=state)


def _reading(node: Node, same: Mapping[Port, Port]) -> Node:
    def meant(port: Port) -> Port:
        return same.get(port, port)

    inputs, holds = tuple(map(meant, node.inputs)), tuple(map(meant, node.holds))
    given = {name: meant(port) for name, port in node.given.items()} if node.given else node.given
    return node._replace(inputs=inputs, given=given, holds=holds)


def _held_by_those_left(graph: ModelGraph, nodes: list[Node]) -> tuple[Node, ...]:
    """What a cast held that is none is held by the layer before it."""
    left = {node.name: index for index, node in enumerate(nodes)}
    before = -1
    made = [*nodes]
    for node in graph.nodes:
        if node.name in left:
            before = left[node.name]
        elif node.holds and before >= 0:
            made[before] = made[before]._replace(holds=(*made[before].holds, *node.holds))
    return tuple(made)


def _dtype_of(region: Region) -> str | None:
    return None if region.dtype == "off" else region.dtype


class _Retyping:
    def __init__(self, source: ModelGraph, run: Run, device: Device) -> None:
        self.source = source
        self.run = run
        self.autocast = run.autocast
        self.all = run.weight_dtype
        self.device = device
        self.raised = RAISED[device]
        self.inputs = {name: self._declared(tensor) for name, tensor in source.inputs.items()}
        self.types: dict[Port, TensorType] = {Port(name): tensor for name, tensor in self.inputs.items()}
        self.nodes: list[Node] = []
        self.known: dict[tuple[int, Tensors, tuple[tuple[str, str], ...], str | None], Facts] = {}
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
        wanted = self._wanted(node)
        # Arguments are cast from the last to the first: bias, weight, input.
        lent = [weight.name for weight in reversed(node.weights) if weight.name in node.given]
        given = {name: self._cast(node, node.given[name], name, wanted) for name in lent}
        words = [f"input {index + 1}" if index else "input" for index in range(len(node.inputs))]
        ports = tuple([self._cast(node, *arriving, wanted) for arriving in zip(node.inputs, words, strict=True)])
        types = tuple([self.types[port] for port in ports])
        dtypes = tuple([(name, self.types[port].dtype) for name, port in given.items()])
        lowered = self.autocast if self._is_lowered(node) else None
        key = (id(node.facts), types, dtypes, lowered)
        if key not in self.known:
            self.known[key] = self._facts(node, types, dict(dtypes), lowered)
        made = node._replace(inputs=ports, given=given, facts=self.known[key])
        self.nodes.append(made)
        self.types.update({Port(node.name, index): tensor for index, tensor in enumerate(made.output_types)})

    def _is_lowered(self, node: Node) -> bool:
        """An einsum without a sum is a product value by value."""
        if node.layer.type == "einsum":
            return any(part.macs for part in node.facts.work)
        return node.layer.type in LOWERED

    def _wanted(self, node: Node) -> str | None:
        """The dtype in which autocast hands the inputs to the layer; None: as they are."""
        if self.autocast is None:
            return None
        if self._is_lowered(node):
            return self.autocast
        if node.layer.type in self.raised:
            return "float32"
        if node.layer.type in ("concat", "stack"):
            return self._widest([self.types[port] for port in node.inputs])
        return None

    def _widest(self, tensors: list[TensorType]) -> str:
        return max((tensor.dtype for tensor in tensors), key=DTYPE_BYTES.__getitem__)

    def _cast(self, node: Node, port: Port, what: str, wanted: str | None) -> Port:
        """The port to read: the same, or that of a copy in the wanted dtype."""
        tensor = self.types[port]
        if wanted is None or not tensor.is_floating or tensor.dtype in (wanted, "float64"):
            return port
        if port in self.cached:
            return self.cached[port]
        layer = AutocastCopy(dtype=wanted)
        outputs = layer.output_types((tensor,))
        facts = Facts((tensor,), outputs, (), layer.work((tensor,), outputs), None)
        copy = Port(f"{node.name} ({what} as {wanted})")
        self.nodes.append(Node(copy.producer, layer, (port,), facts, True))
        self.types[copy] = outputs[0]
        if port in self.leaves:
            self.cached[port] = copy
        return copy

    def _facts(self, node: Node, types: Tensors, given: Mapping[str, str], lowered: str | None) -> Facts:
        """`given` are the dtypes of weights that are given."""
        # Products and sums of different dtypes are taken in the widest without a copy (TensorIterator).
        floating = [tensor for tensor in types if tensor.is_floating] or [self._declared(node.output_types[0])]
        dtype = result_dtype(tuple(floating)) if node.layer.type in WIDENED else floating[0].dtype
        if self._raises_inside(node):
            dtype = "float32"
        outputs = (
            self._named(node, types)
            if node.layer.names_dtype
            else tuple(
                [
                    TensorType(declared.shape, dtype) if declared.is_floating else declared
                    for declared in node.output_types
                ]
            )
        )
        weights = tuple(
            [
                weight._replace(dtype=given[weight.name])
                if weight.name in given
                else self._weight(weight, node, lowered)
                for weight in node.weights
            ]
        )
        return node.facts._replace(input_types=types, output_types=outputs, weights=weights)

    def _named(self, node: Node, types: Tensors) -> Tensors:
        """Of a layer that says itself in which dtype values come out."""
        outputs = node.layer.output_types(types)
        if isinstance(node.layer, Cast | Constant) and node.layer.dtype == WEIGHTS:
            return tuple([self._declared(tensor) for tensor in outputs])
        return outputs

    def _raises_inside(self, node: Node) -> bool:
        """Torch composes a local response norm of operators, some of which autocast gives float32: the averages of
        padded squares on a CPU, where they are taken over three axes, and the power on a GPU.
        """
        composed = self.autocast is not None and node.layer.type == "local_response_norm"
        return composed and (self.device == "cuda" or node.input_types[0].rank > 3)

    def _weight(self, weight: Weight, node: Node, lowered: str | None) -> Weight:
        kept = TensorType((), weight.dtype or node.input_types[0].dtype)
        if not kept.is_floating:  # a counter
            return weight
        declared = self._declared(kept).dtype
        return weight._replace(dtype=declared, cast=lowered if lowered and declared == "float32" else None)
