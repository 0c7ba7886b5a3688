"""Products of tensors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from archcost.importers.torch.proposal import Proposal, RuleFunction, composite, listed, rule_for, rule_of, samples_in
from archcost.layers import AddBMM, AddMM, AddMV, AddR, BAddBMM, Layer


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
        return derived(result, *tensors, *named.values(), beta=float(beta), alpha=float(alpha))

    return rule


rule_for("addmm")(_added(AddMM))
rule_for("baddbmm")(_added(BAddBMM))
rule_for("addbmm")(_added(AddBMM))
rule_for("addmv")(_added(AddMV))
rule_for("addr")(_added(AddR))


@rule_for("cdist", "_cdist_forward")
def cdist(result: Tensor, x: Tensor, y: Tensor, p: float = 2.0, compute_mode: Any = None) -> Proposal:
    fields: dict[str, Any] = {"p": "inf" if p == float("inf") else float(p)}
    if isinstance(compute_mode, int):  # as the operator has it
        compute_mode = (None, "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")[compute_mode]
    return Proposal("cdist", (x, y), fields | ({} if compute_mode is None else {"compute_mode": compute_mode}))


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
