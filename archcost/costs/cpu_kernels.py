"""What the CPU's kernels allocate for themselves: no operator hands it out, the allocator counts it all the same.

Tables of a few numbers a channel (statistics, indices, single values) are left out. Convolutions and attention, whose
rules are longer, have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import ceil, prod
from typing import TYPE_CHECKING

from archcost.costs.cpu_call import FLOAT, Call, Direction, whole_blocks
from archcost.layers import Layer

if TYPE_CHECKING:  # a family is imported where there is a layer of it
    from archcost.layers.upsampling import Upsample


def own_memory(call: Call, direction: Direction) -> int:
    """Bytes at the worst moment of the layer's kernels beyond all tensors.

    In forward that is beyond its outputs and what it keeps, in backward beyond what was there before and all
    gradients that it gives. The inputs are row-major and on the CPU; `threads` are torch's (`torch.get_num_threads`).
    """
    rule = _RULES[direction].get(call.layer.type)
    return rule(call) if rule is not None else 0


def allocates(layer: Layer, direction: Direction) -> bool:
    """Whether the kernels of such a layer may allocate for themselves at all."""
    return layer.type in _RULES[direction]


COLUMNS = 64
"""Of a matrix, packed at once by oneDNN's product of 16-bit matrices (brgemm_matmul_utils.cpp); and of its sums."""

ROWS = 256
"""Summed at once, at most: the rows in equal parts."""

SMALLEST = 16**3
"""Products up to which torch multiplies by itself (mkldnn_gemm_min_size in aten/src/ATen/native/mkldnn/Matmul.cpp)."""


def _product(rows: int, depth: int, columns: int, threads: int, is_turned: bool = False) -> int:
    """(rows, depth) @ (depth, columns) in 16 bits: each thread sums in float32, and copies what lies the wrong way.

    Measured from 2 to 300 rows: exact on one thread, an upper bound on more. Products in float32 are MKL's, which packs
    outside torch's allocator.
    """
    if rows * depth * columns <= SMALLEST:
        return 0
    rows = -(-rows // -(-rows // ROWS))
    depth = whole_blocks(depth, 32) if depth <= 512 else 512 if depth <= 1024 else 1024
    sums = rows * min(columns, COLUMNS) * FLOAT + 1024
    turned = rows * depth * 2 + 128 if is_turned else 0
    return threads * (sums + depth * COLUMNS * 2 + turned)


def _linear(call: Call, *, backward: bool) -> int:
    """Backward: the input's gradient, then that of the weight beside it."""
    if not call.is_half:
        return 0
    inputs, outputs = call.inputs[0].shape[-1], call.outputs[0].shape[-1]
    samples = call.inputs[0].numel // inputs
    if not backward:
        return _product(samples, inputs, outputs, call.threads)
    first = _product(samples, outputs, inputs, call.threads) if 0 in call.needs else 0
    if "weight" not in call.needs:
        return first
    second = _product(outputs, samples, inputs, call.threads, is_turned=True)
    return max(first - inputs * outputs * call.inputs[0].nbytes // call.inputs[0].numel, second)


def _norm_backward(call: Call) -> int:
    """`batch_norm_backward_cpu` (native/Normalization.cpp) makes the input's gradient twice."""
    return call.inputs[0].nbytes if 0 in call.needs else 0


def _upsample(call: Call) -> int:
    """Small images are turned to channels last and back (`_use_vectorized_kernel_cond_2d`, cpu/UpSampleKernel.cpp)."""
    from archcost.layers.upsampling import Upsample

    layer, output = call.layer, call.outputs[0]
    assert isinstance(layer, Upsample)
    if layer.antialias:
        return _smoothed(call, layer)
    if output.rank != 4 or layer.mode == "bicubic" or sum(output.shape[2:]) > 128:
        return 0
    return call.inputs[0].nbytes + output.nbytes


def _smoothed(call: Call, layer: Upsample) -> int:
    """One axis after the other, width first, but those that stay: an image between two, and the weights of each
    window with four numbers to find it (`separable_upsample_generic_Nd_kernel_impl`, cpu/UpSampleKernel.cpp).
    """
    source, output = call.inputs[0], call.outputs[0]
    size = source.nbytes // source.numel
    columns = zip(source.shape[2:], output.shape[2:], layer.half_widths(call.inputs, call.outputs), strict=True)
    weights = [after * ((2 * ceil(half) + 1) * size + 4 * 8) for before, after, half in columns if before != after]
    between = output.numel // output.shape[2] * source.shape[2] * size if len(weights) == 2 else 0
    return between + max(weights, default=0)


def _mean(call: Call) -> int:
    """A sum of 16-bit values is taken over a float32 copy of them (native/ReduceOps.cpp)."""
    return call.inputs[0].numel * FLOAT if call.is_half else 0


def _pooled_to_one(call: Call) -> int:
    """Torch's adaptive average pool to a single value is a mean."""
    return _mean(call) if prod(call.outputs[0].shape[2:]) == 1 else 0


def _repeated_backward(call: Call) -> int:
    """The gradient of an input that was repeated is such a sum."""
    output = call.outputs[0]
    return output.numel * FLOAT if call.is_half and any(x.shape != output.shape for x in call.inputs) else 0


def _each_loss(call: Call) -> int:
    """The loss of every value, before they are folded (`mse_loss`, native/Loss.cpp)."""
    return 0 if call.outputs[0].rank else call.inputs[0].nbytes


def _each_logit(call: Call) -> int:
    """Beside that, log σ of every value (`binary_cross_entropy_with_logits`, native/Loss.cpp)."""
    return call.inputs[0].nbytes + _each_loss(call)


def _endings(call: Call) -> int:
    """The probabilities of all endings, as those of beginnings that were kept (`ctc_loss_backward`, LossCTC.cpp)."""
    (steps, samples, _), labels = call.inputs[0].shape, call.inputs[1].shape[1]
    return samples * steps * (2 * labels + 1) * (call.inputs[0].nbytes // call.inputs[0].numel)


def _exponentials(call: Call) -> int:
    """exp(−b·a), and what is in the exponent (`soft_margin_loss_backward_out`, native/Loss.cpp)."""
    return 2 * call.inputs[0].nbytes


def _logsumexp(call: Call) -> int:
    """The largest values, and all values less them (native/ReduceOps.cpp)."""
    return call.outputs[0].nbytes + call.inputs[0].nbytes


def _convolution(call: Call, *, backward: bool) -> int:
    from archcost.costs import cpu_convolution

    return cpu_convolution.backward(call) if backward else cpu_convolution.forward(call)


def _attention(call: Call, *, backward: bool) -> int:
    from archcost.costs import cpu_attention

    return cpu_attention.backward(call) if backward else cpu_attention.forward(call)


Rule = Callable[[Call], int]
_KERNELS = tuple(f"{kind}{ndim}d" for kind in ("conv", "conv_transpose") for ndim in (1, 2, 3))
_RULES: Mapping[Direction, Mapping[str, Rule]] = {
    "forward": {
        **dict.fromkeys(_KERNELS, partial(_convolution, backward=False)),
        "linear": partial(_linear, backward=False),
        "upsample": _upsample,
        "mean": _mean,
        **dict.fromkeys([f"adaptive_avg_pool{ndim}d" for ndim in (1, 2, 3)], _pooled_to_one),
        **dict.fromkeys(["mse", "smooth_l1", "huber"], _each_loss),
        "bce_with_logits": _each_logit,
        "logsumexp": _logsumexp,
        "scaled_dot_product_attention": partial(_attention, backward=False),
    },
    "backward": {
        **dict.fromkeys(_KERNELS, partial(_convolution, backward=True)),
        "linear": partial(_linear, backward=True),
        **dict.fromkeys(
            [f"{kind}_norm{ndim}d" for kind in ("batch", "instance") for ndim in (1, 2, 3)], _norm_backward
        ),
        **dict.fromkeys([f"max_unpool{ndim}d" for ndim in (1, 2, 3)], _mean),
        **dict.fromkeys(["add", "mul"], _repeated_backward),
        "soft_margin": _exponentials,
        "ctc": _endings,
        "scaled_dot_product_attention": partial(_attention, backward=True),
    },
}
