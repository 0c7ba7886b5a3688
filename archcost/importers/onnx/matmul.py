"""Products of matrices: linear layers where one of them is a weight."""

from __future__ import annotations

from archcost.importers.onnx.activation import activated
from archcost.importers.onnx.linear import ACTIVATION_NUMBERS, is_bias, is_matrix_of_weights, linear, turned
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value


def matmul(call: Call) -> Result:
    """With a matrix of weights behind, a linear layer; a bias that is added to the product alone is its own."""
    left, right = call[0], call[1]
    if not is_matrix_of_weights(right) or left.rank < 2:
        return product(call, left, right)
    return linear(call, left, turned(right), _bias_added(call, right.shape[1]))


def _bias_added(call: Call, features: int) -> Value | None:
    product = call.node.outputs[0]
    reader = call.reader_of(product)
    if reader is None or reader.kind != "Add":
        return None
    others = [name for name in reader.inputs if name != product]
    bias = call.value_of(others[0]) if len(others) == 1 else None
    if not is_bias(bias, features):
        return None
    call.absorb(reader, product)
    return bias


def product(call: Call, left: Value, right: Value) -> Value:
    """A vector is a matrix of one row, or one column."""
    row, column = left.rank == 1, right.rank == 1
    if row:
        left = call.layer("unsqueeze", left, dim=0)
    if column:
        right = call.layer("unsqueeze", right, dim=-1)
    result = call.layer("matmul", left, right)
    if row:
        result = call.layer("squeeze", result, dim=-2)
    return call.layer("squeeze", result, dim=-1) if column else result


def einsum(call: Call) -> Value:
    equation = call.word("equation", "").replace(" ", "")
    if len(call.given) == 1:
        return _rearranged(call, equation)
    if len(call.given) != 2:
        raise UnsupportedError(f"an einsum of {len(call.given)} operands")
    return call.layer("einsum", *call.given, equation=_written_out(call, equation))


def _rearranged(call: Call, equation: str) -> Value:
    before, _, after = equation.partition("->")
    if not before.isalpha() or set(before) != set(after) or len(before) != len(after):
        raise UnsupportedError(f"einsum {equation}")
    return call.layer("permute", call[0], dims=[before.index(letter) for letter in after])


def _written_out(call: Call, equation: str) -> str:
    """The axes of an ellipsis by letters of their own."""
    terms, _, result = equation.partition("->")
    sides = terms.split(",")
    free = iter(sorted(set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") - set(equation)))
    ranks = [call[index].rank - len(side.replace("...", "")) for index, side in enumerate(sides) if "..." in side]
    if not result:
        raise UnsupportedError(f"einsum {equation} without its result")
    letters = "".join(next(free) for _ in range(max(ranks, default=0)))
    spelled = [
        side.replace("...", letters[len(letters) - (call[index].rank - len(side.replace("...", ""))) :])
        for index, side in enumerate(sides)
    ]
    return f"{','.join(spelled)}->{result.replace('...', letters)}"


def fused_matmul(call: Call) -> Value:
    """α·A·B, either matrix turned, and before that its first axis put before its last but one."""
    left, right, alpha = call[0], call[1], call.real("alpha", 1.0)
    flags = {name: call.flag(name) for name in ("transA", "transB", "transBatchA", "transBatchB")}
    left = _turned(call, left, flags["transA"], flags["transBatchA"])
    if is_matrix_of_weights(right) and left.rank > 1:
        result = linear(call, left, right if flags["transB"] else turned(right), None)
    else:
        result = product(call, left, _turned(call, right, flags["transB"], flags["transBatchB"]))
    return result if alpha == 1 else call.layer("scale", result, factor=alpha)


def _turned(call: Call, value: Value, is_turned: bool, is_batch_inside: bool) -> Value:
    if is_batch_inside and value.rank > 2:
        value = call.layer("permute", value, dims=[*range(1, value.rank - 1), 0, value.rank - 1])
    if not is_turned or value.rank < 2:
        return value
    return call.layer("transpose", value, dim0=value.rank - 2, dim1=value.rank - 1)


def fused_matmul_activation(call: Call) -> Value:
    numbers = [call.real(name, 0.0) for name in ACTIVATION_NUMBERS if name in call.node.attributes]
    if call.word("activation") == "Softmax":
        return call.layer("softmax", fused_matmul(call), dim=call.integer("activation_axis", -1))
    return activated(call, fused_matmul(call), call.word("activation"), numbers)


def gemm_fast_gelu(call: Call) -> Value:
    left, right, bias = call[0], call[1], call.get(2)
    if is_matrix_of_weights(right):
        own = bias if is_bias(bias, right.shape[1]) else None
        result = linear(call, left, turned(right), own)
    else:
        own, result = None, product(call, left, right)
    if bias is not None and own is None:
        result = call.layer("add", result, bias)
    return call.layer("gelu", result, approximate="tanh")


RULES: dict[str, Rule] = {
    "MatMul": matmul,
    "Einsum": einsum,
    **dict.fromkeys(("com.microsoft::FusedMatMul", "com.microsoft::TransposeMatMul"), fused_matmul),
    "com.microsoft::FusedMatMulActivation": fused_matmul_activation,
    "com.microsoft::GemmFastGelu": gemm_fast_gelu,
}
