"""What onnx's own rules say of an operator's shapes: ours are held beside it, and operators without a layer take it.

One operator at a time. Onnx can infer a whole file, and would follow its sizes through arithmetic, but there a range of
a large number is as large in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from archcost.importers.onnx_model import Node, declared_of_type
from archcost.importers.onnx_sizes import SAMPLES
from archcost.importers.onnx_values import Value
from archcost.tensors import TensorType

if TYPE_CHECKING:
    from numpy import ndarray
    from onnx import TypeProto

    Array = ndarray[Any, Any]

MOST_GIVEN = 1_024
"""Numbers of one input that onnx is told."""

WITH_BODIES = ("If", "Loop", "Scan", "Constant")


def infer(node: Node, inputs: Sequence[Value | None], opset: int, batch: int | None) -> Mapping[str, TensorType]:
    """Of outputs whose sizes all are numbers; for `batch` samples where that is what the file was written for."""
    from onnx import checker, defs, numpy_helper, shape_inference

    if node.kind in WITH_BODIES or not defs.has(node.kind) or any(value and value.pieces for value in inputs):
        return {}
    types: dict[str, Any] = {}
    data: dict[str, Any] = {}
    for name, value in zip(node.inputs, inputs, strict=True):
        if value is None:
            continue
        types[name] = type_of(as_written(value.tensor, batch))
        if value.is_constant and value.numbers is not None and value.numbers.size <= MOST_GIVEN:
            data[name] = numpy_helper.from_array(_as_written(value.numbers, batch), name)
    try:
        schema = defs.get_schema(node.kind, opset)
        found = shape_inference.infer_node_outputs(schema, node.proto, types, data, ir_version=10)
    except (shape_inference.InferenceError, defs.SchemaError, checker.ValidationError, ValueError, TypeError):
        return {}  # which does not know this use of it, or finds fault with what our own rules will refuse
    known = {name: _numbers(output) for name, output in found.items()}
    return {name: tensor for name, tensor in known.items() if tensor is not None}


def type_of(tensor: TensorType) -> TypeProto:
    from onnx import TensorProto, helper

    names = {"float32": "FLOAT", "float64": "DOUBLE"}
    number = TensorProto.DataType.Value(names.get(tensor.dtype, tensor.dtype.upper()))
    return helper.make_tensor_type_proto(number, tensor.shape)


def _numbers(output: TypeProto) -> TensorType | None:
    declared = declared_of_type(output)
    if declared is None or declared.sizes is None or not all(isinstance(size, int) for size in declared.sizes):
        return None
    return TensorType(tuple(size for size in declared.sizes if isinstance(size, int)), declared.dtype)


def as_written(tensor: TensorType, batch: int | None) -> TensorType:
    """A tensor of ours as it is for the batch that the file was written for: so many for each sample, and some more."""
    if batch is None:
        return tensor
    sizes = (size // SAMPLES * batch + size % SAMPLES for size in tensor.shape)
    return TensorType(tuple(sizes), tensor.dtype)


def _as_written(numbers: Array, batch: int | None) -> Array:
    """The same of sizes and what was worked out of them."""
    if batch is None or numbers.dtype.kind != "i":
        return numbers
    changed = numbers.copy()
    large = changed >= SAMPLES
    changed[large] = changed[large] // SAMPLES * batch + changed[large] % SAMPLES
    return changed
