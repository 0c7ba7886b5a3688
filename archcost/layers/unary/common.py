"""Functions of each value alone, as code writes them between modules: exp(x), x², 2·x + 1.

Counted like the activations: every operation of the formula as written. `inplace: true` is the method with an
underscore (x.exp_()). Torch composes the gradients of most of several operators, and so makes and drops tensors.
"""

from __future__ import annotations

from functools import reduce
from typing import ClassVar, Literal

from pydantic import model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.activation.activations import Activation, Overwriting, require_numbers
from archcost.layers.base import Scalar
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CUDA, Autocast
from archcost.tensors import FLOATING, Tensors, TensorType, with_number
from archcost.terms.autograd import INPUT, NO_SCRATCH, OUTPUT, PASSED_ON, Gradient, Own, Saved, Scratch, Setting, excess
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Work


class Composed(Activation):
    """`made_backward`: how many tensors like the input backward makes and drops beside the gradient."""

    made_backward: ClassVar[int] = 0

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        numel = self.made_backward * inputs[0].numel
        return Scratch(backward=excess("factors of the gradient", numel, inputs[0].dtype))


class Function(Overwriting, Composed):
    """One whose method in torch has a twin that overwrites."""


class Numbered(Overwriting):
    """With numbers, of which a float makes floats of integers."""

    def numbers(self) -> tuple[float, ...]:
        raise NotImplementedError

    def result_dtype(self, source: TensorType) -> str:
        return reduce(with_number, self.numbers(), source.dtype)


class Exp(Function):
    """exp x, one elementary function; dy·y (torch.exp)."""

    type: Literal["exp"] = "exp"
    prefix: ClassVar[str] = "exp"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 1
    backward_from: ClassVar[Saved] = OUTPUT


class Log(Function):
    """log x, one elementary function; dy/x (torch.log)."""

    type: Literal["log"] = "log"
    prefix: ClassVar[str] = "log"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 1
    backward_from: ClassVar[Saved] = INPUT


class Sqrt(Function):
    """√x, one elementary function; dy/(2y), product and division (torch.sqrt)."""

    type: Literal["sqrt"] = "sqrt"
    prefix: ClassVar[str] = "sqrt"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = OUTPUT
    made_backward: ClassVar[int] = 1


class Rsqrt(Function):
    """1/√x: root and division; −½·dy·y³, power and two products (torch.rsqrt)."""

    type: Literal["rsqrt"] = "rsqrt"
    prefix: ClassVar[str] = "rsqrt"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "elementwise"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = OUTPUT
    made_backward: ClassVar[int] = 2


class Reciprocal(Function):
    """1/x, a division; −dy·y²: negation, square, product (torch.reciprocal)."""

    type: Literal["reciprocal"] = "reciprocal"
    prefix: ClassVar[str] = "reciprocal"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "elementwise"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = OUTPUT
    made_backward: ClassVar[int] = 2


class Erf(Function):
    """erf x, one elementary function; dy·2/√π·exp(−x²): square, negation, exp, two products (torch.erf)."""

    type: Literal["erf"] = "erf"
    prefix: ClassVar[str] = "erf"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 5
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 4


class Abs(Function):
    """|x|, one operation; dy·sign x, sign and product (torch.abs)."""

    type: Literal["abs"] = "abs"
    prefix: ClassVar[str] = "abs"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "kept"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 1


class Sin(Function):
    """sin x, one elementary function; dy·cos x (torch.sin)."""

    type: Literal["sin"] = "sin"
    prefix: ClassVar[str] = "sin"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 1


class Cos(Function):
    """cos x, one elementary function; −dy·sin x (torch.cos)."""

    type: Literal["cos"] = "cos"
    prefix: ClassVar[str] = "cos"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 2


class Pow(Function, Numbered):
    """x to the number `exponent`, one power; dy·p·x^(p − 1): power and two products (torch.pow).

    The gradient of a power 0 is zeros.
    """

    type: Literal["pow"] = "pow"
    prefix: ClassVar[str] = "pow"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    exponent: Scalar
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 2

    def numbers(self) -> tuple[float, ...]:
        return (self.exponent,)

    def result_dtype(self, source: TensorType) -> str:
        dtype = super().result_dtype(source)
        if dtype not in FLOATING and self.exponent < 0:
            raise ShapeError(
                "integers have no negative powers",
                expected="0 or more, or a float",
                found=str(self.exponent),
                hint=f"{self.exponent}.0",
            )
        return dtype

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        backward = self.operations_backward if self.exponent else 0
        return (Elementwise(inputs[0].numel, self.operations, {0: backward}, self.type),)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        return super().scratch(inputs, outputs, setting) if self.exponent else NO_SCRATCH


class Clamp(Numbered):
    """min(max(x, min), max), of which one may be left out; dy where neither held (torch.clamp)."""

    type: Literal["clamp"] = "clamp"
    prefix: ClassVar[str] = "clamp"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    min: Scalar | None = None
    max: Scalar | None = None
    backward_from: ClassVar[Saved] = INPUT

    @model_validator(mode="after")
    def _some_bound(self) -> Clamp:
        if self.min is None and self.max is None:
            raise PydanticCustomError("bound", "Input should have min or max")
        return self

    def numbers(self) -> tuple[float, ...]:
        return tuple(bound for bound in (self.min, self.max) if bound is not None)

    def result_dtype(self, source: TensorType) -> str:
        require_numbers(source)
        return super().result_dtype(source)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """A mask for each bound, and the zero that stands for the others' gradient."""
        masks = Own("masks", TensorType((len(self.numbers()) * inputs[0].numel,), "bool"))
        return Scratch(backward=(masks, Own("zero", TensorType((), inputs[0].dtype))))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A comparison for each bound, both ways."""
        bounds = len(self.numbers())
        return (Elementwise(inputs[0].numel, bounds, {0: bounds}, self.type),)


class Linearly(Overwriting):
    """The gradient of x needs no x."""

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()


class Neg(Linearly):
    """−x; −dy (torch.neg)."""

    type: Literal["neg"] = "neg"
    prefix: ClassVar[str] = "neg"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "kept"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 1


class Scale(Linearly, Numbered):
    """x·factor + shift with numbers (`x * 2`, `x / 2`, `x + 1`): only what changes something is done, or the product.

    Backward a product with the factor; a shift passes the gradient on. A number written as a float, 2.0, makes
    floats of integers.
    """

    type: Literal["scale"] = "scale"
    prefix: ClassVar[str] = "scale"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    factor: Scalar = 1
    shift: Scalar = 0

    def multiplies(self) -> bool:
        return self.factor != 1 or self.shift == 0

    def numbers(self) -> tuple[float, ...]:
        return (*((self.factor,) if self.multiplies() else ()), *((self.shift,) if self.shift != 0 else ()))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        products = int(self.multiplies())
        return (Elementwise(inputs[0].numel, products + (self.shift != 0), {0: products}, self.type),)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return inputs if self.multiplies() else (PASSED_ON,)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """The product, while the shift is added to it."""
        if self.inplace or self.shift == 0 or not self.multiplies():
            return NO_SCRATCH
        product = TensorType(inputs[0].shape, with_number(inputs[0].dtype, self.factor))
        return Scratch(forward=(Own("product", product),))


class Rsub(Activation):
    """`other` − x with a number (`1 - x`, torch.rsub); −dy."""

    type: Literal["rsub"] = "rsub"
    prefix: ClassVar[str] = "sub"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    other: Scalar = 1
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 1

    def result_dtype(self, source: TensorType) -> str:
        require_numbers(source)
        return with_number(source.dtype, self.other)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()
