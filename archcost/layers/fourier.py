"""Fourier transforms: 5·n·log2 n operations for n complex values along an axis, and half of that for real ones."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis, require_floating, require_rank
from archcost.layers.complex import require_complex
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CPU, Autocast
from archcost.layers.fields import Axis, Flag, Size
from archcost.layers.rules import Autograd, Call, NewView, Placement, own_storage
from archcost.tensors import Tensors, TensorType, complex_of, part_of
from archcost.terms.autograd import INPUT, VIEWED, Own
from archcost.terms.expressions import Step
from archcost.terms.memory_format import laid, strides_of
from archcost.terms.windows import SAME, WHOLE, Rules
from archcost.work import Elementwise, Reduction, Work

TransformedAxes = Annotated[tuple[Axis, ...], Field(min_length=1, max_length=64)]


def card(*calls: str, autocast: Autocast = IN_FLOAT32_ON_CPU) -> Card:
    return Card(
        torch=None,
        calls=calls,
        onnx=None,
        autocast=autocast,
        promotion="named",
        fvcore="nothing",
        time="reduction",
        blas=False,
    )


def line(size: int, real: bool = False) -> int:
    """Operations of one transform of so many values, whatever its prime factors are: 5·n·log2 n, or half of it.

    It is what benchFFT counts for any library (M. Frigo, S. G. Johnson, "The Design and Implementation of FFTW3", Proc.
    IEEE 93 (2), 2005), by the radix-2 algorithm's asymptotic count; rounded to an integer.
    """
    return round(5 * size * log2(size) / (2 if real else 1))


def require_transformable(tensor: TensorType, axes: tuple[int, ...]) -> None:
    """Of float16 CUDA takes powers of two alone, and the CPU none (`promote_type_fft` and cuFFTPlanCache.h)."""
    require_floating((tensor,))
    if tensor.dtype == "bfloat16":
        raise ShapeError("torch transforms no bfloat16", expected="float32", found=str(tensor), hint="cast")
    if part_of(tensor.dtype) == "float16" and any(tensor.shape[axis].bit_count() > 1 for axis in axes):
        raise ShapeError(
            "torch transforms float16 in powers of two alone", expected="64, 128, …", found=str(tensor), hint="cast"
        )


class Transform(Layer):
    """Along each of the axes `dim`, one after the other. How it is scaled is counted to nobody."""

    takes_complex: ClassVar[bool] = True
    dim: TransformedAxes = (-1,)

    def axes(self, tensor: TensorType) -> tuple[int, ...]:
        axes = tuple([normalize_axis(axis, tensor.rank) for axis in self.dim])
        if len(set(axes)) != len(axes):
            raise ShapeError("dim must name axes once each", expected="different axes", found=str(list(self.dim)))
        return axes

    def placement(self, call: Call) -> Placement:
        """The transformed axes lie innermost, and among them as among the others the order stays that of the strides;
        but the last of real numbers comes last (`_exec_fft` in aten/src/ATen/native/mkl/SpectralOps.cpp).
        """
        strides = strides_of(call.source.shape, call.layout)
        order = sorted(self.innermost(call), key=lambda axis: -strides[axis])
        last = self.last(call)
        others = [axis for axis in range(call.source.rank) if axis not in (*order, *last)]
        rest = sorted(others, key=lambda axis: -strides[axis])
        made, step = [0] * call.source.rank, 1
        for axis in reversed([*rest, *order, *last]):
            made[axis] = step
            step *= call.result.shape[axis]
        return own_storage(call, (laid(call.result.shape, tuple(made)),))

    def innermost(self, call: Call) -> tuple[int, ...]:
        """Transformed axes that are sorted by their strides."""
        return self.axes(call.source)

    def last(self, call: Call) -> tuple[int, ...]:
        """The axis behind them."""
        return ()

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        axes = self.axes(inputs[0])
        return tuple([WHOLE if axis in axes else SAME for axis in range(2, inputs[0].rank)])

    def of_complex(self, tensor: TensorType, axes: tuple[int, ...], in_forward: bool = True) -> Iterator[Elementwise]:
        """Transforms of complex numbers, forward and backward or backward alone."""
        for axis in axes:
            size = tensor.shape[axis]
            operations = line(size)
            what = f"transforms of {size:,}"
            yield Elementwise(tensor.numel // size, operations if in_forward else 0, {0: operations}, what)


class FFT(Transform):
    """Of complex numbers, forward or back (torch.fft.fft, ifft, fftn, …): 5·n·log2 n for n values; as much backward."""

    type: Literal["fft"] = "fft"
    prefix: ClassVar[str] = "fft"
    card: ClassVar[Card] = card("_fft_c2c")

    def output_types(self, inputs: Tensors) -> Tensors:
        require_complex(inputs[0])
        require_transformable(inputs[0], self.axes(inputs[0]))
        return inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return tuple(self.of_complex(inputs[0], self.axes(inputs[0])))

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)


class OfReals(Transform):
    """Of real numbers, or back to them, along the last of the axes."""

    def innermost(self, call: Call) -> tuple[int, ...]:
        return self.axes(call.source)[:-1]

    def last(self, call: Call) -> tuple[int, ...]:
        return self.axes(call.source)[-1:]


class RFFT(OfReals):
    """Of real numbers (torch.fft.rfft): the n//2 + 1 first of the last axis in `dim`, or with `onesided: false` all.

    The last axis costs 5/2·n·log2 n, the others are of complex numbers. Backward transforms n complex numbers, of which
    those that did not arrive are zeros, and takes the real parts.
    """

    type: Literal["rfft"] = "rfft"
    prefix: ClassVar[str] = "rfft"
    card: ClassVar[Card] = card("_fft_r2c")
    takes_complex: ClassVar[bool] = False
    onesided: Flag = True

    def output_types(self, inputs: Tensors) -> Tensors:
        (source,) = inputs
        require_transformable(source, self.axes(source))
        if not self.onesided and len(self.dim) > 1:
            raise ShapeError(
                "of several axes half is worked out", expected="onesided: true, or one axis", found=str(list(self.dim))
            )
        return (TensorType(self._shape(source, self.onesided), complex_of(source.dtype)),)

    def _shape(self, source: TensorType, onesided: bool = True) -> tuple[int, ...]:
        last = self.axes(source)[-1]
        halved = source.shape[last] // 2 + 1 if onesided else source.shape[last]
        return (*source.shape[:last], halved, *source.shape[last + 1 :])

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        (source,) = inputs
        *others, last = self.axes(source)
        size, half = source.shape[last], TensorType(self._shape(source))
        real = Elementwise(source.numel // size, line(size, real=True), {}, f"transforms of {size:,} real values")
        forward = [part._replace(gradients={}) for part in self.of_complex(half, tuple(others))]
        return (real, *forward, *self.of_complex(source, self.axes(source), in_forward=False))

    def autograd(self, call: Call) -> Autograd:
        """The input is kept for its size. What arrives is put before zeros, and as many numbers as went in come out."""
        whole = TensorType(call.source.shape, complex_of(call.source.dtype))
        padded = (Own("gradient with zeros behind", whole),) if call.result.numel < whole.numel else ()
        return Autograd((INPUT,), (NewView(whole),), backward=padded)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        last = self.axes(inputs[0])[-1]
        size = {"n": inputs[0].shape[last]}
        return (Step(f"output axis {last}", "n//2 + 1", size),) if self.onesided else ()


class IRFFT(OfReals):
    """Back to real numbers: `n` of them along the last axis in `dim` of n//2 + 1 complex ones (torch.fft.irfft).

    Without `n` there are 2·(m − 1) of m. The last axis costs 5/2·n·log2 n, the others are of complex numbers. Backward
    transforms as `rfft` does, and doubles what stands for two.
    """

    type: Literal["irfft"] = "irfft"
    prefix: ClassVar[str] = "irfft"
    card: ClassVar[Card] = card("_fft_c2r")
    n: Size | None = None

    def size(self, source: TensorType) -> int:
        """Of the last axis that comes out. Raises ShapeError where another number of complex values would give it."""
        halved = source.shape[self.axes(source)[-1]]
        size = 2 * (halved - 1) if self.n is None else self.n
        if size < 1:
            raise ShapeError("there is nothing to transform", expected="2 values or more, or n", found=str(source))
        if size // 2 + 1 != halved:
            raise ShapeError(
                f"{size} real values are made of others",
                expected=f"{size // 2 + 1} complex values along the last axis of dim",
                found=str(source),
                hint="slice or pad before it, as torch.fft.irfft does",
            )
        return size

    def output_types(self, inputs: Tensors) -> Tensors:
        (source,) = inputs
        require_complex(source)
        last = self.axes(source)[-1]
        shape = (*source.shape[:last], self.size(source), *source.shape[last + 1 :])
        return (TensorType(shape, part_of(source.dtype)),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        (source,), (result,) = inputs, outputs
        *others, last = self.axes(source)
        size = result.shape[last]
        operations = line(size, real=True)
        real = Elementwise(result.numel // size, operations, {0: operations}, f"transforms of {size:,} real values")
        doubled = source.numel // source.shape[last] * (size - source.shape[last])
        twice = (Elementwise(doubled, 0, {0: 2}, "values that stand for two"),) if doubled else ()
        return (real, *self.of_complex(source, tuple(others)), *twice)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        last = self.axes(inputs[0])[-1]
        if self.n is not None:
            return (Step(f"output axis {last}", "n", {"n": self.n}, "as n says"),)
        return (Step(f"output axis {last}", "2*(m - 1)", {"m": inputs[0].shape[last]}),)


class OverlapAdd(Layer):
    """Frames of the last axis laid over a signal of `length` values, one every `step`, and added up where they overlap:
    what istft does (at::unfold_backward). Backward sees the gradient in frames.
    """

    type: Literal["overlap_add"] = "overlap_add"
    prefix: ClassVar[str] = "overlap"
    card: ClassVar[Card] = card(autocast=AS_GIVEN)
    takes_complex: ClassVar[bool] = True
    length: Size
    step: Size

    def output_types(self, inputs: Tensors) -> Tensors:
        (source,) = inputs
        require_rank(source, 3, "(batch, frames, values)")
        require_floating(inputs)
        batch, frames, size = source.shape
        if self.length < size or (self.length - size) // self.step + 1 != frames:
            raise ShapeError(
                f"a signal of {self.length} is not made of these",
                expected=f"a length from {size + (frames - 1) * self.step} to {size + frames * self.step - 1}",
                found=str(source),
            )
        return (TensorType((batch, self.length), source.dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].reals, 1, {}, "added"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (VIEWED,))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (Step("output axis 1", "n", {"n": self.length}, "as length says"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return
