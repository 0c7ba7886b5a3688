"""Functions of each value, of pairs of values, and comparisons."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archcost.importers.torch.proposal import (
    Proposal,
    RuleFunction,
    composite,
    finite,
    is_number,
    overwriting,
    rule_for,
)


def _overwriting(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor, inplace: bool = False) -> Proposal:
        return Proposal(type_, (x,), overwriting(inplace))

    return rule


def _plain(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor) -> Proposal:
        return Proposal(type_, (x,))

    return rule


OVERWRITING = (
    *("relu", "relu6", "silu", "hardswish", "hardsigmoid", "mish", "selu"),
    *("exp", "log", "sqrt", "rsqrt", "reciprocal", "erf", "abs", "sin", "cos", "neg"),
    *("log1p", "expm1", "log2", "log10", "tan", "sinh", "cosh", "asin", "acos", "atan", "erfc"),
    *("sign", "floor", "ceil", "round", "trunc"),
)
PLAIN = (
    *("sigmoid", "tanh", "logsigmoid", "logical_not", "asinh", "atanh", "softsign", "tanhshrink"),
    *("isnan", "isinf", "isfinite"),
)
SYNONYMS = {
    "negative": "neg",
    "absolute": "abs",
    "log_sigmoid": "logsigmoid",
    "swish": "silu",
    "fix": "trunc",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arctanh": "atanh",
}

for _type in OVERWRITING:
    rule_for(_type)(_overwriting(_type))
for _type in PLAIN:
    rule_for(_type)(_plain(_type))
for _name, _type in SYNONYMS.items():
    rule_for(_name)(_overwriting(_type) if _type in OVERWRITING else _plain(_type))


@rule_for("bitwise_not", "invert")
def bitwise_not(result: Tensor, x: Tensor) -> Proposal | None:
    return Proposal("logical_not", (x,)) if x.dtype == torch.bool else None


@rule_for("celu")
def celu(result: Tensor, x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Proposal:
    return Proposal("celu", (x,), {"alpha": float(alpha), **overwriting(inplace)})


@rule_for("hardshrink")
def hardshrink(result: Tensor, x: Tensor, lambd: float = 0.5) -> Proposal:
    return Proposal("hardshrink", (x,), {"lambd": float(lambd)})


@rule_for("softshrink")
def softshrink(result: Tensor, x: Tensor, lambd: float = 0.5) -> Proposal:
    return Proposal("softshrink", (x,), {"lambd": float(lambd)})


@rule_for("logit")
def logit(result: Tensor, x: Tensor, eps: float | None = None) -> Proposal:
    return Proposal("logit", (x,), {"eps": eps})


@rule_for("nan_to_num")
def nan_to_num(result: Tensor, x: Tensor, *replacements: float | None, **named: float | None) -> Proposal:
    """By which numbers, no cost depends on."""
    return Proposal("nan_to_num", (x,))


@rule_for("gelu")
def gelu(result: Tensor, x: Tensor, approximate: str = "none") -> Proposal:
    return Proposal("gelu", (x,), {"approximate": approximate})


@rule_for("leaky_relu")
def leaky_relu(result: Tensor, x: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Proposal:
    return Proposal("leaky_relu", (x,), {"negative_slope": float(negative_slope), **overwriting(inplace)})


@rule_for("elu")
def elu(result: Tensor, x: Tensor, alpha: float = 1.0, inplace: bool = False) -> Proposal:
    return Proposal("elu", (x,), {"alpha": float(alpha), **overwriting(inplace)})


@rule_for("hardtanh")
def hardtanh(result: Tensor, x: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Proposal:
    if (min_val, max_val) == (0, 6):  # all that torch.nn.ReLU6 is
        return Proposal("relu6", (x,), overwriting(inplace))
    return Proposal("hardtanh", (x,), {"min_val": float(min_val), "max_val": float(max_val), **overwriting(inplace)})


@rule_for("softplus")
def softplus(result: Tensor, x: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Proposal:
    return Proposal("softplus", (x,), {"beta": float(beta), "threshold": float(threshold)})


@rule_for("glu")
def glu(result: Tensor, x: Tensor, dim: int = -1) -> Proposal:
    return Proposal("glu", (x,), {"dim": dim})


def _softmax(type_: str) -> None:
    def rule(result: Tensor, x: Tensor, dim: int | None = None, *rest: Any, **named: Any) -> Proposal | None:
        return None if dim is None or result.dtype != x.dtype else Proposal(type_, (x,), {"dim": dim})

    rule_for(type_, f"aten::_{type_}", f"aten::{type_}", f"aten::_safe_{type_}")(rule)


_softmax("softmax")
_softmax("log_softmax")


@rule_for("dropout")
def dropout(
    result: Tensor, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, train: bool | None = None
) -> Proposal | None:
    if not (training if train is None else train):
        return Proposal("identity", (x,))
    return Proposal("dropout", (x,), {"p": float(p), **overwriting(inplace)})


def _dropped(type_: str, *names: str) -> None:
    def rule(result: Tensor, x: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Proposal:
        return (
            Proposal(type_, (x,), {"p": float(p), **overwriting(inplace)}) if training else Proposal("identity", (x,))
        )

    rule_for(type_, *names)(rule)


for _type in ("dropout1d", "dropout2d", "dropout3d", "alpha_dropout"):
    _dropped(_type)


@rule_for("clamp", "clip")
def clamp(result: Tensor, x: Tensor, min: Any = None, max: Any = None, inplace: bool = False) -> Proposal | None:
    given = [(key, bound) for key, bound in (("min", min), ("max", max)) if bound is not None]
    if given and all(isinstance(bound, Tensor) for _, bound in given) and not inplace:
        bounds = "both" if len(given) == 2 else given[0][0]
        return Proposal("clamp_tensor", (x, *(bound for _, bound in given)), {"bounds": bounds})
    if not all(is_number(bound) for _, bound in given):
        return None
    bounds = {key: bound for key, bound in given if abs(bound) != float("inf")}
    if not bounds:
        return Proposal("clone", (x,))
    return Proposal("clamp", (x,), {**bounds, **overwriting(inplace)})


@rule_for("clamp_min", "clip_min")
def clamp_min(result: Tensor, x: Tensor, min: Any, inplace: bool = False) -> Proposal | None:
    return clamp(result, x, min=min, inplace=inplace)


@rule_for("clamp_max")
def clamp_max(result: Tensor, x: Tensor, max: Any, inplace: bool = False) -> Proposal | None:
    return clamp(result, x, max=max, inplace=inplace)


@rule_for("pow", "float_power")
def power(result: Tensor, x: Any, exponent: Any, inplace: bool = False) -> Proposal | None:
    if not isinstance(x, Tensor) or not is_number(exponent):
        return None
    return Proposal("pow", (x,), {"exponent": exponent, **overwriting(inplace)})


@rule_for("square")
def square(result: Tensor, x: Tensor, inplace: bool = False) -> Proposal:
    return Proposal("pow", (x,), {"exponent": 2.0, **overwriting(inplace)})


def _scale(x: Tensor, factor: float, shift: float, inplace: bool) -> Proposal:
    return Proposal("scale", (x,), {"factor": factor, "shift": shift, **overwriting(inplace)})


@rule_for("add", "radd")
def add(result: Tensor, x: Any, y: Any, *, alpha: float = 1, inplace: bool = False) -> Proposal | None:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        factor = {} if alpha == 1 else {"alpha": alpha}
        return Proposal("add", (x, y), {**factor, **overwriting(inplace)})
    tensor, number = (x, y) if isinstance(x, Tensor) else (y, x)
    if not is_number(number):
        return None
    if number == 0 and not inplace and result.dtype == tensor.dtype:  # as Python's sum begins
        return Proposal("clone", (tensor,))
    return _scale(tensor, 1, number * alpha, inplace)


@rule_for("sub", "subtract")
def sub(result: Tensor, x: Any, y: Any, *, alpha: float = 1, inplace: bool = False) -> Proposal | None:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return Proposal("sub", (x, y), overwriting(inplace)) if alpha == 1 else None
    return _scale(x, 1, -y * alpha, inplace) if is_number(y) else rsub(result, y, x)


@rule_for("rsub")
def rsub(result: Tensor, x: Any, y: Any, alpha: float = 1) -> Proposal | None:
    """y − x."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return Proposal("sub", (y, x)) if alpha == 1 else None
    return Proposal("rsub", (x,), {"other": y}) if is_number(y) and alpha == 1 else None


def _rest(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor, other: Any) -> Proposal | None:
        if isinstance(other, Tensor):
            return Proposal(type_, (x, other))
        return Proposal(type_, (x,), {"other": other}) if is_number(other) else None

    return rule


rule_for("remainder", "mod")(_rest("remainder"))
rule_for("fmod")(_rest("fmod"))


@rule_for("rpow")
def power_of(result: Tensor, x: Tensor, base: Any) -> Proposal | None:
    return Proposal("rpow", (x,), {"base": base}) if is_number(base) else None


@rule_for("mul", "rmul", "multiply")
def mul(result: Tensor, x: Any, y: Any, inplace: bool = False) -> Proposal | None:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return Proposal("mul", (x, y), overwriting(inplace))
    tensor, number = (x, y) if isinstance(x, Tensor) else (y, x)
    return _scale(tensor, number, 0, inplace) if is_number(number) else None


@rule_for("div", "divide", "true_divide", "truediv")
def div(result: Tensor, x: Any, y: Any, *, rounding_mode: str | None = None, inplace: bool = False) -> Proposal | None:
    if rounding_mode is not None or not isinstance(x, Tensor):
        return None
    if isinstance(y, Tensor):
        return Proposal("div", (x, y), overwriting(inplace))
    return _scale(x, 1 / y, 0, inplace) if is_number(y) and y else None


@composite("rtruediv", "rdiv")
def divided_by(x: Tensor, number: float) -> Tensor:
    return x.reciprocal() * number


def _pairs(type_: str) -> None:
    def rule(result: Tensor, x: Any, y: Any) -> Proposal | None:
        return Proposal(type_, (x, y)) if isinstance(x, Tensor) and isinstance(y, Tensor) else None

    rule_for(type_)(rule)


for _type in ("maximum", "minimum", "logical_and", "logical_or", "logical_xor"):
    _pairs(_type)


def _truth(type_: str, *names: str) -> None:
    def rule(result: Tensor, x: Any, y: Any) -> Proposal | None:
        both = isinstance(x, Tensor) and isinstance(y, Tensor) and x.dtype == y.dtype == torch.bool
        return Proposal(type_, (x, y)) if both else None

    rule_for(*names)(rule)


_truth("logical_and", "and", "bitwise_and", "rand", "iand")
_truth("logical_or", "or", "bitwise_or", "ror", "ior")


def _comparison(type_: str, *names: str) -> None:
    def rule(result: Tensor, x: Tensor, other: Any) -> Proposal | None:
        if isinstance(other, Tensor):
            return Proposal(type_, (x, other))
        return Proposal(type_, (x,), {"other": finite(other)}) if isinstance(other, (bool, int, float)) else None

    rule_for(type_, *names)(rule)


_comparison("eq")
_comparison("ne", "not_equal")
_comparison("lt", "less")
_comparison("le", "less_equal")
_comparison("gt", "greater")
_comparison("ge", "greater_equal")


@rule_for("where")
def where(result: Tensor, condition: Tensor, x: Any = None, y: Any = None) -> Proposal | None:
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        return None
    return Proposal("where", (condition, x, y))


@rule_for("masked_fill")
def masked_fill(result: Tensor, x: Tensor, mask: Tensor, value: Any, inplace: bool = False) -> Proposal | None:
    if isinstance(value, Tensor):
        return None
    if value in (float("inf"), float("-inf")):
        value = 3e38 if value > 0 else -3e38  # a spec holds no infinity, and no cost depends on the value
    return Proposal("masked_fill", (x, mask), {"value": float(value), **overwriting(inplace)})
