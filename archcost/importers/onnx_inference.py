"""Shapes by onnx's own inference: ours are compared with them, and operators without a layer have no others.

The file as a whole first, which is quick, and without following its sizes through arithmetic, where a range of a large
number would be as large in memory. What that leaves open is inferred operator by operator, with the sizes worked out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from archcost.importers.onnx_model import Model, Node, dtype_of, number_of
from archcost.importers.onnx_sizes import SAMPLES
from archcost.importers.onnx_values import Value
from archcost.tensors import DTYPE_BYTES, STORED, TensorType

if TYPE_CHECKING:
    from numpy import ndarray
    from onnx import NodeProto, TensorProto, TypeProto
    from onnx.defs import OpSchema

    Array = ndarray[Any, Any]

MOST_GIVEN = 1_024
"""Numbers of one input that onnx is told."""

WITH_BODIES = ("If", "Loop", "Scan")


class Inference(NamedTuple):
    """Of outputs whose sizes all are numbers; and what onnx finds wrong with the operator as it stands."""

    tensors: Mapping[str, TensorType]
    complaint: str | None = None


NOTHING = Inference({})

KNOWN = {*DTYPE_BYTES, *STORED}
"""Dtypes of which types are told."""


MOST_FLOATS = 16
"""Scales of a resize and the like are given to onnx, weights by their shapes alone."""


def infer_file(model: Model, inputs: Mapping[str, TensorType], batch: int | None) -> Mapping[str, TensorType]:
    """The tensors of the graph itself whose sizes onnx infers for these inputs; none where it refuses the file."""
    from onnx import ModelProto, TensorProto, shape_inference

    proto = ModelProto(ir_version=IR_VERSION)
    for domain, version in model.opsets.items():
        proto.opset_import.add(domain=domain, version=version)
    graph = proto.graph
    graph.node.extend([_proto_of(node) for node in model.graph.nodes])
    given = {name: as_written(tensor, batch) for name, tensor in inputs.items()}
    for name, tensor in (*given.items(), *((name, held.tensor) for name, held in model.graph.held.items())):
        if tensor.dtype in DTYPE_BYTES:
            graph.input.add(name=name, type=type_of(tensor))
    for name, held in model.graph.held.items():
        most = MOST_FLOATS if held.tensor.is_floating else MOST_GIVEN
        if isinstance(held.source, TensorProto) and held.tensor.numel <= most:
            graph.initializer.append(held.source)
            graph.initializer[-1].name = name
    try:
        found = shape_inference.infer_shapes(proto)
    except (shape_inference.InferenceError, ValueError, RuntimeError, MemoryError):
        return {}
    known = {value.name: _numbers(value.type) for value in found.graph.value_info}
    return {name: tensor for name, tensor in known.items() if tensor is not None}


def infer(node: Node, inputs: Sequence[Value | None], opset: int, batch: int | None) -> Inference:
    """For `batch` samples where that is what the file was written for."""
    from onnx import checker, defs, shape_inference

    schema = schema_of(node.kind, opset)
    if node.kind in WITH_BODIES or schema is None:
        return NOTHING
    if any(value and (value.pieces or value.tensor.dtype not in KNOWN) for value in inputs):
        return NOTHING
    try:
        if not schema.deprecated and not schema.domain:
            checker.check_node(node.proto, _context(opset))
        types, data = _input_protos(node, inputs, batch)
        found = shape_inference.infer_node_outputs(schema, _proto_of(node), types, data, ir_version=IR_VERSION)
    except defs.SchemaError:
        return NOTHING
    except (shape_inference.InferenceError, checker.ValidationError, ValueError) as error:
        first = str(error).strip().partition("\n")[0]
        return Inference({}, f"onnx says {first.removeprefix('[ShapeInferenceError] ')[:200]}")
    known = {name: _numbers(output) for name, output in found.items()}
    return Inference({name: tensor for name, tensor in known.items() if tensor is not None})


def _proto_of(node: Node) -> NodeProto:
    """With the attribute written out whose default onnx's own inference does not know (STFT, onnx 1.23)."""
    from onnx import NodeProto, helper

    if node.kind != "STFT" or "onesided" in node.attributes:
        return node.proto
    whole = NodeProto()
    whole.CopyFrom(node.proto)
    whole.attribute.append(helper.make_attribute("onesided", 1))
    return whole


def schema_of(kind: str, opset: int) -> OpSchema | None:
    """Of ONNX's own operators as of `opset`, of its other domains the newest."""
    from onnx import defs

    domain, _, name = kind.rpartition("::")
    try:
        return defs.get_schema(name, domain) if domain else defs.get_schema(name, opset)
    except defs.SchemaError:
        return None


IR_VERSION = 10


def _context(opset: int) -> Any:
    from onnx import checker

    context = checker.C.CheckerContext()
    context.ir_version = IR_VERSION
    context.opset_imports = {"": opset}
    return context


def _input_protos(
    node: Node, inputs: Sequence[Value | None], batch: int | None
) -> tuple[dict[str, TypeProto], dict[str, TensorProto]]:
    """Types of the inputs, and the values of those that have few."""
    from onnx import numpy_helper

    types: dict[str, TypeProto] = {}
    data: dict[str, TensorProto] = {}
    for name, value in zip(node.inputs, inputs, strict=True):
        if value is None:
            continue
        types[name] = type_of(as_written(value.tensor, batch))
        if value.is_constant and value.numbers is not None and value.numbers.size <= MOST_GIVEN:
            data[name] = numpy_helper.from_array(_numbers_as_written(value.numbers, batch), name)
    return types, data


WIDTH_OF_SAMPLES = 4
"""Bytes of an integer that can hold `SAMPLES`."""


@lru_cache(10_000)
def type_of(tensor: TensorType) -> TypeProto:
    from onnx import helper

    return helper.make_tensor_type_proto(number_of(tensor.dtype), tensor.shape)


def _numbers(output: TypeProto) -> TensorType | None:
    kind = output.tensor_type
    if not kind.elem_type or not kind.HasField("shape"):
        return None
    sizes = [axis.dim_value for axis in kind.shape.dim]
    if min(sizes, default=1) < 1:  # 0 where it is open
        return None
    return TensorType(tuple(sizes), dtype_of(kind.elem_type))


def as_written(tensor: TensorType, batch: int | None) -> TensorType:
    """The type that a tensor has for the batch that the file was written for: sizes are multiples of it, plus some."""
    if batch is None:
        return tensor
    sizes = (size // SAMPLES * batch + size % SAMPLES for size in tensor.shape)
    return TensorType(tuple(sizes), tensor.dtype)


def _numbers_as_written(numbers: Array, batch: int | None) -> Array:
    """The same of sizes and what was worked out of them."""
    if batch is None or numbers.dtype.kind != "i" or numbers.dtype.itemsize < WIDTH_OF_SAMPLES:
        return numbers
    changed = numbers.copy()
    large = changed >= SAMPLES
    changed[large] = changed[large] // SAMPLES * batch + changed[large] % SAMPLES
    return changed
