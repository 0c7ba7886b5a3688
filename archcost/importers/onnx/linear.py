"""Linear layers: products of which one matrix is a weight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from archcost.importers.onnx.activation import activated
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import Shape, UnsupportedError, Value
from archcost.tensors import TensorType


def is_matrix_of_weights(value: Value) -> bool:
    """A constant in the file too: whatever is multiplied by is a weight."""
    return value.rank == 2 and value.tensor.is_floating and value.ref is None and value.held is not None


def kept(value: Value) -> Value:
    """What the file holds as a weight whatever its dtype, where it stands for floats. A single number is none."""
    is_weight = value.ref is None and value.held is not None and value.tensor.numel > 1
    return replace(value, is_weight=True) if is_weight else value


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


def regressor(call: Call) -> Value:
    """By coefficients that the operator holds itself."""
    return post_transformed(call, _by_coefficients(call, call.integer("targets", 1)))


def classifier(call: Call) -> Result:
    """Labels, and how sure it is of each class."""
    named = [call.node.attributes.get(f"classlabels_{kind}") for kind in ("ints", "strings")]
    classes = max(len(cast("list[Any]", each)) if isinstance(each, list) else 0 for each in named)
    rows = len(call.reals("coefficients")) // max(call[0].shape[-1], 1)
    scores = _by_coefficients(call, rows)
    if rows == 1 and classes == 2:  # one is as likely as the other is not
        scores = call.layer("concat", call.layer("rsub", scores), scores, dim=-1)
    return call.layer("argmax", scores, dim=-1), post_transformed(call, scores)


def _by_coefficients(call: Call, rows: int) -> Value:
    source = call[0] if call[0].tensor.is_floating else call.cast(call[0], "float32")
    count, biases = len(call.reals("coefficients")), call.reals("intercepts")
    if rows < 1 or source.rank != 2 or count != rows * source.shape[1] or len(biases) not in (0, rows):
        raise UnsupportedError(f"{count} coefficients of {source.tensor}")
    weight = _own(call, "weight", (rows, source.shape[1]))
    return linear(call, source, weight, _own(call, "bias", (rows,)) if biases else None)


def _own(call: Call, name: str, shape: Shape) -> Value:
    tensor = TensorType(shape)
    path = f"{call.path or call.node.kind.rpartition('::')[2]}.{name}"
    return Value(tensor, held=call.net.hold_another(path, tensor), is_weight=True)


TRANSFORMS = {"SOFTMAX": "softmax", "LOGISTIC": "sigmoid"}


def post_transformed(call: Call, scores: Value) -> Value:
    word = call.word("post_transform", "NONE")
    if word == "NONE":
        return scores
    if word not in TRANSFORMS:
        raise UnsupportedError(f"post_transform {word}")
    return call.layer(TRANSFORMS[word], scores, **({"dim": -1} if word == "SOFTMAX" else {}))


RULES: dict[str, Rule] = {
    "ai.onnx.ml::LinearRegressor": regressor,
    "ai.onnx.ml::LinearClassifier": classifier,
    "Gemm": gemm,
    "com.microsoft::FusedGemm": fused_gemm,
}
