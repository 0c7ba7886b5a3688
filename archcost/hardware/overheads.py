"""What a GPU's memory holds beside tensors: the driver's context, and the libraries' workspaces.

The context and the workspace of matrix products are figures of a profile. The latter belongs to a thread and a stream:
torch keeps one handle of cuBLAS for each thread that multiplies matrices, and autograd's backward of a GPU runs in a
thread of its own, so that a training step holds two, each from its first product on (CublasHandlePool.cpp and
detail/DeviceThreadHandles.h in aten/src/ATen/cuda, torch/csrc/autograd/engine.cpp). Both come out of the caching
allocator. cuBLASLt shares them on NVIDIA's devices (unified_cublas_and_lt_workspaces).
"""

from __future__ import annotations

from archcost.hardware.profile import HardwareProfile


def room(profile: HardwareProfile) -> int:
    """Bytes that are left for the caching allocator's segments: without the context, where the profile knows it."""
    context = 0 if profile.context is None else int(profile.context.amount)
    return max(0, profile.memory.capacity - context)
