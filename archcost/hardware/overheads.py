"""What a GPU's memory holds beside tensors: the driver's context, and the libraries' workspaces.

The context and the workspace of matrix products are figures of a profile. The latter belongs to a thread and a stream:
torch keeps one handle of cuBLAS for each thread that multiplies matrices, and autograd's backward of a GPU runs in a
thread of its own, so that a training step holds two, each from its first product on (CublasHandlePool.cpp and
detail/DeviceThreadHandles.h in aten/src/ATen/cuda, torch/csrc/autograd/engine.cpp). Both come out of the caching
allocator. cuBLASLt shares them on NVIDIA's devices (unified_cublas_and_lt_workspaces).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archcost.hardware.profile import HardwareProfile

WINOGRAD_TILE = 6
"""F(4x4, 3x3): an output tile of 4 x 4 comes from an input tile of 6 x 6 (Lavin and Gray 2016, section 4.3)."""

WINOGRAD_STEP = 4


def room(profile: HardwareProfile) -> int:
    """Bytes that are left for the caching allocator's segments: without the context, where the profile knows it."""
    context = 0 if profile.context is None else int(profile.context.amount)
    return max(0, profile.memory.capacity - context)


def convolution_workspace(
    input_shape: Sequence[int],
    output_shape: Sequence[int],
    kernel_size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    itemsize: int,
) -> int:
    """Bytes that one call of a convolution, forward or either backward, takes and gives back again: a bound.

    `input_shape` (N, C, *S), `output_shape` (N, K, *T); of a transposed convolution the two change places.

    Which algorithm cuDNN picks is not public, and implicit matrix products need next to nothing. The bound is the
    larger of what two algorithms write down in full. The explicit matrix product unfolds the input to N T C
    prod(kernel_size) elements (cuDNN's API, CUDNN_CONVOLUTION_FWD_ALGO_GEMM). Winograd's, unfused, for 3 x 3 kernels
    of stride 1 (CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED) transforms input, output and weight to 36 elements a
    tile. FFT is not in it: its transformed weights, about 4 KiB a pair of channels, may be larger in a small batch.

    A step does not fail for want of it: where a workspace is not to be had, torch tries the next algorithm
    (aten/src/ATen/native/cudnn/Conv_v8.cpp, try_configs).
    """
    batch, in_channels, *_ = input_shape
    out_channels = output_shape[1]
    positions = output_shape[2:]
    unfolded = batch * prod(positions) * in_channels * prod(kernel_size)
    if tuple(kernel_size) != (3, 3) or tuple(stride) != (1, 1) or tuple(dilation) != (1, 1):
        return unfolded * itemsize
    tiles = batch * prod(-(-size // WINOGRAD_STEP) for size in positions)
    weights = in_channels * out_channels // groups
    transformed = WINOGRAD_TILE**2 * (tiles * (in_channels + out_channels) + weights)
    return max(unfolded, transformed) * itemsize
