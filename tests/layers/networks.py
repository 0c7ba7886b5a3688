"""A row as a network of one layer: what arrives from outside, and weights where no batch arrives."""

from __future__ import annotations

import archcost
from archcost.layers import Buffer, Layer, Parameter
from archcost.tensors import TensorType
from tests.layers.rows import Row

READS_A_SIZE = ("expand_batch", "tile", "constant", "opaque")
"""The last input is there for its batch alone."""


def batch_of(row: Row) -> int:
    """The first axis of the input with most axes, the first of them where it has several samples."""
    batched = [tensor for tensor in row.input_types if tensor.shape]
    if not batched:
        return 1
    if row.layer.type in READS_A_SIZE:
        return batched[-1].shape[0]
    rank = max(tensor.rank for tensor in batched)
    firsts = [tensor.shape[0] for tensor in batched if tensor.rank == rank]
    return next((size for size in firsts if size > 1), 1)


def network_of(row: Row) -> archcost.ModelSpec:
    """Inputs of another first axis than the batch are parameters and buffers; a layer that reads nothing has an input
    beside it.
    """
    batch = batch_of(row)
    inputs = {f"x{index}": tensor for index, tensor in enumerate(row.input_types)}
    outside = {name: tensor for name, tensor in inputs.items() if tensor.shape[:1] == (batch,)}
    standing = [_standing(name, tensor) for name, tensor in inputs.items() if name not in outside]
    return archcost.ModelSpec(
        name="row",
        inputs={
            name: {"shape": tensor.shape[1:], "dtype": tensor.dtype}  # pyright: ignore[reportArgumentType]
            for name, tensor in (outside or {"unread": TensorType((1, 2))}).items()
        },
        outputs=tuple(f"layer:{index}" for index in range(len(row.outputs))),
        layers=(*standing, row.layer.model_copy(update={"inputs": tuple(inputs), "name": "layer"})),
    )


def _standing(name: str, tensor: TensorType) -> Layer:
    if tensor.dtype == "float32":
        return Parameter(name=name, shape=tensor.shape)
    return Buffer(name=name, shape=tensor.shape, dtype=tensor.dtype)
