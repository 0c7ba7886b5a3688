"""What the CPU's fused attention allocates for itself.

Each thread has room for one block of scores, of so many queries and so many keys (`cpu_flash_attention` and its
backward in aten/src/ATen/native/cpu/FlashAttentionKernel.cpp, torch 2.13; forward held against torch's profiler,
backward against the allocator where query, key and value come of one product, as they mostly do).
"""

from __future__ import annotations

from archcost.costs.cpu_call import Call
from archcost.layers import ScaledDotProductAttention
from archcost.layers.attention.composition import KEY, QUERY, VALUE
from archcost.tensors import Tensors

KEYS = 512
"""In a block."""

FLOAT = 4
"""Bytes of what 16-bit values are summed in."""


def forward(call: Call) -> int:
    """Scores, each row's maximum and sum, and the output so far; of 16 bits the scores once more."""
    if not _is_fused(call):
        return 0
    inputs = call.inputs
    queries, keys = _block(inputs)
    room = queries * keys + 2 * queries + queries * inputs[QUERY].shape[-1]
    return call.threads * _bytes(inputs, room, queries * keys)


def backward(call: Call) -> int:
    """Scores and their gradients, and a sum a row; of 16 bits the first two once more."""
    if not _is_fused(call):
        return 0
    inputs = call.inputs
    queries, keys = _block(inputs)
    return call.threads * _bytes(inputs, 2 * queries * keys + queries, 2 * queries * keys)


def _is_fused(call: Call) -> bool:
    assert isinstance(call.layer, ScaledDotProductAttention)
    return call.layer.backend == "fused" and call.inputs[KEY].shape[-1] == call.inputs[VALUE].shape[-1]


def _block(inputs: Tensors) -> tuple[int, int]:
    positions = inputs[QUERY].shape[2]
    queries = 256 if positions >= 768 else 64 if positions >= 192 else 32
    return min(queries, positions), min(KEYS, inputs[KEY].shape[2])


def _bytes(inputs: Tensors, room: int, again: int) -> int:
    size = inputs[QUERY].nbytes // inputs[QUERY].numel
    return room * FLOAT + again * size if size == 2 else room * size
