"""The fully connected layer."""

from __future__ import annotations

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, rule_for


@rule_for("linear")
def linear(result: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Proposal | None:
    if weight.dim() != 2:
        return None
    fields = {"out_features": weight.shape[0], "bias": bias is not None}
    return Proposal("linear", (x,), fields, {"weight": weight, "bias": bias})


@rule_for("bilinear")
def bilinear(result: Tensor, x: Tensor, y: Tensor, weight: Tensor, bias: Tensor | None = None) -> Proposal:
    fields = {"out_features": weight.shape[0], "bias": bias is not None}
    return Proposal("bilinear", (x, y), fields, {"weight": weight, "bias": bias})
