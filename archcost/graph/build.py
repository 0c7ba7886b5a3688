"""`ModelSpec` and a batch size → `ModelGraph`: shapes worked out from the inputs on."""

from __future__ import annotations

from archcost.errors import ShapeError, SpecError, shorten
from archcost.graph.model_graph import Facts, ModelGraph, Node, Port
from archcost.graph.wire import Wired, wire
from archcost.layers.base import MAX_SIZE
from archcost.spec.model import ModelSpec
from archcost.tensors import Tensors, TensorType

LARGEST_TENSOR = 2**63
"""Torch counts elements in 64 bits."""


def build(spec: ModelSpec, batch: int = 1) -> ModelGraph:
    """The network with the shapes of `batch` samples. Raises SpecError or ShapeError at the layer at fault."""
    if type(batch) is not int or not 1 <= batch <= MAX_SIZE:
        raise SpecError("wrong batch", expected=f"an integer from 1 to {MAX_SIZE:,}", found=shorten(batch))
    inputs = {name: TensorType((batch, *given.shape), given.dtype) for name, given in spec.inputs.items()}
    for name, tensor in inputs.items():
        if tensor.numel >= LARGEST_TENSOR:
            raise _too_large(tensor).at(layer=name, place=spec.source.place(("inputs", name)))
    types: dict[str, Tensors] = {name: (tensor,) for name, tensor in inputs.items()}
    known: Known = {}
    nodes: list[Node] = []
    for wired in wire(spec):
        try:
            node = _infer(wired, types, known)
        except ShapeError as error:
            raise error.at(layer=wired.name, place=spec.source.place(wired.path)) from None
        types[wired.name] = node.output_types
        nodes.append(node)
    _check_shared(spec, nodes)
    return ModelGraph(spec, batch, inputs, tuple(nodes))


Known = dict[tuple[int, Tensors], Facts]
"""By a layer of the spec (the same object wherever its block is used again) and what goes into it."""


def _infer(wired: Wired, types: dict[str, Tensors], known: Known) -> Node:
    """The layer with its shapes. Equal layers on equal inputs are worked out once."""
    layer = wired.layer
    least, most = layer.arity
    if not least <= len(wired.inputs) <= (len(wired.inputs) if most is None else most):
        raise ShapeError(
            "wrong number of inputs",
            expected=str(layer.arity),
            found=", ".join(map(str, wired.inputs)),
            hint="inputs: [a, b]" if least > 1 else None,
        )
    input_types = tuple([_output(port, types) for port in wired.inputs])
    key = (id(layer), input_types)
    if key not in known:
        known[key] = _apply_rules(wired, input_types)
    return Node(wired.name, layer, wired.inputs, known[key], wired.trainable, wired.shared, wired.path)


def _apply_rules(wired: Wired, input_types: Tensors) -> Facts:
    layer = wired.layer
    try:
        output_types = layer.output_types(input_types)
    except ShapeError as error:
        sources = ", ".join(f"{port} {tensor}" for port, tensor in zip(wired.inputs, input_types, strict=True))
        found = f"{error.found} (inputs: {sources})" if error.found else sources
        raise ShapeError(error.problem, expected=error.expected, found=found, hint=error.hint) from None
    weights = layer.weights(input_types)
    for tensor in (*output_types, *(TensorType(weight.shape) for weight in weights)):
        if tensor.numel >= LARGEST_TENSOR:
            raise _too_large(tensor)
    work, windows = layer.work(input_types, output_types), layer.windows(input_types, output_types)
    return Facts(input_types, output_types, weights, work, windows)


def _output(port: Port, types: dict[str, Tensors]) -> TensorType:
    outputs = types[port.producer]
    if port.output >= len(outputs):
        raise ShapeError(
            f"{port.producer} has no output {port.output}",
            expected=f"an output from 0 to {len(outputs) - 1}",
            found=str(port),
            hint="return_indices: true on the pool" if port.output == 1 else None,
        )
    return outputs[port.output]


def _too_large(tensor: TensorType) -> ShapeError:
    return ShapeError("a tensor is too large", expected="fewer than 2^63 elements", found=shorten(str(tensor)))


def _check_shared(spec: ModelSpec, nodes: list[Node]) -> None:
    """A shared weight must belong to a layer that has one, in the shape that is needed."""
    if not any(node.shared for node in nodes):
        return
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        if node.shared is None:
            continue
        owner = by_name.get(node.shared.owner)
        if owner is None or owner.shared or not (owned := _weight_shape(owner)):
            raise SpecError(
                "shares the weight of a layer that has none of its own",
                expected="a convolution or linear layer with its own weight",
                found=node.shared.owner,
            ).at(layer=node.name, place=spec.source.place((*node.path, "weight")))
        wanted = _weight_shape(node)
        given = (owned[1], owned[0], *owned[2:]) if node.shared.transposed else owned
        if given != wanted:
            raise ShapeError(
                "the shared weight has another shape",
                expected="×".join(map(str, wanted)),
                found=f"{'×'.join(map(str, given))} of {node.shared.owner}" + (" transposed" * node.shared.transposed),
                hint=None if node.shared.transposed else f"weight: {node.shared.owner}.weight.T",
            ).at(layer=node.name, place=spec.source.place((*node.path, "weight")))


def _weight_shape(node: Node) -> tuple[int, ...]:
    """Of a layer whose weight can be shared: one that has the field to say so."""
    if not node.weights or "weight" not in type(node.layer).model_fields:
        return ()
    return next(weight.shape for weight in node.weights if weight.name == "weight")
