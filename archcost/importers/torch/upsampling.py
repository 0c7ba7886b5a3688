"""Enlarging images."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, one, rule_for


@rule_for("interpolate")
def interpolate(
    result: Tensor,
    x: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Proposal | None:
    fields: dict[str, Any] = {"size": one(tuple(result.shape[2:])), "mode": mode}
    if antialias:
        fields["antialias"] = True
    if align_corners is not None and mode in ("linear", "bilinear", "bicubic", "trilinear"):
        fields["align_corners"] = align_corners
    return Proposal("upsample", (x,), fields)
