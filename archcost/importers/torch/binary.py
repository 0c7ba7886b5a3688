"""Values of two tensors in pairs, and of a tensor with a number."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import (
    Proposal,
    composite,
    is_number,
    overwriting,
    rule_for,
    rule_of,
)
from archcost.layers import Pow


def _scale(x: Tensor, factor: float, shift: float, inplace: bool) -> Proposal:
    return Proposal("scale", (x,), {"factor": factor, "shift": shift, **overwriting(inplace)})


def _factor(alpha: float) -> dict[str, float]:
    return {} if alpha == 1 else {"alpha": alpha}


@rule_for("add", "radd")
def add(result: Tensor, x: Any, y: Any, *, alpha: float = 1, inplace: bool = False) -> Proposal | None:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return Proposal("add", (x, y), {**_factor(alpha), **overwriting(inplace)})
    tensor, number = (x, y) if isinstance(x, Tensor) else (y, x)
    if not is_number(number):
        return None
    if number == 0 and not inplace and result.dtype == tensor.dtype:  # as Python's sum begins
        return Proposal("clone", (tensor,))
    return _scale(tensor, 1, number * alpha, inplace)


@rule_for("sub", "subtract")
def sub(result: Tensor, x: Any, y: Any, *, alpha: float = 1, inplace: bool = False) -> Proposal | None:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return Proposal("sub", (x, y), {**_factor(alpha), **overwriting(inplace)})
    return _scale(x, 1, -y * alpha, inplace) if is_number(y) else rsub(result, y, x)


@rule_for("rsub")
def rsub(result: Tensor, x: Any, y: Any, alpha: float = 1) -> Proposal | None:
    """y − x."""
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return Proposal("sub", (y, x), _factor(alpha))
    return Proposal("rsub", (x,), {"other": y}) if is_number(y) and alpha == 1 else None


@rule_for("mul", "rmul", "multiply")
def mul(result: Tensor, x: Any, y: Any, inplace: bool = False) -> Proposal | None:
    if isinstance(x, Tensor) and isinstance(y, Tensor):
        return Proposal("mul", (x, y), overwriting(inplace))
    tensor, number = (x, y) if isinstance(x, Tensor) else (y, x)
    if isinstance(number, complex):
        if inplace:
            return None
        return Proposal("complex_scale", (tensor,), {"real": number.real, "imag": number.imag})
    return _scale(tensor, number, 0, inplace) if is_number(number) else None


@rule_for("div", "divide", "true_divide", "truediv")
def div(result: Tensor, x: Any, y: Any, *, rounding_mode: str | None = None, inplace: bool = False) -> Proposal | None:
    if not isinstance(x, Tensor):
        return None
    if isinstance(y, Tensor):
        rounded = {} if rounding_mode is None else {"rounding_mode": rounding_mode}
        return Proposal("div", (x, y), {**rounded, **overwriting(inplace)})
    if rounding_mode is not None:
        return None
    if isinstance(y, complex):
        return mul(result, x, 1 / y, inplace) if y else None
    return _scale(x, 1 / y, 0, inplace) if is_number(y) and y else None


@composite("rtruediv", "rdiv")
def divided_by(x: Tensor, number: float) -> Tensor:
    return x.reciprocal() * number


@composite("addcdiv")
def addcdiv(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    return x + tensor1 / tensor2 if value == 1 else x + tensor1 / tensor2 * value


@composite("addcmul")
def addcmul(x: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    return x + tensor1 * tensor2 if value == 1 else x + tensor1 * tensor2 * value


@rule_for("lerp")
def lerp(result: Tensor, x: Tensor, end: Tensor, weight: Any, inplace: bool = False) -> Proposal:
    if isinstance(weight, Tensor):
        return Proposal("lerp", (x, end, weight), overwriting(inplace))
    return Proposal("lerp", (x, end), {"weight": float(weight), **overwriting(inplace)})


_to_the_number = rule_of(Pow).function


@rule_for("pow", "float_power")
def power(result: Tensor, x: Any, exponent: Any, inplace: bool = False) -> Proposal | None:
    if isinstance(x, Tensor) and isinstance(exponent, Tensor):
        return Proposal("pow_tensor", (x, exponent), overwriting(inplace))
    if isinstance(exponent, Tensor):
        return Proposal("rpow", (exponent,), {"base": x})
    return _to_the_number(result, x, exponent, **overwriting(inplace))


@rule_for("rpow")
def power_of(result: Tensor, exponent: Tensor, x: Any) -> Proposal | None:
    return power(result, x, exponent)


@rule_for("floor_divide", "floordiv")
def floor_divide(result: Tensor, x: Any, y: Any, inplace: bool = False) -> Proposal | None:
    if inplace or not isinstance(x, Tensor):
        return None
    if isinstance(y, Tensor):
        return Proposal("floor_divide", (x, y))
    return Proposal("floor_divide", (x,), {"other": y}) if is_number(y) and y else None


@rule_for("linalg_cross")
def cross(result: Tensor, x: Tensor, y: Tensor, *, dim: int = -1) -> Proposal:
    return Proposal("cross", (x, y), {"dim": dim})
