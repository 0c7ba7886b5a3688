"""Products of matrices: linear layers where one of them is a weight."""

from __future__ import annotations

from archcost.importers.onnx.activation import activated
from archcost.importers.onnx.linear import ACTIVATION_NUMBERS, is_bias, is_matrix_of_weights, linear, turned
from archcost.importers.onnx_call import Call, Result, Rule, own_operators
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
    if left.tensor.is_floating:
        result = call.layer("matmul", left, right)
    else:
        result = call.layer("integer_matmul", left, right, dtype=left.tensor.dtype)
    if row:
        result = call.layer("squeeze", result, dim=-2)
    return call.layer("squeeze", result, dim=-1) if column else result


def einsum(call: Call) -> Value:
    """Of several operands from the left on, as onnxruntime and torch multiply them."""
    *terms, result = _written_out(call, call.word("equation", "").replace(" ", ""))
    values = list(call.given)
    if len(terms) != len(values) or not values:
        raise UnsupportedError(f"an einsum of {len(values)} operands")
    value, term = _diagonal(call, values[0], terms[0])
    for index in range(1, len(values)):
        other, other_term = _diagonal(call, values[index], terms[index])
        wanted = set(result).union(*terms[index + 1 :])
        kept = result if index == len(values) - 1 else "".join(sorted(set(term + other_term) & wanted))
        value, term = call.layer("einsum", value, other, equation=f"{term},{other_term}->{kept}"), kept
    return _rearranged(call, value, term, result)


def _diagonal(call: Call, value: Value, term: str) -> tuple[Value, str]:
    """Of axes with one letter, as the last axis."""
    for letter in sorted(set(term)):
        while term.count(letter) > 1:
            first = term.index(letter)
            second = term.index(letter, first + 1)
            value = call.layer("diagonal", value, dim1=first, dim2=second)
            term = "".join(each for axis, each in enumerate(term) if axis not in (first, second)) + letter
    return value, term


def _rearranged(call: Call, value: Value, term: str, result: str) -> Value:
    """What the result does not name is summed, the rest is put in order."""
    gone = [axis for axis, letter in enumerate(term) if letter not in result]
    if gone:
        value = call.layer("sum", value, dim=gone[0] if len(gone) == 1 else gone)
        term = "".join(letter for letter in term if letter in result)
    if set(term) != set(result) or len(term) != len(result):
        raise UnsupportedError(f"an einsum of {term} to {result}")
    order = [term.index(letter) for letter in result]
    return value if order == list(range(len(order))) else call.layer("permute", value, dims=order)


def _written_out(call: Call, equation: str) -> list[str]:
    """The terms and the result, the axes of an ellipsis by letters of their own."""
    before, arrow, result = equation.partition("->")
    sides = before.split(",")
    free = iter(sorted(set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") - set(equation)))
    ranks = [
        call[index].rank - len(side.replace("...", "")) if "..." in side else 0 for index, side in enumerate(sides)
    ]
    letters = "".join(next(free) for _ in range(max(ranks, default=0)))
    spelled = [side.replace("...", letters[len(letters) - rank :]) for side, rank in zip(sides, ranks, strict=True)]
    if not arrow:
        every = "".join(sides).replace("...", "")
        result = "..." + "".join(sorted(letter for letter in set(every) if every.count(letter) == 1))
    whole = [*spelled, result.replace("...", letters)]
    if not all(term.isalpha() or not term for term in whole):
        raise UnsupportedError(f"einsum {equation}")
    return whole


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
    **own_operators("matmul.grouped"),
    "MatMul": matmul,
    "Einsum": einsum,
    **dict.fromkeys(("com.microsoft::FusedMatMul", "com.microsoft::TransposeMatMul"), fused_matmul),
    "com.microsoft::FusedMatMulActivation": fused_matmul_activation,
    "com.microsoft::GemmFastGelu": gemm_fast_gelu,
}
