"""Functions of pairs of values that are no arithmetic: angles, powers, sums of exponentials, and what lies between."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.binary.pair_function import Arithmetic, PairFunction, card
from archcost.layers.broadcasting import summed_back
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis, require_floating
from archcost.layers.derivative import PairFormula
from archcost.layers.dtypes import IN_FLOAT32_ON_CUDA, WIDEST_ON_CUDA
from archcost.layers.fields import Axis, Number
from archcost.layers.rows import row
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.layers.value_function import require_numbers
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Input
from archcost.work import Elementwise, Shared, Work


class FloatsOfPairs(PairFunction):
    """Of integers floats come out."""

    def output_types(self, inputs: Tensors) -> Tensors:
        (result,) = super().output_types(inputs)
        return (result if result.is_floating else TensorType(result.shape, "float32"),)


class FloatingPairs(PairFunction):
    """Of floats alone."""

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return super().output_types(inputs)


def pairs(base: type[PairFunction], name: str, what: str, formula: PairFormula, says: str) -> type[PairFunction]:
    """A function of torch that is one formula."""
    type_ = name.lower()
    cards = card(f"torch.{type_}", (type_,), time="transcendental")
    return row(__name__, base, name, type_, f"{says} (torch.{type_}).", cards, formula=formula, what=what)


LogAddExp = pairs(
    FloatingPairs,
    "LogAddExp",
    "exponentials added",
    PairFormula("log(exp(a) + exp(b))", ("dy/(1 + exp(b - a))", "dy/(1 + exp(a - b))")),
    "The logarithm of the sum of two exponentials: two exponentials, sum, logarithm",
)
LogAddExp2 = pairs(
    FloatingPairs,
    "LogAddExp2",
    "powers added",
    PairFormula("log2(2**a + 2**b)", ("dy/(1 + 2**(b - a))", "dy/(1 + 2**(a - b))")),
    "The logarithm to base 2 of the sum of two powers of 2: two powers, sum, logarithm",
)
CopySign = pairs(
    FloatsOfPairs,
    "CopySign",
    "signs given",
    PairFormula("copysign(a, b)", ("dy*(y/a)", "0"), saved="y"),
    "The first value with the sign of the second: one operation; backward division and product, and zeros",
)
XLogY = pairs(
    FloatsOfPairs,
    "XLogY",
    "multiplied with logarithms",
    PairFormula("xlogy(a, b)", ("masked(xlogy(dy, b), (a == 0) & (b <= 0))", "dy*a/b")),
    "a·log b, and 0 where a is: a logarithm and a product",
)
Hypot = pairs(
    FloatsOfPairs,
    "Hypot",
    "hypotenuse",
    PairFormula("sqrt(a*a + b*b)", ("dy*a/y", "dy*b/y"), saved="y"),
    "√(a² + b²): two products, sum, root; backward product and division",
)
LdExp = pairs(
    FloatsOfPairs,
    "LdExp",
    "powers of 2",
    PairFormula("a*2**b", ("dy*2**b", "dy*y*log(2)"), saved="y"),
    "a·2^b: a power and a product; backward as many for each",
)
FMax = pairs(
    PairFunction,
    "FMax",
    "compared",
    PairFormula(
        "max(a, b)", ("masked(dy, a >= b)", "masked(dy, a >= b)"), ("masked(dy, mask(a, b), mask(b))",) * 2, "ab"
    ),
    "The larger of each pair, or the one that is a number: a comparison, and one for each gradient",
)
FMin = pairs(
    PairFunction,
    "FMin",
    "compared",
    PairFormula(
        "min(a, b)", ("masked(dy, a <= b)", "masked(dy, a <= b)"), ("masked(dy, mask(a, b), mask(b))",) * 2, "ab"
    ),
    "The smaller of each pair, or the one that is a number: a comparison, and one for each gradient",
)


class XLog1pY(FloatsOfPairs):
    """a·log(1 + b), and 0 where a is (torch.special.xlog1py): sum, logarithm, product."""

    type: Literal["xlog1py"] = "xlog1py"
    prefix: ClassVar[str] = "xlog1py"
    card: ClassVar[Card] = card("special.xlog1py", ("special_xlog1py",), time="transcendental")
    formula: ClassVar[PairFormula] = PairFormula(
        "xlog1py(a, b)", ("masked(xlog1py(dy, b), (a == 0) & (b <= -1))", "dy*a/(b + 1)")
    )
    what: ClassVar[str] = "multiplied with logarithms"


class Atan2(FloatsOfPairs):
    """The angle of the point (b, a): one operation (torch.atan2).

    Backward dy·b/(a² + b²) and −dy·a/(a² + b²): the sum of squares, compared with 0, and its inverse once, two products
    for each, and a negation.
    """

    type: Literal["atan2"] = "atan2"
    prefix: ClassVar[str] = "atan2"
    card: ClassVar[Card] = card("torch.atan2", ("atan2", "arctan2"), time="transcendental", autocast=WIDEST_ON_CUDA)
    formula: ClassVar[PairFormula] = PairFormula("atan2(a, b)", ("dy*b*r", "dy*-a*r"))
    what: ClassVar[str] = "angles"

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        inverse = Elementwise(outputs[0].numel, 5, {}, "inverse squares")
        operands = tuple([index for index, tensor in enumerate(inputs) if tensor.is_floating])
        return (*super().work(inputs, outputs), Shared(inverse, operands, "1/(a² + b²)"))

    def autograd(self, call: Call) -> Autograd:
        """Both gradients are made together, beside the inverse and what was made of it where the sum is 0."""
        result, needed = call.result, [call.needs(0), call.needs(1)]
        squares = (call.inputs[0], call.inputs[1], result, result)
        both = (result, result, *[result] * (2 * needed[0] + 2 * needed[1]), *[call.source] * needed[1])
        return summed_back(call, (Input(0), Input(1)), during=(squares, both))


class PowTensor(Arithmetic):
    """A tensor to the power of another, one power (`x ** y`, torch.pow).

    Backward dy·b·a^(b − 1): difference, power, two products, and 0 where b is; and dy·y·log a: logarithm, two products,
    and 0 where a is and b is not negative, which takes two comparisons and their conjunction.
    """

    type: Literal["pow_tensor"] = "pow_tensor"
    prefix: ClassVar[str] = "pow"
    card: ClassVar[Card] = card("Tensor.pow", time="transcendental", autocast=IN_FLOAT32_ON_CUDA)
    formula: ClassVar[PairFormula] = PairFormula(
        "a**b",
        ("where(b == 0, 0, dy*(b*a**(b - 1)))", "dy*where((a == 0) & (b >= 0), 0, y*log(a))"),
        made=("where(b == 0, 0, dy*(b*a**(b - 1)))", "dy*where(mask(a, b), 0, y*log(a))"),
        saved="aby",
    )
    what: ClassVar[str] = "powers"

    def output_types(self, inputs: Tensors) -> Tensors:
        for tensor in inputs:
            require_numbers(tensor)
        return super().output_types(inputs)


class Lerp(Arithmetic):
    """a + w·(b − a), between two tensors (torch.lerp): difference, product, sum. w is the number `weight`, or a third
    input.

    Backward dy·(1 − w) and dy·w, and for the third dy·(b − a).
    """

    type: Literal["lerp"] = "lerp"
    prefix: ClassVar[str] = "lerp"
    arity: ClassVar[Arity] = Arity(2, 3)
    card: ClassVar[Card] = card("Tensor.lerp")
    formula: ClassVar[PairFormula] = PairFormula("a + c*(b - a)", ("dy*(1 - c)", "dy*c", "dy*(b - a)"), saved="c")
    what: ClassVar[str] = "interpolated"
    worked_first: ClassVar[tuple[int, ...]] = (1, 0, 2)
    weight: Number | None = None

    def chosen(self) -> PairFormula:
        if self.weight is None:
            return self.formula
        return PairFormula("a + weight*(b - a)", ("dy*(1 - weight)", "dy*weight"))

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if (len(inputs) == 3) == (self.weight is not None):
            found = "both" if self.weight is not None else "neither"
            raise ShapeError("needs a third input or the number weight", expected="one of them", found=found)
        if len({tensor.dtype for tensor in inputs}) > 1:
            found = " and ".join(str(tensor) for tensor in inputs)
            raise ShapeError("inputs have different dtypes", expected=inputs[0].dtype, found=found)
        return super().output_types(inputs)


class Cross(FloatingPairs):
    """The product of vectors of 3 values along `dim`, at right angles to both (torch.linalg.cross).

    Two products and a difference a value, forward, and for each gradient.
    """

    type: Literal["cross"] = "cross"
    prefix: ClassVar[str] = "cross"
    card: ClassVar[Card] = card(None)
    formula: ClassVar[PairFormula] = PairFormula("a*b - a*b", ("b*dy - b*dy", "dy*a - dy*a"), ("dy*b", "dy*a"))
    what: ClassVar[str] = "vectors multiplied"
    dim: Axis = -1

    def output_types(self, inputs: Tensors) -> Tensors:
        (result,) = super().output_types(inputs)
        axis = normalize_axis(self.dim, result.rank)
        ranks = {tensor.rank for tensor in inputs}
        if len(ranks) > 1 or any(tensor.shape[axis] != 3 for tensor in inputs):
            found = " and ".join(str(tensor) for tensor in inputs)
            raise ShapeError("needs vectors of 3 values", expected=f"3 along axis {axis}", found=found)
        return (result,)

    def placement(self, call: Call) -> Placement:
        return own_storage(call)
