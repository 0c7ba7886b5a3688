"""Functions of each value alone, as code writes them between modules: exp(x), x², 2·x + 1.

`inplace: true` is the method with an underscore (x.exp_()). Torch composes the gradients of most of several operators.
"""

from __future__ import annotations

from functools import reduce
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.card import Card, onnx
from archcost.layers.dtypes import AS_GIVEN, IN_FLOAT32_ON_CUDA, Autocast
from archcost.layers.fields import Count, Number, Scalar
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.layers.value_function import (
    Formula,
    Integers,
    OverwritingFunction,
    ValueFunction,
    function,
    require_numbers,
)
from archcost.tensors import FLOATING, TensorType, with_number
from archcost.terms.autograd import PASSED_ON, Own, excess
from archcost.terms.time_classes import TimeClass


def card(torch: str | None, calls: tuple[str, ...], operator: str | None, autocast: Autocast, time: TimeClass) -> Card:
    """What all functions of one value have in common beside these: fvcore leaves them out."""
    return Card(
        torch=torch,
        calls=calls,
        onnx=onnx(operator) if operator else None,
        autocast=autocast,
        promotion="first",
        fvcore="nothing",
        time=time,
        blas=False,
    )


def unary(
    name: str,
    operator: str | None,
    autocast: Autocast,
    time: TimeClass,
    forward: str,
    backward: str,
    *synonyms: str,
    integers: Integers = "float32",
    complex_backward: str | None = None,
) -> type[OverwritingFunction]:
    """A method of tensors that has a twin with an underscore. `complex_backward` is that of complex numbers."""
    type_ = name.lower()
    formula = Formula(forward, backward, is_composed=True)
    cards = card(f"Tensor.{type_}", (type_, *synonyms), operator, autocast, time)
    made = function(__name__, OverwritingFunction, name, type_, formula, cards, integers)
    if complex_backward is not None:
        made.complex_formula = Formula(forward, complex_backward, is_composed=True)
        made.takes_complex = True
    return made


def hyperbolic(name: str, backward: str, synonym: str) -> type[ValueFunction]:
    """One that torch does not overwrite with."""
    type_ = name.lower()
    formula = Formula(f"{type_}(x)", backward, is_composed=True)
    cards = card(f"torch.{type_}", (type_, synonym), name, AS_GIVEN, "transcendental")
    return function(__name__, ValueFunction, name, type_, formula, cards, "float32")


def step(name: str, operator: str | None, *synonyms: str) -> type[OverwritingFunction]:
    """Constant but for steps: one operation, and zeros for a gradient."""
    return unary(name, operator, AS_GIVEN, "elementwise", f"{name.lower()}(x)", "0", *synonyms, integers="kept")


Decimals = Annotated[int, Field(strict=True, ge=-30, le=30)]

F32, PLAIN, SLOW = IN_FLOAT32_ON_CUDA, AS_GIVEN, "transcendental"

Exp = unary("Exp", "Exp", F32, SLOW, "exp(x)", "dy*y", complex_backward="dy*conj(y)")
Expm1 = unary("Expm1", None, F32, SLOW, "exp(x) - 1", "dy*(y + 1)")
Log = unary("Log", "Log", F32, SLOW, "log(x)", "dy/x")
Log1p = unary("Log1p", None, F32, SLOW, "log(1 + x)", "dy/(1 + x)")
Log2 = unary("Log2", None, F32, SLOW, "log2(x)", "dy/(x*log(2))")
Log10 = unary("Log10", None, F32, SLOW, "log10(x)", "dy/(x*log(10))")
Sqrt = unary("Sqrt", "Sqrt", PLAIN, "elementwise", "sqrt(x)", "dy/(2*y)")
Rsqrt = unary("Rsqrt", None, F32, "elementwise", "1/sqrt(x)", "-0.5*dy*y**3")
Reciprocal = unary("Reciprocal", "Reciprocal", F32, "elementwise", "1/x", "-dy*(y*y)", complex_backward="-dy*conj(y*y)")
Erf = unary("Erf", "Erf", PLAIN, SLOW, "erf(x)", "2/pi**0.5*exp(-x**2)*dy")
Exp2 = unary("Exp2", None, PLAIN, SLOW, "2**x", "dy*y*log(2)", "special_exp2")
Erfinv = unary("Erfinv", None, F32, SLOW, "erfinv(x)", "0.5*pi**0.5*exp(erfinv(x)**2)*dy", "special_erfinv")
Lgamma = unary("Lgamma", None, PLAIN, SLOW, "lgamma(x)", "dy*digamma(x)", "special_gammaln")
Digamma = unary("Digamma", None, PLAIN, SLOW, "digamma(x)", "dy*polygamma(1, x)", "special_digamma", "special_psi")
I0 = unary("I0", None, PLAIN, SLOW, "i0(x)", "dy*i1(x)", "special_i0")
Erfc = unary("Erfc", None, PLAIN, SLOW, "erfc(x)", "-2/pi**0.5*exp(-x**2)*dy")
Sin = unary("Sin", "Sin", PLAIN, SLOW, "sin(x)", "dy*cos(x)")
Cos = unary("Cos", "Cos", PLAIN, SLOW, "cos(x)", "dy*-sin(x)")
Tan = unary("Tan", "Tan", F32, SLOW, "tan(x)", "dy*(1 + y**2)")
Sinh = unary("Sinh", "Sinh", F32, SLOW, "sinh(x)", "dy*cosh(x)")
Cosh = unary("Cosh", "Cosh", F32, SLOW, "cosh(x)", "dy*sinh(x)")
Asin = unary("Asin", "Asin", F32, SLOW, "asin(x)", "dy*rsqrt(-x*x + 1)", "arcsin")
Acos = unary("Acos", "Acos", F32, SLOW, "acos(x)", "dy*-rsqrt(-x*x + 1)", "arccos")
Atan = unary("Atan", "Atan", PLAIN, SLOW, "atan(x)", "dy/(x*x + 1)", "arctan")
Acosh = hyperbolic("Acosh", "dy*rsqrt(x*x - 1)", "arccosh")
Asinh = hyperbolic("Asinh", "dy*rsqrt(x**2 + 1)", "arcsinh")
Acosh = hyperbolic("Acosh", "dy*rsqrt(x*x - 1)", "arccosh")
Atanh = hyperbolic("Atanh", "dy*1/(1 - x**2)", "arctanh")
Abs = unary("Abs", "Abs", PLAIN, "elementwise", "abs(x)", "dy*sign(x)", "absolute", integers="kept")
Neg = unary("Neg", "Neg", PLAIN, "elementwise", "-x", "-dy", "negative", integers="kept", complex_backward="-dy")
Sign = step("Sign", "Sign")
Floor = step("Floor", "Floor")
Ceil = step("Ceil", "Ceil")
Trunc = step("Trunc", None, "fix")


def special(name: str, type_: str, forward: str, backward: str) -> type[ValueFunction]:
    """A function of torch.special, which has no method that overwrites."""
    cards = card(f"special.{type_}", (f"special_{type_}",), None, PLAIN, SLOW)
    return function(
        __name__, ValueFunction, name, type_, Formula(forward, backward, is_composed=True), cards, "float32"
    )


Entr = special("Entr", "entr", "-x*log(x)", "dy*(-(1 + log(x)))")
I0e = special("I0e", "i0e", "i0e(x)", "(i1e(x) - sign(x)*y)*dy")
Ndtri = special("Ndtri", "ndtri", "ndtri(x)", "(2*pi)**0.5*exp(y**2/2)*dy")
LogNdtr = special("LogNdtr", "log_ndtr", "log_ndtr(x)", "exp(-(y + x**2/2))/(2*pi)**0.5*dy")
Erfcx = special("Erfcx", "erfcx", "erfcx(x)", "(2*x*y - 2/pi**0.5)*dy")


class Round(OverwritingFunction):
    """The nearest whole number, or multiple of 10^−`decimals`, for which it is scaled and scaled back (torch.round).

    One operation, or three. Backward gives zeros.
    """

    type: Literal["round"] = "round"
    prefix: ClassVar[str] = "round"
    card: ClassVar[Card] = card("Tensor.round", ("round",), "Round", PLAIN, "elementwise")
    integers: ClassVar[Integers] = "kept"
    formula: ClassVar[Formula] = Formula("round(x)", "0", is_composed=True)
    decimals: Decimals = 0

    def chosen(self) -> Formula:
        return (
            self.formula if self.decimals == 0 else Formula("round(x*10**decimals)/10**decimals", "0", is_composed=True)
        )


class Frac(OverwritingFunction):
    """x without what truncation leaves of it (torch.frac): truncation and difference.

    Backward passes the gradient on.
    """

    type: Literal["frac"] = "frac"
    prefix: ClassVar[str] = "frac"
    card: ClassVar[Card] = card("Tensor.frac", ("frac",), None, PLAIN, "elementwise")
    formula: ClassVar[Formula] = Formula("x - trunc(x)", "dy")

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (PASSED_ON,))


class Sinc(OverwritingFunction):
    """sin(πx)/(πx), and 1 where x is 0 (torch.sinc): product, comparison, sine, division."""

    type: Literal["sinc"] = "sinc"
    prefix: ClassVar[str] = "sinc"
    card: ClassVar[Card] = card("Tensor.sinc", ("sinc", "special_sinc"), None, PLAIN, SLOW)
    integers: ClassVar[Integers] = "float32"
    formula: ClassVar[Formula] = Formula(
        "t = pi*x; where(t == 0, 1, sin(t)/t)",
        "t = pi*x; d = x*x*pi; where(d == 0, 0, dy*((t*cos(t) - sin(t))/d))",
    )

    def factors(self, call: Call) -> tuple[Own, ...]:
        """πx, πx², and all from the cosine to the product, less the gradient, which is chosen of them afterwards."""
        return excess("factors of the gradient", 7 * call.source.numel, call.source.dtype)


class Polygamma(OverwritingFunction):
    """The derivative of order `n` of the digamma function (torch.polygamma): one operation; backward dy·ψ(n + 1)(x)."""

    type: Literal["polygamma"] = "polygamma"
    prefix: ClassVar[str] = "polygamma"
    card: ClassVar[Card] = card("Tensor.polygamma", ("polygamma", "special_polygamma"), None, PLAIN, SLOW)
    integers: ClassVar[Integers] = "float32"
    formula: ClassVar[Formula] = Formula("polygamma(n, x)", "dy*polygamma(n + 1, x)", is_composed=True)
    n: Count


class Numbered(OverwritingFunction):
    """With numbers, of which a float makes floats of integers."""

    def numbers(self) -> tuple[float, ...]:
        raise NotImplementedError

    def result_dtype(self, source: TensorType) -> str:
        return reduce(with_number, self.numbers(), source.dtype)


class Pow(Numbered):
    """x to the number `exponent`, one power; dy·p·x^(p − 1): power and two products (torch.pow).

    The gradient of a power 0 is zeros.
    """

    type: Literal["pow"] = "pow"
    prefix: ClassVar[str] = "pow"
    card: ClassVar[Card] = card("Tensor.pow", ("pow", "float_power"), None, F32, SLOW)
    formula: ClassVar[Formula] = Formula("x**exponent", "dy*(exponent*x**(exponent - 1))", is_composed=True)
    exponent: Scalar

    def chosen(self) -> Formula:
        return self.formula if self.exponent else self.formula._replace(backward="0", saved="x")

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


class Clamp(Numbered):
    """min(max(x, min), max), of which one may be left out; dy where neither held (torch.clamp)."""

    type: Literal["clamp"] = "clamp"
    prefix: ClassVar[str] = "clamp"
    card: ClassVar[Card] = card("Tensor.clamp", ("clamp", "clip"), None, PLAIN, "elementwise")
    formula: ClassVar[Formula] = Formula("min(max(x, least), most)", "where(least <= x <= most, dy, 0)")
    min: Scalar | None = None
    max: Scalar | None = None

    @model_validator(mode="after")
    def _some_bound(self) -> Clamp:
        if self.min is None and self.max is None:
            raise PydanticCustomError("bound", "Input should have min or max")
        return self

    def chosen(self) -> Formula:
        if self.max is None:
            return Formula("max(x, least)", "where(x >= least, dy, 0)")
        return self.formula if self.min is not None else Formula("min(x, most)", "where(x <= most, dy, 0)")

    def numbers(self) -> tuple[float, ...]:
        return tuple(bound for bound in (self.min, self.max) if bound is not None)

    def result_dtype(self, source: TensorType) -> str:
        require_numbers(source)
        return super().result_dtype(source)

    def factors(self, call: Call) -> tuple[Own, ...]:
        """A mask for each bound, and the zero that stands for the others' gradient."""
        masks = TensorType((len(self.numbers()) * call.source.numel,), "bool")
        return (Own("masks", masks), Own("zero", TensorType((), call.source.dtype)))


class Scale(Numbered):
    """x·factor + shift with numbers (`x * 2`, `x / 2`, `x + 1`): only what changes something is done, or the product.

    Backward a product with the factor; a shift passes the gradient on. A number written as a float, 2.0, makes
    floats of integers.
    """

    type: Literal["scale"] = "scale"
    prefix: ClassVar[str] = "scale"
    card: ClassVar[Card] = card(None, (), None, PLAIN, "elementwise")
    formula: ClassVar[Formula] = Formula("x*factor + shift", "dy*factor")
    takes_complex: ClassVar[bool] = True
    factor: Scalar = 1
    shift: Scalar = 0

    def chosen(self) -> Formula:
        if not self.multiplies():
            return Formula("x + shift", "dy")
        return self.formula if self.shift != 0 else Formula("x*factor", "dy*factor")

    def multiplies(self) -> bool:
        return self.factor != 1 or self.shift == 0

    def numbers(self) -> tuple[float, ...]:
        return (*((self.factor,) if self.multiplies() else ()), *((self.shift,) if self.shift != 0 else ()))

    def autograd(self, call: Call) -> Autograd:
        """The product stands while the shift is added to it."""
        if not self.multiplies():
            return Autograd((), (PASSED_ON,))
        product = TensorType(call.source.shape, with_number(call.source.dtype, self.factor))
        is_temporary = not self.inplace and self.shift != 0
        return Autograd((), call.inputs, forward=(Own("product", product),) if is_temporary else ())


class Rsub(ValueFunction):
    """`other` − x with a number (`1 - x`, torch.rsub); −dy."""

    type: Literal["rsub"] = "rsub"
    prefix: ClassVar[str] = "sub"
    card: ClassVar[Card] = card("torch.rsub", ("rsub",), None, PLAIN, "elementwise")
    formula: ClassVar[Formula] = Formula("other - x", "-dy")
    takes_complex: ClassVar[bool] = True
    other: Scalar = 1

    def result_dtype(self, source: TensorType) -> str:
        require_numbers(source)
        return with_number(source.dtype, self.other)


class RPow(ValueFunction):
    """The number `base` to the power x, one power; dy·y·log b, two products (`2 ** x`, torch.pow)."""

    type: Literal["rpow"] = "rpow"
    prefix: ClassVar[str] = "pow"
    card: ClassVar[Card] = card(None, ("rpow",), None, F32, SLOW)
    formula: ClassVar[Formula] = Formula("base**x", "dy*(y*log(base))", saved="xy", is_composed=True)
    base: Scalar

    def result_dtype(self, source: TensorType) -> str:
        require_numbers(source)
        if self.base == 0:
            raise ShapeError("powers of zero are no layer", expected="another base", found="0")
        return with_number(source.dtype, self.base)

    def placement(self, call: Call) -> Placement:
        """Row-major, however the exponents lie."""
        return own_storage(call)


class NanToNum(ValueFunction):
    """x where it is a finite number, else `nan` or a bound (torch.nan_to_num): 2 comparisons; a mask and a product."""

    type: Literal["nan_to_num"] = "nan_to_num"
    prefix: ClassVar[str] = "nan_to_num"
    card: ClassVar[Card] = card("torch.nan_to_num", ("nan_to_num",), None, PLAIN, "elementwise")
    formula: ClassVar[Formula] = Formula("where(isnan(x), nan, where(isinf(x), bound, x))", "dy*isfinite(x)")
    nan: Number = 0.0
    posinf: Number | None = None
    neginf: Number | None = None

    def factors(self, call: Call) -> tuple[Own, ...]:
        """Whether |x| is finite and x a number, made before the gradient, with |x| in the gradient's place."""
        return (Own("masks", TensorType((3 * call.source.numel,), "bool")),)


class Logit(ValueFunction):
    """log(x/(1 − x)); with `eps` x is first clamped to what lies between eps and 1 − eps (torch.logit)."""

    type: Literal["logit"] = "logit"
    prefix: ClassVar[str] = "logit"
    card: ClassVar[Card] = card("torch.logit", ("logit",), None, PLAIN, SLOW)
    formula: ClassVar[Formula] = Formula("log(x/(1 - x))", "dy/(x*(1 - x))")
    eps: Number | None = None

    def chosen(self) -> Formula:
        if self.eps is None:
            return self.formula
        clamped = "z = min(max(x, eps), 1 - eps); log(z/(1 - z))"
        return Formula(clamped, "where(eps <= x <= 1 - eps, dy/(x*(1 - x)), 0)")
