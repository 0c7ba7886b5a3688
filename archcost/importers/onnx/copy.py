"""Values as they are, in another dtype, or held by the file."""

from __future__ import annotations

from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_model import Held, dtype_of
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.tensors import TensorType


def cast(call: Call) -> Value:
    return call.cast(call[0], dtype_of(call.integer("to")))


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
    "BitwiseNot": lambda call: call.layer("bitwise_not", call[0]),
    "Cast": cast,
    "CastLike": lambda call: call.cast(call[0], call[1].tensor.dtype),
    "Constant": constant,
    "Identity": lambda call: call[0],
    "Not": lambda call: call.layer("logical_not", call[0]),
}
