"""Linear layers: products of which one matrix is a weight."""

from __future__ import annotations

from dataclasses import replace

from archcost.importers.onnx.activation import activated
from archcost.importers.onnx_call import Call, Rule
from archcost.importers.onnx_values import Value


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


def fused_gemm(call: Call) -> Value:
    numbers = [call.real(name, 0.0) for name in ACTIVATION_NUMBERS if name in call.node.attributes]
    return activated(call, gemm(call), call.word("activation"), numbers)


ACTIVATION_NUMBERS = ("activation_alpha", "activation_beta", "activation_gamma")


RULES: dict[str, Rule] = {"Gemm": gemm, "com.microsoft::FusedGemm": fused_gemm}
