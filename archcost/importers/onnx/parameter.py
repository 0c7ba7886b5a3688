"""Tensors made of no value of the network: constants, sizes, ranges, random numbers."""

from __future__ import annotations

from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_model import Held, dtype_of
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.tensors import TensorType


def shape(call: Call) -> Value:
    import numpy as np

    start, end = call.integer("start", 0), call.integer("end", call[0].rank)
    sizes = np.array(call[0].shape[start:end], np.int64)
    return Value(TensorType(sizes.shape, "int64"), numbers=sizes)


def size(call: Call) -> Value:
    import numpy as np

    return Value(TensorType((), "int64"), numbers=np.array(call[0].tensor.numel, np.int64))


def constant_of_shape(call: Call) -> Value:
    value = call.node.attributes.get("value")
    dtype = value.tensor.dtype if isinstance(value, Held) else "float32"
    return Value(TensorType(tuple(call.integers(0) or ()), dtype))


def range_(call: Call) -> Value:
    start, limit, step = (call[index].numbers for index in range(3))
    if start is None or limit is None or step is None or not step.item():
        raise UnsupportedError("a range whose ends are computed")
    count = max(0, -int((start.item() - limit.item()) // step.item()))
    return Value(TensorType((count,), call[0].tensor.dtype))


def random(call: Call) -> Value:
    """Of a shape that is an attribute, or like the input."""
    sizes = call.sizes("shape")
    number = call.integer("dtype", 0)
    if sizes is None:
        return Value(TensorType(call[0].shape, dtype_of(number) if number else call[0].tensor.dtype))
    return Value(TensorType(tuple(sizes), dtype_of(number) if number else "float32"))


def constant(call: Call) -> Value:
    import numpy as np

    given = {key: value for key, value in call.node.attributes.items() if key.startswith("value")}
    (key, value), *_ = given.items()
    if isinstance(value, Held):
        # A matrix in the graph itself may still be a weight, by the name of what it makes.
        return Value(value.tensor, held=call.node.outputs[0], numbers=value.numbers)
    kinds = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    if key not in kinds:
        raise UnsupportedError(f"a constant by its {key}")
    numbers = np.array(value, kinds[key])
    return Value(TensorType(numbers.shape, numbers.dtype.name), numbers=numbers)


RULES: dict[str, Rule] = {
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Range": range_,
    "Shape": shape,
    "Size": size,
    **dict.fromkeys(("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "EyeLike"), random),
}
