"""Axes folded: sums, extrema, norms and variances, whose arguments are no fields of a layer as they stand."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, cast

import torch
from torch import Tensor

from archcost.importers.torch.proposal import Proposal, RuleFunction, composite, named_dtype, rule_for


@composite("histc")
def histc(x: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many rows go to each expert: counts, of which no cost depends on the values."""
    return torch.empty(bins, dtype=torch.int32, device="meta")


def _dims(x: Tensor, dim: Any) -> Any:
    if dim is None or dim == () or dim == []:
        return list(range(x.dim()))
    return list(cast("Sequence[int]", dim)) if isinstance(dim, (list, tuple)) else dim


def _reduction(type_: str) -> RuleFunction:
    def rule(
        result: Tensor, x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None, **named: Any
    ) -> Proposal | None:
        if result.dtype != x.dtype:
            return None
        if x.dim() == 0:
            return Proposal("clone", (x,)) if type_ in ("mean", "sum") and dtype is None else None
        fields = {"dim": _dims(x, named.get("axis", dim)), "keepdim": keepdim}
        return Proposal(type_, (x,), fields | named_dtype(dtype))

    return rule


for _type in ("mean", "sum", "amax", "amin", "nansum"):
    rule_for(_type)(_reduction(_type))


def _extremum(type_: str, along: str) -> RuleFunction:
    """Over all axes, of two tensors, or along one with the indices."""

    def rule(result: Any, x: Tensor, other: Any = None, keepdim: bool = False, *, dim: Any = None) -> Proposal | None:
        if isinstance(other, Tensor):
            return Proposal(f"{type_}imum", (x, other))
        axis = other if dim is None else dim
        if axis is None:
            return Proposal(along, (x,), {"dim": _dims(x, None)}) if x.dim() else None
        return Proposal(type_, (x,), {"dim": axis, "keepdim": keepdim})

    return rule


rule_for("max")(_extremum("max", "amax"))
rule_for("min")(_extremum("min", "amin"))


def _folding(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor, dim: Any = None, keepdim: bool = False) -> Proposal:
        return Proposal(type_, (x,), {"dim": list(dim) if isinstance(dim, tuple) else dim, "keepdim": keepdim})  # pyright: ignore[reportUnknownArgumentType]

    return rule


for _type in ("any", "all", "prod", "logsumexp"):
    rule_for(_type)(_folding(_type))


@rule_for("count_nonzero")
def count_nonzero(result: Tensor, x: Tensor, dim: Any = None) -> Proposal:
    return Proposal("count_nonzero", (x,), {"dim": list(dim) if isinstance(dim, tuple) else dim})  # pyright: ignore[reportUnknownArgumentType]


def _middle(type_: str) -> RuleFunction:
    """Of all values, or along an axis with the indices."""

    def rule(result: Any, x: Tensor, dim: int | None = None, keepdim: bool = False) -> Proposal:
        if dim is None:
            return Proposal(f"{type_}_all", (x,))
        return Proposal(type_, (x,), {"dim": dim, "keepdim": keepdim})

    return rule


rule_for("median")(_middle("median"))
rule_for("nanmedian")(_middle("nanmedian"))


@rule_for("mode")
def mode(result: Any, x: Tensor, dim: int = -1, keepdim: bool = False) -> Proposal:
    return Proposal("mode", (x,), {"dim": dim, "keepdim": keepdim})


@rule_for("kthvalue")
def kthvalue(result: Any, x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Proposal:
    return Proposal("kthvalue", (x,), {"k": k, "dim": dim, "keepdim": keepdim})


@rule_for("aminmax")
def aminmax(result: Any, x: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Proposal:
    return Proposal("aminmax", (x,), {"dim": dim, "keepdim": keepdim})


@rule_for("multinomial")
def multinomial(result: Tensor, x: Tensor, num_samples: int, replacement: bool = False, **named: Any) -> Proposal:
    return Proposal("multinomial", (x,), {"num_samples": num_samples, "replacement": replacement})


@composite("trace")
def trace(x: Tensor) -> Tensor:
    return x.diagonal().sum()


def _arg(type_: str) -> RuleFunction:
    def rule(result: Tensor, x: Tensor, dim: int | None = None, keepdim: bool = False) -> Proposal | None:
        return None if dim is None else Proposal(type_, (x,), {"dim": dim, "keepdim": keepdim})

    return rule


rule_for("argmax")(_arg("argmax"))
rule_for("argmin")(_arg("argmin"))


def _spread(type_: str) -> RuleFunction:
    def rule(
        result: Tensor,
        x: Tensor,
        dim: Any = None,
        unbiased: bool = True,
        keepdim: bool = False,
        *,
        correction: int | None = None,
    ) -> Proposal | None:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        taken = int(unbiased) if correction is None else correction
        return Proposal(type_, (x,), {"dim": _dims(x, dim), "keepdim": keepdim, "correction": taken})

    return rule


rule_for("var")(_spread("var"))
rule_for("std")(_spread("std"))


@composite("var_mean")
def var_mean(x: Tensor, dim: Any = None, *given: Any, **named: Any) -> tuple[Tensor, Tensor]:
    keepdim = named.get("keepdim", False)
    return torch.var(x, dim, *given, **named), x.mean(dim, keepdim)


@composite("std_mean")
def std_mean(x: Tensor, dim: Any = None, *given: Any, **named: Any) -> tuple[Tensor, Tensor]:
    keepdim = named.get("keepdim", False)
    return torch.std(x, dim, *given, **named), x.mean(dim, keepdim)


@rule_for("linalg_vector_norm", "vector_norm")
def vector_norm(
    result: Tensor, x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None
) -> Proposal | None:
    order = {float("inf"): "inf", -float("inf"): "-inf"}.get(ord, int(ord) if ord == int_or_none(ord) else float(ord))
    return Proposal("norm", (x,), {"dim": _dims(x, dim), "keepdim": keepdim, "ord": order})


def int_or_none(number: float) -> int | None:
    return int(number) if isfinite(number) and number == int(number) else None


@rule_for("norm")
def norm(
    result: Tensor, x: Tensor, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Proposal | None:
    return vector_norm(result, x, 2 if p in ("fro", None) else p, dim, keepdim)
