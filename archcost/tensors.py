"""A tensor as far as its cost goes: a shape and an element type, no values."""

from __future__ import annotations

from math import prod
from typing import NamedTuple

DTYPE_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
}
FLOATING = frozenset(dtype for dtype in DTYPE_BYTES if "float" in dtype)


class TensorType(NamedTuple):
    """Shape (batch included) and dtype, by torch's names."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.numel * DTYPE_BYTES[self.dtype]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_floating(self) -> bool:
        """Only floating tensors carry gradients."""
        return self.dtype in FLOATING

    def __str__(self) -> str:
        dtype = "" if self.dtype == "float32" else f" {self.dtype}"
        return format_shape(self.shape) + dtype


Tensors = tuple[TensorType, ...]


def format_shape(shape: tuple[int, ...]) -> str:
    """`2×3×224×224`; a scalar is `()`."""
    return "×".join(str(size) for size in shape) or "()"
