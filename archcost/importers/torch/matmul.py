"""Products of tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archcost.importers.torch.proposal import Proposal, RuleFunction, composite, listed, rule_for, rule_of, samples_in
from archcost.layers import AddMM, BAddBMM, Layer


@composite("rmatmul")
def rmatmul(x: Tensor, y: Tensor) -> Tensor:
    return y.matmul(x)


@composite("grouped_mm", "_grouped_mm")
def grouped_mm(x: Tensor, experts: Tensor, offs: Tensor | None = None, **named: Any) -> Tensor:
    """Each row is multiplied by one of the matrices, by whichever: so much work, and so many values kept and given, as
    if all had equally many. Where that does not come out even it is drawn as if all rows went to the first. No list of
    autocast's has grouped products (ATen/autocast_mode.h).
    """
    count, rows = len(experts), samples_in(len(x)) or len(x)
    with torch.autocast("cpu", enabled=False):
        if rows % count:
            return x.matmul(experts.select(0, 0))
        return x.reshape(count, -1, x.shape[-1]).bmm(experts).reshape(len(x), -1)


def _added(kind: type[Layer]) -> RuleFunction:
    """With the matrices by position, or by name."""
    derived = rule_of(kind).function

    def rule(result: Tensor, *tensors: Tensor, beta: float = 1, alpha: float = 1, **named: Tensor) -> Proposal | None:
        return derived(result, *tensors, *named.values(), beta=beta, alpha=alpha)

    return rule


rule_for("addmm")(_added(AddMM))
rule_for("baddbmm")(_added(BAddBMM))


@rule_for("einsum")
def einsum(result: Tensor, equation: Any, *operands: Any) -> Proposal | None:
    tensors = listed(operands)
    if not isinstance(equation, str) or "." in equation:
        return None
    equation = equation.replace(" ", "")
    if "->" not in equation:
        letters = equation.replace(",", "")
        equation += "->" + "".join(sorted(letter for letter in set(letters) if letters.count(letter) == 1))
    return Proposal("einsum", tensors, {"equation": equation})
