"""`ModelSpec` and a batch size → `ModelGraph`: shapes worked out from the inputs on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod

from archcost.errors import ShapeError, SpecError, listing, nearest, shorten
from archcost.files.values import Path
from archcost.graph.autocast_regions import regions_of
from archcost.graph.checkpoints import checkpoints_of
from archcost.graph.loss import check_loss
from archcost.graph.mistakes import Mistakes
from archcost.graph.model_graph import Facts, ModelGraph, Node, Port
from archcost.graph.wiring import WiredLayer, Wiring, looked_up
from archcost.layers.fields import MAX_SIZE
from archcost.spec.given import Network, spec_of
from archcost.spec.model import ModelSpec
from archcost.tensors import Tensors, TensorType, format_shape

LARGEST_TENSOR = 2**63
"""Torch counts elements in 64 bits."""


MOST_AXES = 64
"""Torch's limit."""

MOST_TENSORS = 200_000
"""Outputs of all layers together; thousands of layers that each split into thousands of pieces are refused."""


def build(spec: Network, batch: int = 1) -> ModelGraph:
    """The network with the shapes of `batch` samples: a spec, or the name or file of one. Raises SpecError or
    ShapeError at the layer at fault, with every mistake that does not follow from another.
    """
    spec = spec_of(spec)
    return assemble(spec, looked_up(spec).layers, batch)


def assemble(
    spec: ModelSpec, layers: Sequence[WiredLayer], batch: int = 1, outputs: tuple[Port, ...] | None = None
) -> ModelGraph:
    """`build` from layers that are wired already: those of `spec`, some of them with other fields. Raises the same.

    With `outputs` they may also be other layers than the spec's, of which the network returns those.
    """
    _check_batch(spec, batch)
    inputs = {name: given.tensor(batch) for name, given in spec.inputs.items()}
    for name, tensor in inputs.items():
        if tensor.numel >= LARGEST_TENSOR:
            raise _too_large(tensor).at(layer=name, place=spec.source.place(("inputs", name)))
    types: dict[str, Tensors] = {name: (tensor,) for name, tensor in inputs.items()}
    wiring = looked_up(spec) if outputs is None else Wiring(tuple(layers), outputs)
    mistakes = Mistakes(wiring, spec.source.file)
    known: KnownFacts = {}
    nodes: list[Node] = []
    tensors = 0
    for layer in layers:
        if mistakes and mistakes.behind(layer):
            continue
        wired = layer
        try:
            if layer.within is not None:
                wired = layer.sized(lambda port: _output(port, types).shape)
            node = _infer(wired, types, known)
            if node.given:
                _check_given(node, types)
            tensors += len(node.output_types)
            if tensors > MOST_TENSORS:
                raise ShapeError(
                    "too many tensors", expected=f"at most {MOST_TENSORS:,} outputs of layers", found="more"
                )
        except ShapeError as error:
            path = (*wired.path, *_field_at_fault(error, wired))
            mistakes.tell(wired, error.at(layer=wired.name, place=spec.source.place(path)))
            continue
        types[wired.name] = node.output_types
        nodes.append(node)
    if mistakes:
        raise mistakes.together()
    _check_shared(spec, nodes)
    _check_named_outputs(spec, wiring, types)
    names = [node.name for node in nodes]
    graph = ModelGraph(
        spec,
        batch,
        inputs,
        tuple(nodes),
        wiring.outputs,
        wiring.state,
        regions_of(spec, names, wiring.spans),
        checkpoints_of(spec, names, wiring.spans),
        wiring.parameter_order,
        wiring.thawed,
    )
    check_loss(graph)
    if spec.parameter_order:
        try:
            _ = graph.parameters
        except SpecError as error:
            raise error.at(layer=spec.name, place=spec.source.place(("parameter_order",))) from None
    return graph


def _check_batch(spec: ModelSpec, batch: int) -> None:
    if type(batch) is not int or not 1 <= batch <= MAX_SIZE:
        raise SpecError("wrong batch", expected=f"an integer from 1 to {MAX_SIZE:,}", found=shorten(batch))
    if batch > 1 and not spec.has_batch:
        raise SpecError(
            "no input has a batch axis",
            expected="a batch of 1, or an input without batched: false",
            found=f"a batch of {batch:,}",
        ).at(layer=spec.name, place=spec.source.place(("inputs",)))


def _check_named_outputs(spec: ModelSpec, wiring: Wiring, types: dict[str, Tensors]) -> None:
    """Of layers, those that the network returns or keeps, and those that layers hold."""
    held = [(("holds", layer.name), layer.named) for layer in wiring.layers if layer.named]
    for field, ports in ((("outputs",), wiring.outputs), (("state",), (*wiring.state,)), *held):
        for index, port in enumerate(ports):
            try:
                _output(port, types, field[0])
            except ShapeError as error:
                raise error.at(layer=spec.name, place=spec.source.place((*field, index))) from None


def _field_at_fault(error: ShapeError, wired: WiredLayer) -> Path:
    """The first field that a problem names, as in `stride has the wrong length`, or `given.weight`."""
    if error.problem.startswith("given.") and wired.within is None:
        return tuple(error.problem.partition(" ")[0].split(".", 1))
    declared = type(wired.within.part.composite if wired.within else wired.layer)
    words = (word for word in re.findall(r"\w+", error.problem) if word not in ("type", "name"))
    field = next((word for word in words if word in declared.model_fields), None)
    return () if field is None else (field,)


KnownFacts = dict[tuple[int, Tensors], Facts]
"""By a layer of the spec (the same object wherever its block is used again) and what goes into it."""


def _infer(wired: WiredLayer, types: dict[str, Tensors], known: KnownFacts) -> Node:
    """The layer with its shapes. Equal layers on equal inputs are worked out once."""
    input_types = tuple([_output(port, types) for port in wired.inputs])
    key = (id(wired.layer), input_types)
    if key not in known:
        known[key] = _apply_rules(wired, input_types)
    facts, given, holds = known[key], wired.given, wired.holds
    return Node(wired.name, wired.layer, wired.inputs, facts, wired.trainable, wired.shared, wired.path, given, holds)


def _check_given(node: Node, types: dict[str, Tensors]) -> None:
    """A weight that is given is one of the layer's, in the shape and the dtype of the one that it replaces."""
    if node.layer.arity.most == 0:
        raise ShapeError(
            "given would replace all that this layer is",
            expected="a layer that reads something",
            found=node.layer.type,
            hint=f"leave it out, and read {next(iter(node.given.values()))}",
        )
    weights = {weight.name: weight for weight in node.weights}
    for name, port in node.given.items():
        if name not in weights:
            raise ShapeError(
                f"given names {shorten(name)}, which is no weight of this layer",
                expected=listing([*weights]) or "no weight: this layer has none",
                found=shorten(name),
                hint=nearest(name, weights),
            )
        tensor = _output(port, types, f"given.{name}")
        wanted = TensorType(weights[name].shape, weights[name].dtype or node.input_types[0].dtype)
        if tensor.shape != wanted.shape:
            expected = format_shape(wanted.shape)
            raise ShapeError(f"given.{name} has another shape", expected=expected, found=f"{tensor} ({port})")
        if tensor.dtype != wanted.dtype:
            found = f"{tensor.dtype} ({port})"
            raise ShapeError(f"given.{name} has another dtype", expected=wanted.dtype, found=found)


def _apply_rules(wired: WiredLayer, input_types: Tensors) -> Facts:
    layer = wired.layer
    least, most = layer.arity
    if len(input_types) < least or (most is not None and len(input_types) > most):
        raise ShapeError(
            "wrong number of inputs",
            expected=str(layer.arity),
            found=", ".join(map(str, wired.inputs)),
            hint="inputs: [a, b]" if least > 1 else None,
        )
    if not (layer.takes_complex or layer.is_unknown) and any(tensor.is_complex for tensor in input_types):
        raise ShapeError(
            f"no rule counts what {layer.type} does with complex numbers",
            expected="floats, or a layer of type opaque",
            found=_with_producers(None, wired.inputs, input_types),
            hint="view_as_real",
        )
    try:
        output_types = layer.output_types(input_types)
    except ShapeError as error:
        found = _with_producers(error.found, wired.inputs, input_types)
        raise ShapeError(error.problem, expected=error.expected, found=found, hint=error.hint) from None
    weights = layer.weights(input_types)
    for made in (*output_types, *weights):
        shape = made.shape
        if prod(shape) >= LARGEST_TENSOR:
            raise _too_large(TensorType(shape))
        if len(shape) > MOST_AXES:
            raise ShapeError("a tensor has too many axes", expected=f"at most {MOST_AXES}", found=f"{len(shape):,}")
    return Facts.of(layer, input_types, output_types, weights)


def _with_producers(found: str | None, ports: tuple[Port, ...], tensors: Tensors) -> str:
    """What a layer found, with who produced each of its inputs."""
    if not tensors:
        return found or "no input"
    produced = [f"{tensor} ({port})" for port, tensor in zip(ports, tensors, strict=True)]
    named = " and ".join(produced[:4]) + (f" and {len(produced) - 4:,} more" if len(produced) > 4 else "")
    shapes = [str(tensor) for tensor in tensors]
    if found is None or found in (*shapes, " and ".join(shapes)):
        return named
    told = found if len(found) <= 200 else found[:200] + "…"
    first = f"input {shapes[0]}"
    return told.replace(first, named) if told.endswith(first) else f"{told}, from {named}"


def _output(port: Port, types: dict[str, Tensors], field: str = "inputs") -> TensorType:
    outputs = types[port.producer]
    if port.output >= len(outputs):
        raise ShapeError(
            f"{field} {'names' if field.startswith('given') else 'name'} an output that {port.producer} does not have",
            expected=f"{port.producer} or {port.producer}:1 to {port.producer}:{len(outputs) - 1}"
            if len(outputs) > 1
            else f"{port.producer}, which has one output",
            found=str(port),
            hint="return_indices: true, if it is a pool" if port.output == 1 else None,
        )
    return outputs[port.output]


def _too_large(tensor: TensorType) -> ShapeError:
    return ShapeError("a tensor is too large", expected="fewer than 2^63 elements", found=f"{tensor}"[:60])


def _check_shared(spec: ModelSpec, nodes: list[Node]) -> None:
    """A shared weight must belong to a layer that has one, in the shape that is needed."""
    if not any(node.shared for node in nodes):
        return
    by_name = {node.name: node for node in nodes}
    for node in nodes:
        if node.shared is None:
            continue
        owner = by_name.get(node.shared.owner)
        if owner is None or owner.shared or "weight" in owner.given or not (owned := _weight_shape(owner)):
            raise SpecError(
                "shares the weight of a layer that has none of its own",
                expected="a convolution, linear or embedding layer with its own weight",
                found=node.shared.owner,
            ).at(layer=node.name, place=spec.source.place((*node.path, "weight")))
        wanted, turned = _weight_shape(node), (owned[1], owned[0], *owned[2:])
        given, otherwise = (turned, owned) if node.shared.transposed else (owned, turned)
        if given != wanted:
            reference = f"{node.shared.owner}.weight" + ("" if node.shared.transposed else ".T")
            raise ShapeError(
                "the shared weight has another shape",
                expected=format_shape(wanted),
                found=f"{format_shape(given)}, {node.shared.owner}'s" + " transposed" * node.shared.transposed,
                hint=f"weight: {reference}" if otherwise == wanted else None,
            ).at(layer=node.name, place=spec.source.place((*node.path, "weight")))


def _weight_shape(node: Node) -> tuple[int, ...]:
    """Of a layer whose weight can be shared: one that has the field to say so."""
    if not node.weights or "weight" not in type(node.layer).model_fields:
        return ()
    return next(weight.shape for weight in node.weights if weight.name == "weight")
