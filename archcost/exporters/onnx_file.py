"""`ModelSpec` → an ONNX file with shapes: every layer drawn by its family's table, weights by name and shape alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from archcost.errors import ArchcostError
from archcost.exporters.emit import (
    DTYPES,
    Constant,
    Held,
    Operation,
    Part,
    Rendering,
    rendering_of,
)
from archcost.files.write import write_whole
from archcost.graph import ModelGraph, Node, Port, build
from archcost.layers import ByType
from archcost.spec.model import ModelSpec
from archcost.tensors import TensorType

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto


@cache
def renderings() -> Mapping[str, Rendering]:
    """How each layer type is drawn."""
    for found in iter_modules([str(Path(__file__).parent)]):
        import_module(f"{__package__}.{found.name}")
    return ByType(rendering_of)


OPSET = 23
"""The first with attention and RMS normalisation as operators."""

IR_VERSION = 11
"""Of the release that brought it, onnx 1.18."""

DRAW_COMPLEX = ("complex", "fourier", "shape", "parameter", "indexing", "opaque")
"""Families whose layers move complex numbers, or are operators of our own."""

MANY = 1_000_003
"""A batch whose multiples are no size of a network but by its batch: a prime."""

BATCH = "batch"

PRODUCER = "archcost"

BATCH_AXIS = "archcost.batch_axis"
"""Key of what marks an input whose batch is not its first axis: which one is, or `none`."""

WEIGHT = "archcost.weight"
"""Key of what marks an input of the ONNX graph as a weight: `parameter` or `buffer`."""


def to_onnx(spec: ModelSpec, path: str | Path, batch: int | None = None) -> None:
    """Write the network, for any batch or for `batch` samples. Raises ArchcostError."""
    write_whole(path, onnx_bytes(spec, batch))


def has_written(path: str | Path) -> bool:
    """Whether a file is such a one, and not another's."""
    import onnx
    from google.protobuf.message import DecodeError

    model = onnx.ModelProto()
    try:
        model.ParseFromString(Path(path).read_bytes())
    except (DecodeError, OSError):
        return False
    return model.producer_name == PRODUCER


def onnx_bytes(spec: ModelSpec, batch: int | None = None) -> bytes:
    """What `to_onnx` writes."""
    try:
        import onnx
    except ImportError:
        raise ArchcostError(
            "onnx is not installed", expected="the package that writes ONNX files", hint="pip install archcost[onnx]"
        ) from None
    from archcost import __version__

    graph = _any_batch(spec, batch)
    others = [onnx.helper.make_opsetid(domain, 1) for domain in sorted({node.domain for node in graph.node}) if domain]
    model = onnx.helper.make_model(
        graph,
        producer_name=PRODUCER,
        producer_version=__version__,
        doc_string="\n".join(text for text in (spec.title, spec.citation) if text),
        opset_imports=[onnx.helper.make_opsetid("", OPSET), *others],
        ir_version=IR_VERSION,
    )
    # Ours are the shapes of what layers put out; ONNX's own rules add those of the operators inside them.
    whole = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    return whole.SerializeToString()


def _any_batch(spec: ModelSpec, batch: int | None) -> GraphProto:
    """Drawn so that the operators take any batch, if there is a way; else, where one is given, for that alone."""
    shown = None if batch is None else build(spec, batch)
    try:
        drawn = build(spec, MANY if spec.has_batch else 1)
        return _graph(drawn, shown or drawn)
    except ArchcostError:
        if shown is None:
            raise
        return _graph(shown, shown)


def _graph(drawn: ModelGraph, shown: ModelGraph) -> GraphProto:
    from onnx import helper

    names = {Port(name): name for name in drawn.inputs}
    batch = drawn.batch if drawn.batch == MANY else None
    parts: list[Part] = []
    for node in drawn.nodes:
        given = {weight: names[port] for weight, port in node.given.items()}
        part = Part(node, tuple(names[port] for port in node.inputs), given, batch)
        _draw(part, node, names)
        parts.append(part)
    returned = {port: names[port] for port in drawn.outputs}
    types = {Port(node.name, index): type for node in shown.nodes for index, type in enumerate(node.output_types)}
    types |= {Port(name): type for name, type in shown.inputs.items()}
    weights = {held.name: held for part in parts for held in part.weights}
    return helper.make_graph(
        [_node(operation) for part in parts for operation in part.operations],
        drawn.name,
        [
            *(_input(name, type, shown) for name, type in shown.inputs.items()),
            *map(_weight, weights.values()),
        ],
        [_value(name, types[port], shown.batch) for port, name in returned.items()],
        [_constant(constant) for part in parts for constant in part.constants],
        value_info=[
            _value(name, types[port], shown.batch)
            for port, name in names.items()
            if port.producer not in drawn.inputs and port not in returned
        ],
    )


def _draw(part: Part, node: Node, names: dict[Port, str]) -> None:
    """The layer's operators, the tensors that come out of the last named as the layer's outputs."""
    family = type(node.layer).__module__.removeprefix("archcost.layers.").partition(".")[0]
    if node.input_types and node.input_types[0].is_complex and family not in DRAW_COMPLEX:
        raise ArchcostError(
            "ONNX has no operator that computes with complex numbers",
            expected="layers that move or transform them",
            found=f"{node.layer.type} of {node.input_types[0].dtype}",
            layer=node.name,
        )
    try:
        given = renderings()[node.layer.type](part)
    except ArchcostError as error:
        raise error.at(layer=node.name) from None
    drawn = (given,) if isinstance(given, str) else tuple(given)
    named = {name: str(Port(node.name, index)) for index, name in enumerate(drawn)}
    for index, operation in enumerate(part.operations):
        inputs, outputs = (tuple(named.get(name, name) for name in side) for side in operation[2:4])
        part.operations[index] = operation._replace(inputs=inputs, outputs=outputs)
    names |= {Port(node.name, index): name for index, name in enumerate(named.values())}


def _node(operation: Operation) -> NodeProto:
    from onnx import helper

    node = helper.make_node(
        operation.kind, operation.inputs, operation.outputs, name=operation.name, domain=operation.domain
    )
    node.attribute.extend(helper.make_attribute(key, value) for key, value in operation.attributes.items())
    return node


def _constant(constant: Constant) -> TensorProto:
    from onnx import helper

    name, (shape, dtype), values = constant
    return helper.make_tensor(name, DTYPES[dtype], shape, values)


def _value(name: str, tensor: TensorType, batch: int) -> ValueInfoProto:
    """A tensor by name, type and shape; sizes that a batch not yet known decides are `batch` and multiples of it."""
    from onnx import helper

    return helper.make_tensor_value_info(name, DTYPES[tensor.dtype], [_size(size, batch) for size in tensor.shape])


def _input(name: str, tensor: TensorType, shown: ModelGraph) -> ValueInfoProto:
    """Marked where the batch is not the first axis: a file for one batch has nothing but numbers."""
    value, axis = _value(name, tensor, shown.batch), shown.spec.inputs[name].batch_axis
    if axis != 0:
        entry = value.metadata_props.add()
        entry.key, entry.value = BATCH_AXIS, "none" if axis is None else str(axis)
    return value


def _size(size: int, batch: int) -> int | str:
    if batch != MANY or size % MANY:
        return size
    return BATCH if size == MANY else f"{size // MANY}*{BATCH}"


def _weight(held: Held) -> ValueInfoProto:
    value = _value(held.name, held.tensor, 1)
    entry = value.metadata_props.add()
    entry.key, entry.value = WEIGHT, "buffer" if held.is_buffer else "parameter"
    return value
