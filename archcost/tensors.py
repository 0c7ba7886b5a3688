"""A tensor as far as its cost goes: a shape and an element type, no values."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import NamedTuple

from archcost.errors import ShapeError

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
COMPLEX_BYTES = {"complex128": 16, "complex64": 8, "complex32": 4}
"""Two floats a value. A layer says by itself whether its rules hold of complex numbers (`takes_complex`)."""
FLOAT8_BYTES = dict.fromkeys(
    ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"), 1
)
STORED_BYTES = FLOAT8_BYTES | {"uint16": 2}
"""Values are kept in them, and cast before anything is computed: no rule but those of quantisation reads them."""
PACKED_BITS = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "float4_e2m1fn": 4}
"""So are they in these, of which several share a byte."""
STORED = (*STORED_BYTES, *PACKED_BITS)
COMPUTED_BYTES = DTYPE_BYTES | COMPLEX_BYTES
ALL_BYTES = COMPUTED_BYTES | STORED_BYTES
DIFFERENTIABLE = FLOATING | COMPLEX_BYTES.keys()
PARTS = {"complex128": "float64", "complex64": "float32", "complex32": "float16"}
"""By complex dtype that of the real and the imaginary part."""


class TensorType(NamedTuple):
    """Shape (batch included) and dtype, by torch's names."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    @property
    def numel(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        if self.dtype in PACKED_BITS:
            return -(-self.numel * PACKED_BITS[self.dtype] // 8)
        return self.numel * ALL_BYTES[self.dtype]

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def is_floating(self) -> bool:
        """Only floating tensors carry gradients, complex ones among them."""
        return self.dtype in DIFFERENTIABLE

    @property
    def is_complex(self) -> bool:
        return self.dtype in COMPLEX_BYTES

    @property
    def is_real(self) -> bool:
        """Floating, and not complex."""
        return self.dtype in FLOATING

    @property
    def reals(self) -> int:
        """How many real numbers it holds: of a complex one two, which are added and moved apart."""
        return self.numel * (2 if self.is_complex else 1)

    @property
    def real_macs(self) -> int:
        """Of how many real numbers' MACs one MAC of its values is made: (a + bi)·(c + di) is four products."""
        return 4 if self.is_complex else 1

    def __str__(self) -> str:
        dtype = "" if self.dtype == "float32" else f" {self.dtype}"
        return format_shape(self.shape) + dtype


Tensors = tuple[TensorType, ...]


def nbytes(tensors: Sequence[TensorType]) -> list[int]:
    """Of each. Equal tensors are mostly one object, whose bytes are worked out once."""
    distinct = {id(tensor): tensor for tensor in tensors}
    known = {key: tensor.nbytes for key, tensor in distinct.items()}
    return [known[id(tensor)] for tensor in tensors]


def promoted(one: str, other: str) -> str:
    """The dtype of a result of values of both (torch.promote_types). Raises ShapeError where torch has none."""
    if one == other:
        return one
    for dtype in (one, other):
        if dtype in STORED:
            raise ShapeError("no values of two dtypes meet in it", expected="a cast before", found=dtype)
    by_kind = sorted((one, other), key=_kind)
    if by_kind[0] in FLOATING and by_kind[1] in COMPLEX_BYTES:
        return complex_of(promoted(by_kind[0], PARTS[by_kind[1]]))
    if _kind(one) != _kind(other):
        return by_kind[1]
    if _kind(one) == COMPLEX:
        return max(one, other, key=COMPLEX_BYTES.__getitem__)
    if _kind(one) == FLOAT:
        both = {one, other} == {"float16", "bfloat16"}
        return "float32" if both else max(one, other, key=DTYPE_BYTES.__getitem__)
    if "uint8" in (one, other):  # signed integers that hold 255 have 16 bits
        return max(one, other, "int16", key=lambda dtype: (DTYPE_BYTES[dtype], dtype != "uint8"))
    return max(one, other, key=DTYPE_BYTES.__getitem__)


def can_hold(dtype: str, result: str) -> bool:
    """Whether a result in that dtype may be written in place: into its kind or a higher one (torch.can_cast)."""
    return _kind(dtype) >= _kind(result)


BOOL, INTEGER, FLOAT, COMPLEX = range(4)


def complex_of(dtype: str) -> str:
    """The dtype of complex numbers with parts of that dtype (toComplexType in ScalarType.h)."""
    named = {part: whole for whole, part in PARTS.items()} | {"bfloat16": "complex64"}
    return dtype if dtype in COMPLEX_BYTES else named.get(dtype, "complex64")


def part_of(dtype: str) -> str:
    """The dtype of the real part; of what is not complex the dtype itself."""
    return PARTS.get(dtype, dtype)


def _kind(dtype: str) -> int:
    if dtype == "bool":
        return BOOL
    if dtype in COMPLEX_BYTES:
        return COMPLEX
    return FLOAT if dtype in FLOATING else INTEGER


def with_number(dtype: str, number: float) -> str:
    """The dtype of values combined with a number, which matters only if of a higher kind (torch.result_type)."""
    kind = INTEGER if isinstance(number, int) else FLOAT
    if _kind(dtype) >= kind:
        return dtype
    return "int64" if kind == INTEGER else "float32"


def result_dtype(tensors: Tensors) -> str:
    """The dtype of values computed from several tensors (torch.result_type).

    A tensor without axes counts only where it is of a higher kind than the others: bool, integers, floats, complex.
    """
    wide = [tensor.dtype for tensor in tensors if tensor.shape]
    single = [tensor.dtype for tensor in tensors if not tensor.shape]
    if not wide or not single:
        return reduce(promoted, wide or single)
    first, second = reduce(promoted, wide), reduce(promoted, single)
    if _kind(second) <= _kind(first):
        return first
    return complex_of(first) if _kind(second) == COMPLEX and _kind(first) == FLOAT else promoted(first, second)


def declared(tensor: TensorType) -> TensorType:
    """As a spec declares what was read elsewhere: floats in float32, complex numbers in complex64."""
    if tensor.is_complex:
        return tensor._replace(dtype="complex64")
    return tensor._replace(dtype="float32") if tensor.dtype in FLOATING else tensor


def summed(tensor: TensorType) -> str:
    """The dtype of a sum or a product of its values: torch takes integers together in int64."""
    return tensor.dtype if tensor.is_floating else "int64"


def format_shape(shape: tuple[int, ...]) -> str:
    """`2×3×224×224`; a scalar is `()`."""
    return "×".join(str(size) for size in shape) or "()"
