"""Products of tensors."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import handle_torch_function

from archcost.importers.torch.proposal import Proposal, RuleFunction, composite, listed, rule_for, rule_of
from archcost.layers import AddBMM, AddMM, AddMV, AddR, BAddBMM, Layer


@composite("rmatmul")
def rmatmul(x: Tensor, y: Tensor) -> Tensor:
    return y.matmul(x)


def _rows_in_groups(rows: Tensor, matrices: Tensor) -> Tensor:
    return rows.new_empty((len(rows), matrices.shape[-1]))


_rows_in_groups.__name__ = "rows_in_groups"


@composite("grouped_mm", "_grouped_mm", "transformers::grouped_mm_fallback")
def grouped_mm(rows: Tensor, matrices: Tensor, offs: Tensor | None = None, **named: Any) -> Tensor:
    """Torch refuses it on the meta device but in bfloat16, so its kernel is not asked."""
    if rows.dim() == matrices.dim() == 3:
        return rows.bmm(matrices)
    return handle_torch_function(_rows_in_groups, (rows,), rows, matrices)


@rule_for("rows_in_groups")
def rows_in_groups(result: Tensor, rows: Tensor, matrices: Tensor) -> Proposal:
    """Where groups end comes of counts that are no layer, so the ends are the layer's own."""
    return Proposal("grouped_mm", (rows, matrices))


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
