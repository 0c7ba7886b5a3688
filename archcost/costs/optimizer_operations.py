"""Arithmetic operations of an optimizer's step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from archcost.costs.low_bit_states import is_quantised, low_bit
from archcost.costs.optimizer_steps import MUON_STEPS
from archcost.passes.optimizer import Method, Optimizer, Option, method
from archcost.tensors import TensorType

EACH: Mapping[Optimizer, int] = {
    "none": 0,
    "sgd": 2,
    "sgd-momentum": 4,
    "adam": 13,
    "adamw": 14,
    "lion": 10,
    "rmsprop": 9,
    "adagrad": 7,
    "adadelta": 16,
    "adamax": 10,
    "rprop": 12,
    "nadam": 16,
    "radam": 15,
}

IN_FULL: Mapping[Optimizer, int] = {"adam": 12, "adamw": 13, "lion": 10, "sgd": 4, "rmsprop": 9, "adagrad": 7}
"""Of bitsandbytes' kernels on states in 32 bits: adam divides once by both corrections, sgd has momentum."""

QUANTISED: Mapping[int, int] = {256: 15, 16: 11, 0: 4}
"""What a moment of few bits adds, by the entries of its table of codes."""

MORE: Mapping[Option, int] = {"weight_decay": 2, "nesterov": 2, "amsgrad": 1, "centered": 5, "momentum": 2}


def operations(optimizer: str, parameter: TensorType) -> int:
    """Of one step for one parameter, by the convention of docs/conventions.md: every addition, product, division,
    comparison, root or sign a value; what is done once for a tensor or a row is not counted.

    - sgd: p - lr·g, 2. Momentum: b = μ·b + g, p - lr·b, 4. Nesterov's: g + μ·b, 2 more.
    - adam: m + (1 - β1)·(g - m), 3; β2·v + (1 - β2)·g·g, 4; p - α·m / (√v / c + ε), 6. In all 13. adamw: one product
      more, p·(1 - lr·λ). amsgrad: a comparison more.
    - adafactor: ‖p‖ 2; ‖update‖ 2; its limit, inverse root and product with g 3; p + α·update 2. A matrix adds g² by
      rows and by columns 4, the outer product and its division 2, in all 15; a vector g² 1, its average 3, in all 13.
    - lion: β1·m + (1 - β1)·g and its sign 4; p·(1 - lr·λ) 1; p - lr·update 2; β2·m + (1 - β2)·g 3. In all 10.
    - adamw-8bit (bitsandbytes' CUDA kernel): m and v 7; p + α·m / (√v + ε) 5; decay 1: 13; adam-8bit without decay 12.
      A quantised moment adds the product with its scale 1, its magnitude and the block's maximum 2, the division by it
      1, and the search of the nearest code 11 (8 comparisons, the midpoint 2, a comparison): 15 a moment, in all 43 and
      42. lion, sgd with momentum, rmsprop and adagrad as in 32 bits, and one moment each.
    - torchao's adam and adamw as torch's; of 8 bits 15 a moment, too; of 4 bits the search takes 4 comparisons in place
      of 8, 11 in all; in fp8 a cast does it, so 4.
    - rmsprop: v as Adam's 4; p - lr·g / (√v + ε), 5: 9. Centered: the mean of g 3, v - m² 2. Momentum: b = μ·b + g / d
      and p - lr·b instead of p - lr·g / d, 2 more.
    - adagrad: s + g² 2; p - α·g / (√s + ε), 5: 7.
    - adadelta: v 4; √(v + ε) and √(u + ε), 4; their quotient times g 2; u as v 4; p - lr·that, 2: 16.
    - adamax: m 3; β2·u, |g| + ε and the larger 4; p - α·m / u, 3: 10.
    - rprop: the sign of g times the one before 2; three comparisons 3; the step sizes' product and bounds 3; another
      comparison and the sign of g 2; p - sign·step, 2: 12.
    - nadam: m 3; v 4; √(v / c) + ε, 3; p + α·g / d + β·m / d, 6: 16.
    - radam: m 3; v 4; m / c·lr·r·(c / (√v + ε)), 7; p - that, 1: 15.
    - muon, of a matrix: m 3; g + μ·(m - g) 3; its norm and the division by it 3; p·(1 - lr·λ) 1; p - lr·update 2; and
      five times, with m of the shorter and n of the longer side, X·Xᵀ 2·m²·n, b·G + c·G·G 2·m³ + 3·m², and
      a·X + G'·X 2·m²·n + 3·m·n. All else has adamw.
    - Decay in the gradient, g + λ·p: 2 more.
    """
    asked = method(optimizer)
    if asked.name == "muon" and parameter.rank == 2:
        return 12 * parameter.numel + orthogonalizing(parameter)
    return _each(asked, parameter) * parameter.numel


def orthogonalizing(matrix: TensorType) -> int:
    """Operations of Newton and Schulz's iteration for one matrix."""
    m, n = sorted(matrix.shape)
    return MUON_STEPS * (4 * m * m * n + 2 * m**3 + 3 * m * m + 3 * m * n)


def _each(asked: Method, parameter: TensorType) -> int:
    match asked.name:
        case "muon":
            return EACH["adamw"]
        case "adafactor":
            return 15 if parameter.rank > 1 else 13
        case "adam" | "adamw" | "lion" if "paged" in asked.options:
            return IN_FULL[asked.name]
        case name if (kept := low_bit(asked)) is not None:
            quantised = len(kept.moments) * QUANTISED[kept.table] if is_quantised(kept, parameter) else 0
            return (EACH if kept.library == "torchao" else IN_FULL)[_of_many_bits(name)] + quantised
        case name:
            return EACH[name] + sum([MORE[option] for option in asked.options])


def _of_many_bits(name: Optimizer) -> Optimizer:
    return cast("Optimizer", name.rpartition("-")[0])
