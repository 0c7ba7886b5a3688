"""Attention as one call."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, rule_for
from archcost.terms.torch_releases import installed


@rule_for("scaled_dot_product_attention")
def attention(
    result: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Proposal:
    fields: dict[str, Any] = {
        "dropout_p": float(dropout_p),
        "is_causal": is_causal,
        "scale": scale,
        "enable_gqa": enable_gqa,
    }
    fused = (4,) if installed() == "2.13" else (3, 4)
    if query.dim() not in fused:  # torch's fused kernels know no other
        fields["backend"] = "math"
    inputs = (query, key, value) if attn_mask is None else (query, key, value, attn_mask)
    return Proposal("scaled_dot_product_attention", inputs, fields)
