"""Operators of torch for which no layer has a rule, where autocast has a class for them."""

from __future__ import annotations

from collections.abc import Mapping

from archcost.layers.dtypes import (
    AS_GIVEN,
    FLOAT32_OUT_ON_CUDA,
    IN_16_BITS,
    IN_16_BITS_ON_CUDA,
    IN_FLOAT32,
    IN_FLOAT32_ON_CPU,
    IN_FLOAT32_ON_CUDA,
    WIDEST_ON_CPU,
    WIDEST_ON_CUDA,
    Autocast,
    Outcome,
)

LISTED: Mapping[str, Autocast] = {
    **dict.fromkeys(["addbmm", "conv_tbc", "linalg_vecdot", "mm"], IN_16_BITS),
    **dict.fromkeys(["addmv", "addr", "mv"], IN_16_BITS_ON_CUDA),
    **dict.fromkeys(["_cdist_forward", "huber_loss", "smooth_l1_loss", "soft_margin_loss"], IN_FLOAT32),
    **dict.fromkeys(["binary_cross_entropy_with_logits", "multi_margin_loss", "multilabel_margin_loss"], IN_FLOAT32),
    **dict.fromkeys(["dist", "erfinv", "pow", "renorm", "_pdist_forward"], IN_FLOAT32_ON_CUDA),
    **dict.fromkeys(["grid_sampler_3d", "polar", "quantile", "trace"], IN_FLOAT32_ON_CPU),
    **dict.fromkeys(["_fft_c2r", "_fft_r2c", "_ctc_loss", "linalg_inv_ex", "triangular_solve"], IN_FLOAT32_ON_CPU),
    **dict.fromkeys(["addcdiv", "addcmul", "atan2", "dot", "index_put", "vdot"], WIDEST_ON_CUDA),
    "binary_cross_entropy": Autocast("float32", "refused"),
    "cumprod": FLOAT32_OUT_ON_CUDA,
    "index_copy": WIDEST_ON_CPU,
}
"""By what stands behind `aten::`. Of operators that call others (fft_rfft, cdist) those are named that they call."""

TORCH = "aten::"


def autocast_of(op: str) -> Autocast:
    """Another library's operators, and those in place, take what they are given."""
    return LISTED.get(op.removeprefix(TORCH), AS_GIVEN) if op.startswith(TORCH) else AS_GIVEN


def outcome_of(op: str) -> Outcome:
    """Torch's operators promote, or refuse what differs; in place, and elsewhere, the first input decides."""
    return "promoted" if op.startswith(TORCH) and not op.endswith("_") else "first"
