"""Products of matrices: linear layers where one of them is a weight."""

from __future__ import annotations

from archcost.importers.onnx.linear import is_bias, is_matrix_of_weights, linear, turned
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


RULES: dict[str, Rule] = {"MatMul": matmul, "Einsum": einsum}
