"""Products of matrices: linear layers where one of them is a weight."""

from __future__ import annotations

from dataclasses import replace

from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.layers.base import normalize_axis


def is_matrix_of_weights(value: Value) -> bool:
    """A constant in the file too: whatever is multiplied by is a weight."""
    return value.rank == 2 and value.tensor.is_floating and value.ref is None and value.held is not None


def turned(value: Value) -> Value:
    """A matrix held by the file, seen with its axes the other way round."""
    tensor = value.tensor._replace(shape=value.shape[::-1])
    return replace(value, tensor=tensor, numbers=None, turned=not value.turned)


def is_bias(value: Value | None, features: int) -> bool:
    """One number a feature, held by the file."""
    if value is None or value.ref is not None or value.held is None or not value.rank:
        return False
    return value.tensor.numel == features == value.shape[-1]


def linear(call: Call, source: Value, weight: Value, bias: Value | None) -> Value:
    """`weight` as torch has it: (out, in)."""
    weights = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    (result,) = call.weighted("linear", source, weights, out_features=weight.shape[0], bias=bias is not None)
    return result


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


def gemm(call: Call) -> Value:
    """α·A·B + β·C, either matrix turned."""
    left, right, third = call[0], call[1], call.get(2)
    alpha, beta = call.real("alpha", 1.0), call.real("beta", 1.0)
    if call.integer("transA", 0):
        left = call.layer("transpose", left, dim0=0, dim1=1)
    if is_matrix_of_weights(right):
        weight = right if call.integer("transB", 0) else turned(right)
        own = third if is_bias(third, weight.shape[0]) and alpha == beta == 1 else None
        result = linear(call, left, weight, own)
        third = None if own is not None else third
    else:
        if call.integer("transB", 0):
            right = call.layer("transpose", right, dim0=0, dim1=1)
        if third is not None:
            return call.layer("addmm", third, left, right, beta=beta, alpha=alpha)
        result = call.layer("matmul", left, right)
    if alpha != 1:
        result = call.layer("scale", result, factor=alpha)
    if third is None:
        return result
    if beta != 1:
        third = call.layer("scale", third, factor=beta)
    return call.layer("add", result, third)


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


def attention(call: Call) -> Result:
    """Queries, keys and values of 4 axes, or of 3 with the heads side by side; none from the past."""
    query, key, value, mask = call[0], call[1], call[2], call.get(3)
    outputs = [name for name in call.node.outputs if name]
    if any(call.get(index) is not None for index in range(4, len(call.inputs))) or len(outputs) > 1:
        raise UnsupportedError("attention with a past")
    if call.real("softcap", 0.0) or (mask is not None and call.integer("is_causal", 0)):
        raise UnsupportedError("attention with a soft cap, or with a mask beside is_causal")
    heads, groups = call.integer("q_num_heads", 0), call.integer("kv_num_heads", 0)
    flat = query.rank == 3
    if flat:
        query, key, value = (
            _by_heads(call, tensor, count) for tensor, count in ((query, heads), (key, groups), (value, groups))
        )
    if not query.rank == key.rank == value.rank == 4:
        raise UnsupportedError("attention of other than 3 or 4 axes")
    scale = call.real("scale", 0.0)
    result = call.layer(
        "scaled_dot_product_attention",
        query,
        key,
        value,
        *(() if mask is None else (mask,)),
        is_causal=call.flag("is_causal"),
        enable_gqa=query.shape[1] != key.shape[1],
        **({"scale": scale} if scale else {}),
    )
    if not flat:
        return result
    together = call.layer("permute", result, dims=[0, 2, 1, 3])
    return call.layer("flatten", together, start_dim=2)


def _by_heads(call: Call, tensor: Value, heads: int) -> Value:
    if not heads:
        raise UnsupportedError("attention without its number of heads")
    apart = call.layer("unflatten", tensor, dim=-1, unflattened_size=[heads, -1])
    return call.layer("permute", apart, dims=[0, 2, 1, 3])


def transpose(call: Call) -> Value:
    """Of a matrix of weights, nothing that is done."""
    value = call[0]
    named = call.sizes("perm", value.rank) or range(value.rank)[::-1]
    order = [normalize_axis(axis, value.rank, "perm") for axis in named]
    if order == list(range(value.rank)):
        return value
    if is_matrix_of_weights(value):
        return turned(value)
    return call.layer("permute", value, dims=order)


RULES: dict[str, Rule] = {
    "MatMul": matmul,
    "Gemm": gemm,
    "Einsum": einsum,
    "Attention": attention,
    "Transpose": transpose,
}
