"""What a name in an ONNX graph stands for while the graph is read."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from archcost.importers.onnx_sizes import SAMPLES
from archcost.importers.recorded import Ref
from archcost.tensors import FLOAT8_BYTES, PACKED_BITS, TensorType

if TYPE_CHECKING:
    from numpy import ndarray

    Array = ndarray[Any, Any]

Shape = tuple[int, ...]

CODES = ("int8", "uint8", *FLOAT8_BYTES, *PACKED_BITS)
"""Dtypes of quantised values."""


class UnsupportedError(Exception):
    """An operator, or a way to use it, that no layer is. Where the shapes are known it becomes an opaque one."""


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A tensor for `SAMPLES` samples.

    It comes of a layer or an input (`ref`), or is held by the file (`held`, its name there), or else it was worked out
    of shapes alone. `numbers` are known where there are few. `is_weight` tells what is trained, or kept and used like a
    weight, from constants. `turned` says that the file holds the matrix with its axes the other way round; a weight may
    also be seen in another shape or dtype than it is held in.
    """

    tensor: TensorType
    ref: Ref | None = None
    held: str | None = None
    numbers: Array | None = None
    is_weight: bool = False
    turned: bool = False
    filled: int = 0
    """Of the kernel of a convolution: how many of the last filters are zeros that fill up a block of channels."""
    before_batch: int = 1
    """In the axis that the batch decides, how many values lie around each sample's: 1 for (B·H), T for (T·B)."""
    sources: tuple[str, ...] = ()
    """Of a tensor that is computed of weights alone: which."""
    pieces: tuple[Value, ...] = ()
    """Of a sequence of tensors, which some operators make; the tensor then is what was cut."""

    @property
    def shape(self) -> Shape:
        return self.tensor.shape

    @property
    def rank(self) -> int:
        return self.tensor.rank

    @property
    def is_held_weight(self) -> bool:
        """A weight that nothing was computed with yet."""
        return self.ref is None and self.is_weight

    @property
    def is_constant(self) -> bool:
        """The same for every input, and no weight."""
        return self.ref is None and not self.is_weight

    @property
    def holds_codes(self) -> bool:
        """Whether the file holds it in 8 bits or fewer, and not as truth values: each stands for a float."""
        if self.ref is not None or self.held is None or self.rank < 2 or self.tensor.dtype not in CODES:
            return False
        return self.tensor.dtype != "uint8" or self.numbers is None or bool((self.numbers > 1).any())

    @property
    def is_own(self) -> bool:
        """Whether it can be a layer's weight or bias: not the ones or zeros that stand for a layer without one."""
        if not self.is_constant:
            return True
        if self.numbers is None:
            return self.held is not None
        is_uniform = bool((self.numbers == self.numbers.flat[:1]).all())
        return not is_uniform or (self.held is not None and self.numbers.flat[:1].tolist() not in ([0], [1]))

    @property
    def number(self) -> float | int | None:
        """Of a constant of one value that can be written down."""
        if not self.is_constant or self.numbers is None or self.numbers.size != 1:
            return None
        value = self.numbers.item()
        if isinstance(value, bool):
            return int(value)
        return value if isinstance(value, (int, float)) and isfinite(value) else None


def samples_in(size: int) -> int:
    """How many times the batch a size is; 0 where it does not come from the batch."""
    return size // SAMPLES if size and size % SAMPLES == 0 else 0


def from_batch(shape: Shape) -> list[int]:
    """The axes that the batch decides."""
    return [axis for axis, size in enumerate(shape) if samples_in(size)]


def short(number: float) -> float:
    """A number in single precision as it was written: 9.999999747378752e-06 is 1e-05."""
    from numpy import float32

    return float(str(float32(number)))
