"""More functions of each value alone; see common.py."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.activation.activations import Activation, InplaceActivation, require_numbers
from archcost.layers.base import Number, Scalar
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CUDA, Autocast
from archcost.layers.unary.common import Composed, Function
from archcost.tensors import Tensors, TensorType, with_number
from archcost.terms.autograd import INPUT, OUTPUT, Own, Saved, Scratch, Setting
from archcost.terms.memory_format import Layout
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Work


class Log1p(Function):
    """log(1 + x): addition and log; dy/(1 + x), addition and division (torch.log1p)."""

    type: Literal["log1p"] = "log1p"
    prefix: ClassVar[str] = "log1p"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 1


class Expm1(Function):
    """exp x − 1: exp and difference; dy·(y + 1), addition and product (torch.expm1)."""

    type: Literal["expm1"] = "expm1"
    prefix: ClassVar[str] = "expm1"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = OUTPUT
    made_backward: ClassVar[int] = 1


class Log2(Function):
    """log x to base 2, one elementary function; dy/(x·log 2), product and division (torch.log2)."""

    type: Literal["log2"] = "log2"
    prefix: ClassVar[str] = "log2"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 1


class Log10(Function):
    """log x to base 10, one elementary function; dy/(x·log 10), product and division (torch.log10)."""

    type: Literal["log10"] = "log10"
    prefix: ClassVar[str] = "log10"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 1


class Tan(Function):
    """tan x, one elementary function; dy·(1 + y²): square, addition, product (torch.tan)."""

    type: Literal["tan"] = "tan"
    prefix: ClassVar[str] = "tan"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = OUTPUT
    made_backward: ClassVar[int] = 2


class Sinh(Function):
    """sinh x, one elementary function; dy·cosh x (torch.sinh)."""

    type: Literal["sinh"] = "sinh"
    prefix: ClassVar[str] = "sinh"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 1


class Cosh(Function):
    """cosh x, one elementary function; dy·sinh x (torch.cosh)."""

    type: Literal["cosh"] = "cosh"
    prefix: ClassVar[str] = "cosh"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 1


class Asin(Function):
    """arcsin x, one elementary function; dy/√(1 − x²): negation, square, addition, root, product (torch.asin)."""

    type: Literal["asin"] = "asin"
    prefix: ClassVar[str] = "asin"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 5
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 4


class Acos(Function):
    """arccos x, one elementary function; −dy/√(1 − x²): as of arcsin, and a negation (torch.acos)."""

    type: Literal["acos"] = "acos"
    prefix: ClassVar[str] = "acos"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 6
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 5


class Atan(Function):
    """arctan x, one elementary function; dy/(x² + 1): square, addition, division (torch.atan)."""

    type: Literal["atan"] = "atan"
    prefix: ClassVar[str] = "atan"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 2


class Asinh(Composed):
    """arsinh x, one elementary function; dy/√(x² + 1): square, addition, root, product (torch.asinh)."""

    type: Literal["asinh"] = "asinh"
    prefix: ClassVar[str] = "asinh"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 4
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 3


class Atanh(Composed):
    """artanh x, one elementary function; dy/(1 − x²): square, difference, division (torch.atanh)."""

    type: Literal["atanh"] = "atanh"
    prefix: ClassVar[str] = "atanh"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 3
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 3


class Erfc(Function):
    """1 − erf x, one elementary function; −dy·2/√π·exp(−x²): square, negation, exp, two products (torch.erfc)."""

    type: Literal["erfc"] = "erfc"
    prefix: ClassVar[str] = "erfc"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "float32"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 5
    backward_from: ClassVar[Saved] = INPUT
    made_backward: ClassVar[int] = 4


class Stepped(Function):
    """Constant but for steps: one operation, and zeros for a gradient."""

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    integers: ClassVar[Literal["refused", "kept", "float32"]] = "kept"
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 0

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()


class Sign(Stepped):
    """−1, 0 or 1 by the sign of x (torch.sign)."""

    type: Literal["sign"] = "sign"
    prefix: ClassVar[str] = "sign"


class Floor(Stepped):
    """The next integer below (torch.floor)."""

    type: Literal["floor"] = "floor"
    prefix: ClassVar[str] = "floor"


class Ceil(Stepped):
    """The next integer above (torch.ceil)."""

    type: Literal["ceil"] = "ceil"
    prefix: ClassVar[str] = "ceil"


class Round(Stepped):
    """The nearest integer (torch.round)."""

    type: Literal["round"] = "round"
    prefix: ClassVar[str] = "round"


class Trunc(Stepped):
    """The integer before the point (torch.trunc)."""

    type: Literal["trunc"] = "trunc"
    prefix: ClassVar[str] = "trunc"


class Threshold(InplaceActivation):
    """x above `threshold`, else `value`; dy where x is above (torch.nn.Threshold)."""

    type: Literal["threshold"] = "threshold"
    prefix: ClassVar[str] = "threshold"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    threshold: Number
    value: Number
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 1
    backward_from: ClassVar[Saved] = INPUT


class CELU(InplaceActivation):
    """x or α(exp(x/α) − 1): comparison, division, exp, difference, product; dy or dy·(y + α)/α (torch.nn.CELU)."""

    type: Literal["celu"] = "celu"
    prefix: ClassVar[str] = "celu"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    alpha: Number = 1.0
    operations: ClassVar[int] = 5
    operations_backward: ClassVar[int] = 4
    backward_from: ClassVar[Saved] = INPUT
    result_serves: ClassVar[bool] = True


class Hardshrink(Activation):
    """x where |x| > lambd, else 0: two comparisons, both ways (torch.nn.Hardshrink)."""

    type: Literal["hardshrink"] = "hardshrink"
    prefix: ClassVar[str] = "hardshrink"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    lambd: Number = 0.5
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT


class Softshrink(Activation):
    """x − lambd above lambd, x + lambd below −lambd, else 0: two comparisons and a sum; back the comparisons."""

    type: Literal["softshrink"] = "softshrink"
    prefix: ClassVar[str] = "softshrink"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    lambd: Number = 0.5
    operations: ClassVar[int] = 3
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT


class Logit(Activation):
    """log(x/(1 − x)): difference, division, log; dy/(x·(1 − x)): difference, product, division (torch.logit).

    With `eps` x is first clamped to what lies between eps and 1 − eps, two comparisons both ways.
    """

    type: Literal["logit"] = "logit"
    prefix: ClassVar[str] = "logit"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    eps: Number | None = None
    backward_from: ClassVar[Saved] = INPUT

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        clamped = 0 if self.eps is None else 2
        return (Elementwise(inputs[0].numel, 3 + clamped, {0: 3 + clamped}, self.type),)


class Softsign(Composed):
    """x/(1 + |x|), three operations, of which torch composes it; dy/(1 + |x|), and the way through |x|.

    Backward two divisions, negation, product; sign and product; a sum.
    """

    type: Literal["softsign"] = "softsign"
    prefix: ClassVar[str] = "softsign"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    operations: ClassVar[int] = 3
    operations_backward: ClassVar[int] = 7
    made_backward: ClassVar[int] = 3

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, Own("1 + |x|", inputs[0]))

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Where nobody needs a gradient, 1 + |x| beside the quotient."""
        return replace(super().scratch(inputs, outputs, setting), forward=self.unkept(inputs, outputs, setting))


class Tanhshrink(Composed):
    """x − tanh x, two operations, of which torch composes it; dy − dy·(1 − t²) with t = tanh x, which is kept."""

    type: Literal["tanhshrink"] = "tanhshrink"
    prefix: ClassVar[str] = "tanhshrink"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "transcendental"
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 5
    made_backward: ClassVar[int] = 1

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Own("tanh x", inputs[0]),)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Where nobody needs a gradient, tanh x beside the difference."""
        return replace(super().scratch(inputs, outputs, setting), forward=self.unkept(inputs, outputs, setting))


class NanToNum(Activation):
    """x where it is a finite number, else `nan` or a bound (torch.nan_to_num): 2 comparisons; a mask and a product."""

    type: Literal["nan_to_num"] = "nan_to_num"
    prefix: ClassVar[str] = "nan_to_num"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "elementwise"
    nan: Number = 0.0
    posinf: Number | None = None
    neginf: Number | None = None
    operations: ClassVar[int] = 2
    operations_backward: ClassVar[int] = 2
    backward_from: ClassVar[Saved] = INPUT

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Whether |x| is finite and x a number, made before the gradient, with |x| in the gradient's place."""
        return Scratch(backward=(Own("masks", TensorType((3 * inputs[0].numel,), "bool")),))


class RPow(Composed):
    """The number `base` to the power x, one power; dy·y·log b, two products (`2 ** x`, torch.pow)."""

    type: Literal["rpow"] = "rpow"
    prefix: ClassVar[str] = "pow"
    autocast: ClassVar[Autocast] = IN_FLOAT32_ON_CUDA
    time_class: ClassVar[TimeClass] = "transcendental"
    base: Scalar
    operations: ClassVar[int] = 1
    operations_backward: ClassVar[int] = 2
    made_backward: ClassVar[int] = 1

    def result_dtype(self, source: TensorType) -> str:
        require_numbers(source)
        if self.base == 0:
            raise ShapeError("powers of zero are no layer", expected="another base", found="0")
        return with_number(source.dtype, self.base)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, OUTPUT)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """Row-major, however the exponents lie."""
        return (None,)
