"""Complex numbers: made of real ones, taken apart again, and conjugated.

A complex tensor stores its real and imaginary parts side by side, so most of this only sees a storage otherwise.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import broadcast_shape, stretched, summed_back
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CPU, Autocast
from archcost.layers.fields import Number
from archcost.layers.memory_order import value_by_value
from archcost.layers.rules import Autograd, Call, NewView, Placement, own_storage
from archcost.layers.shape.reshape import Reshaping
from archcost.tensors import PARTS, Tensors, TensorType, complex_of, part_of
from archcost.terms.autograd import INPUT, OUTPUT, VIEWED, Gradient, Input, Own
from archcost.terms.memory_format import Strides, is_row_major, laid, like, strides_of
from archcost.terms.time_classes import TimeClass
from archcost.work import Copy, Elementwise, Operand, Work


def card(torch: str | None, calls: tuple[str, ...], autocast: Autocast = AS_GIVEN, time: TimeClass = "copy") -> Card:
    return Card(
        torch=torch,
        calls=calls,
        onnx=None,
        autocast=autocast,
        promotion="named",
        fvcore="nothing",
        time=time,
        blas=False,
    )


def require_complex(tensor: TensorType) -> None:
    if not tensor.is_complex:
        raise ShapeError("needs complex numbers", expected="complex64", found=str(tensor), hint="view_as_complex")


def require_parts(inputs: Tensors) -> str:
    """The dtype of complex numbers of these parts. Raises ShapeError for parts that torch makes none of."""
    for tensor in inputs:
        if tensor.dtype not in PARTS.values():
            raise ShapeError(
                "torch makes no complex numbers of these", expected=", ".join(PARTS.values()), found=str(tensor)
            )
    dtypes = {tensor.dtype for tensor in inputs}
    if len(dtypes) > 1:
        raise ShapeError("the parts have different dtypes", expected="one", found=" and ".join(sorted(dtypes)))
    return complex_of(inputs[0].dtype)


class ViewAsComplex(Reshaping):
    """Pairs along a last axis of 2 seen as complex numbers (torch.view_as_complex). Backward sees them as pairs."""

    type: Literal["view_as_complex"] = "view_as_complex"
    prefix: ClassVar[str] = "complex"
    card: ClassVar[Card] = card("torch.view_as_complex", ("view_as_complex",), IN_FLOAT32_ON_CPU)
    takes_complex: ClassVar[bool] = False

    def output_types(self, inputs: Tensors) -> Tensors:
        (source,) = inputs
        if source.shape[-1:] != (2,):
            raise ShapeError("needs pairs", expected="(…, 2)", found=str(source))
        return (TensorType(source.shape[:-1], require_parts(inputs)),)

    def gradient(self, call: Call) -> Gradient | NewView:
        return seen_otherwise(call)

    def placement(self, call: Call) -> Placement:
        """Torch refuses pairs that do not lie side by side."""
        *strides, _ = strides_of(call.source.shape, call.layout)
        return Placement((0,), (laid(call.result.shape, tuple([stride // 2 for stride in strides])),), is_view=True)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return


def seen_otherwise(call: Call) -> Gradient | NewView:
    """What arrives, which torch first makes row-major (`grad.contiguous()` in derivatives.yaml)."""
    shape = call.source.shape
    return VIEWED if is_row_major(shape, like(shape, [(shape, call.layout)])) else NewView(call.source)


class ViewAsReal(Reshaping):
    """Complex numbers seen as pairs along a last axis (torch.view_as_real). Backward sees them as complex numbers."""

    type: Literal["view_as_real"] = "view_as_real"
    prefix: ClassVar[str] = "real"
    card: ClassVar[Card] = card("torch.view_as_real", ("view_as_real",))

    def output_types(self, inputs: Tensors) -> Tensors:
        require_complex(inputs[0])
        return (TensorType((*inputs[0].shape, 2), part_of(inputs[0].dtype)),)

    def gradient(self, call: Call) -> Gradient | NewView:
        return seen_otherwise(call)

    def placement(self, call: Call) -> Placement:
        return Placement((0,), (laid(call.result.shape, (*pair_strides(call), 1)),), is_view=True)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return


def pair_strides(call: Call) -> Strides:
    """Those of the input in real numbers."""
    return tuple([2 * stride for stride in strides_of(call.source.shape, call.layout)])


class ComplexPart(Reshaping):
    """A view of one part of each number. Backward puts what arrives beside zeros, and sees them as complex numbers."""

    def gradient(self, call: Call) -> NewView:
        return NewView(call.source)

    def output_types(self, inputs: Tensors) -> Tensors:
        require_complex(inputs[0])
        return (TensorType(inputs[0].shape, part_of(inputs[0].dtype)),)

    def placement(self, call: Call) -> Placement:
        return Placement((0,), (laid(call.result.shape, pair_strides(call)),), is_view=True)


class Real(ComplexPart):
    """The real parts: a view (torch.real). Backward makes complex numbers without an imaginary part."""

    type: Literal["real"] = "real"
    prefix: ClassVar[str] = "real"
    card: ClassVar[Card] = card("torch.real", ("real", "get:real"))


class Imag(ComplexPart):
    """The imaginary parts: a view (torch.imag). Backward makes complex numbers without a real part."""

    type: Literal["imag"] = "imag"
    prefix: ClassVar[str] = "imag"
    card: ClassVar[Card] = card("torch.imag", ("imag", "get:imag"))


class Conj(Reshaping):
    """Conjugates: a view, of which torch turns the sign where it is read (torch.conj). Backward sees them so again."""

    type: Literal["conj"] = "conj"
    prefix: ClassVar[str] = "conj"
    card: ClassVar[Card] = card("torch.conj", ("conj", "_conj"))

    def output_types(self, inputs: Tensors) -> Tensors:
        require_complex(inputs[0])
        return inputs

    def gradient(self, call: Call) -> Gradient:
        return VIEWED

    def placement(self, call: Call) -> Placement:
        return Placement((0,), (call.layout,), is_view=True)


class ConjPhysical(Layer):
    """Conjugates in a storage of their own, a sign turned a value (torch.conj_physical); the same backward."""

    type: Literal["conj_physical"] = "conj_physical"
    prefix: ClassVar[str] = "conj"
    card: ClassVar[Card] = card("torch.conj_physical", ("conj_physical", "_conj_physical"), time="elementwise")
    takes_complex: ClassVar[bool] = True

    def output_types(self, inputs: Tensors) -> Tensors:
        require_complex(inputs[0])
        return inputs

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, 1, {0: 1}, "conjugated"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)


class OfParts(Layer):
    """Complex numbers made of two real ones each."""

    arity: ClassVar[Arity] = Arity(2, 2)

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(broadcast_shape(inputs), require_parts(inputs)),)

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)


class Complex(OfParts):
    """Complex numbers of real and imaginary parts (torch.complex). The gradients are parts of what arrives: views."""

    type: Literal["complex"] = "complex"
    prefix: ClassVar[str] = "complex"
    card: ClassVar[Card] = card("torch.complex", ("complex",))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        sums = stretched(inputs, outputs[0])
        return (Elementwise(outputs[0].numel, 0, sums, "values moved") if sums else Copy(outputs[0].numel, 0, {}, ""),)

    def autograd(self, call: Call) -> Autograd:
        """Both are kept for nothing but their dtype."""
        saved = tuple([Input(index) for index in (0, 1) if call.needs(index)])
        return summed_back(call, saved, handed=(0, 1))


class Polar(OfParts):
    """Complex numbers of absolute values r and angles φ: r·cos φ, r·sin φ (torch.polar).

    dr is the real part of conj(dy)·y/|y|, dφ that of conj(dy)·(y·i).
    """

    type: Literal["polar"] = "polar"
    prefix: ClassVar[str] = "polar"
    card: ClassVar[Card] = card("torch.polar", ("polar",), IN_FLOAT32_ON_CPU, "transcendental")

    def output_types(self, inputs: Tensors) -> Tensors:
        if inputs[0].dtype == "float16":
            raise ShapeError("torch.polar takes no float16", expected="float32 or float64", found=str(inputs[0]))
        return super().output_types(inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        sums = stretched(inputs, outputs[0])
        # |y|: two squares, sum and root; two divisions; a product of complex numbers. And two such products.
        gradients: dict[Operand, int] = {0: 4 + 2 + 6 + sums.get(0, 0), 1: 6 + 6 + sums.get(1, 0)}
        return (Elementwise(outputs[0].numel, 4, gradients, "sine, cosine and products"),)

    def autograd(self, call: Call) -> Autograd:
        """`polar_backward` in FunctionsManual.cpp: both products, y·i and a copy of conj(dy), whoever wants one."""
        return summed_back(call, (OUTPUT,), during=((call.result,) * 4,))


class Angle(Layer):
    """The angles of complex numbers, one operation a value (torch.angle). dx = dy·x/|x|²·i, and 0 where x is 0."""

    type: Literal["angle"] = "angle"
    prefix: ClassVar[str] = "angle"
    card: ClassVar[Card] = card("torch.angle", ("angle",), time="transcendental")
    takes_complex: ClassVar[bool] = True

    def output_types(self, inputs: Tensors) -> Tensors:
        require_complex(inputs[0])
        return (TensorType(inputs[0].shape, part_of(inputs[0].dtype)),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """dy·x: two products; |x| 4, its square, two divisions; a product of complex numbers; a comparison."""
        return (Elementwise(outputs[0].numel, 1, {0: 2 + 4 + 1 + 2 + 6 + 1}, "angles"),)

    def autograd(self, call: Call) -> Autograd:
        """`angle_backward` in FunctionsManual.cpp, whose factors live to the end of the expression."""
        angles, numbers = call.result.numel, call.source.numel
        made = (
            Own("|x| and its square", TensorType((2 * angles,), call.result.dtype)),
            Own("factors", TensorType((3 * numbers + 1,), call.source.dtype)),
            Own("mask", TensorType(call.source.shape, "bool")),
        )
        return Autograd((INPUT,), call.inputs, backward=made)

    def placement(self, call: Call) -> Placement:
        """Row-major, however the numbers lie."""
        return own_storage(call)


class Magnitude(Layer):
    """|z| of complex numbers: two squares, a sum, a root (torch.abs). dz = dy·z/|z|: |z|, 2 divisions, 2 products."""

    type: Literal["magnitude"] = "magnitude"
    prefix: ClassVar[str] = "abs"
    card: ClassVar[Card] = card("torch.abs", (), time="elementwise")
    takes_complex: ClassVar[bool] = True

    def output_types(self, inputs: Tensors) -> Tensors:
        require_complex(inputs[0])
        return (TensorType(inputs[0].shape, part_of(inputs[0].dtype)),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, 4, {0: 4 + 2 + 2}, "absolute values"),)

    def autograd(self, call: Call) -> Autograd:
        """z/|z| beside the gradient, which is cast to complex numbers for their product."""
        return Autograd((INPUT,), call.inputs, backward=(Own("directions", call.source),))

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)


class ComplexScale(Layer):
    """x times the number `real` + `imag`·i (`x * 1j`): a product of complex numbers, of real ones a product a part.

    Backward is a product with the conjugate, of which a real input takes the real part.
    """

    type: Literal["complex_scale"] = "complex_scale"
    prefix: ClassVar[str] = "scale"
    card: ClassVar[Card] = card(None, (), time="elementwise")
    takes_complex: ClassVar[bool] = True
    real: Number = 0.0
    imag: Number = 1.0

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return (TensorType(inputs[0].shape, complex_of(inputs[0].dtype)),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Elementwise(outputs[0].numel, 6 if inputs[0].is_complex else 2, {0: 6}, "scaled"),)

    def autograd(self, call: Call) -> Autograd:
        """The number as a tensor, and a copy of its conjugate."""
        return summed_back(call, during=((call.result, TensorType((2,), "complex128")),))

    def placement(self, call: Call) -> Placement:
        return value_by_value(call)
