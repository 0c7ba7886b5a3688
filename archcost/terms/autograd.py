"""What a layer keeps from forward for its backward, by reference: the words of their rule `autograd`.

A reference names a tensor, never a number of bytes. Whoever follows it to its storage counts a storage once,
however many layers, views and in-place results share it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Literal

from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.memory_format import Layout
from archcost.terms.torch_releases import RELEASES, Torch, installed
from archcost.work import Operand

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, slots=True)
class Input:
    """The input of that index, alive in its producer's storage."""

    index: int


@dataclass(frozen=True, slots=True)
class Output:
    """The output of that index."""

    index: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A parameter or buffer, by name. Of a shared weight it is the owner's, a transposed one being a view of it."""

    name: str


@dataclass(frozen=True, slots=True)
class Own:
    """A tensor that lives for backward alone: a mask, indices, statistics, a copy."""

    what: str
    tensor: TensorType


Saved = Input | Output | Stored | Own


@dataclass(frozen=True, slots=True)
class Setting:
    """How a layer is run, as far as it decides what is kept.

    `needs` are the operands whose gradient autograd will want. `layouts` are those of the inputs; none given
    means that all are row-major. `weights` is the dtype of the weights where it is not that of what arrives. `torch` is
    the release whose rules hold, the installed one unless said.
    """

    needs: frozenset[Operand]
    training: bool = True
    device: Device = "cpu"
    layouts: tuple[Layout, ...] = ()
    weights: str | None = None
    torch: Torch = field(default_factory=installed)

    def layout(self, index: int) -> Layout:
        return self.layouts[index] if self.layouts else None

    def since(self, release: Torch) -> bool:
        """Whether torch is that release or a later one: every rule that differs by version asks it."""
        return RELEASES.index(self.torch) >= RELEASES.index(release)


FORWARD = Setting(frozenset(), torch=RELEASES[0])
"""For what depends on no setting: nothing asks which torch is installed, which would take time."""


@dataclass(frozen=True, slots=True)
class Handed:
    """A gradient that backward hands on without making a tensor: the one that arrived at that output, or a view of it.

    Nothing is ever added to a view in place: it holds the tensor that it was made of, and so a second hand on the
    storage (`ViewInfo` in torch/csrc/autograd/variable.h).
    """

    output: int = 0
    is_view: bool = False


Gradient = Handed | TensorType | None
"""What backward gives an input: one that arrived, or a new tensor, whose storage may be smaller than the input's; None
where the output does not depend on its values.
"""


@dataclass(frozen=True, slots=True)
class Scratch:
    """What lives only while a layer runs: the bytes at its worst moment beyond what stays or is handed on.

    `forward` comes on top of the layer's outputs and of what it keeps; `backward` on top of the arrived gradients, of
    what was kept, and of all gradients that it gives.
    """

    forward: tuple[Own, ...] = ()
    backward: tuple[Own, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the backward of a layer that is many operations to autograd: the operands whose gradients it gives,
    what of the layer's own it lets go of at its end, by name, and what lives at its worst moment beside all that.
    """

    operands: frozenset[Operand]
    frees: frozenset[str]
    scratch: tuple[Own, ...]


NO_SCRATCH = Scratch()
PASSED_ON = Handed()
VIEWED = Handed(is_view=True)
INPUT = Input(0)
OUTPUT = Output(0)


def statistic(shape: tuple[int, ...], dtype: str, setting: Setting) -> TensorType:
    """A mean or a scale. Of 16-bit values CUDA's kernels keep it in float32, the CPU's in the dtype of the weights."""
    widened = (setting.device == "cuda" or setting.weights == "float32") and dtype in ("float16", "bfloat16")
    return TensorType(shape, "float32" if widened else dtype)


def excess(what: str, numel: int, dtype: str) -> tuple[Own, ...]:
    """So many values more than all that is counted anyway; nothing where there are not more."""
    return (Own(what, TensorType((numel,), dtype)),) if numel > 0 else ()


def worst(steps: Iterable[int]) -> int:
    """The most that lives at once where so much is made, or where it is negative dropped, one after the other."""
    return max(accumulate(steps, initial=0))


def before_cast(like: TensorType, dtype: str) -> tuple[Own, ...]:
    """What a gradient worked out in `dtype` holds more than the one that the input gets, which autograd's engine casts
    it to once the operation is done (validate_outputs in engine.cpp).
    """
    if not like.is_floating or dtype == like.dtype:
        return ()
    return excess(f"gradient in {dtype}", like.numel * DTYPE_BYTES[dtype] - like.nbytes, "uint8")


Moment = Tensors
"""The tensors that live at one moment of an operation."""


def worst_moment(moments: Iterable[Moment]) -> Moment:
    """The moment of the most bytes."""
    return max(moments, key=lambda alive: sum([tensor.nbytes for tensor in alive]), default=())


def beyond(what: str, alive: Moment, given: Tensors) -> tuple[Own, ...]:
    """What lives beyond the gradients that are given: masks by themselves, and of the rest so many values more; of
    tensors in several dtypes so many bytes.
    """
    numel = sum([tensor.numel for tensor in alive if tensor.dtype == "bool"])
    rest = [tensor for tensor in alive if tensor.dtype != "bool"]
    dtypes = {tensor.dtype for tensor in (*rest, *given)}
    masks = excess("masks", numel, "bool")
    if len(dtypes) == 1:
        values = sum([tensor.numel for tensor in rest]) - sum([tensor.numel for tensor in given])
        return (*excess(what, values, dtypes.pop()), *masks)
    nbytes = sum([tensor.nbytes for tensor in rest]) - sum([tensor.nbytes for tensor in given])
    return (*excess(what, nbytes, "uint8"), *masks)
