"""Kernels that onnxruntime has filled up with zeros, so that channels come in blocks: which filters are none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

DOMAIN = "com.microsoft.nchwc"

BLOCKS = (16, 8)
"""Channels of a block: as many as a vector register of the machine that wrote the file has floats."""


def kernels_in_blocks(nodes: Iterable[NodeProto]) -> frozenset[str | bytes]:
    """Names of the kernels of convolutions in blocks."""
    return frozenset(
        node.input[1] for node in nodes if node.domain == DOMAIN and node.op_type == "Conv" and len(node.input) > 1
    )


def filters_of_zeros(kernel: TensorProto) -> int:
    """How many of the last filters are zeros, less than a block; 0 where the values are not in the file.

    The values lie block by block, with the filters of one behind all else (OIHWBiBo and OIHWBo in mlas/snchwc.cpp).
    """
    import onnx

    if kernel.data_location == onnx.TensorProto.EXTERNAL or len(kernel.dims) < 3:
        return 0
    try:
        values = onnx.numpy_helper.to_array(kernel)
    except (ValueError, TypeError, LookupError, OverflowError):  # fewer or more bytes than the shape needs
        return 0
    for block in BLOCKS:
        if values.size and len(values) % block == 0:
            is_used = values.reshape(len(values) // block, -1, block)[-1].any(axis=0)
            if is_used.any() and not is_used[-1]:
                return int(is_used[::-1].argmax())
    return 0
