"""Losses of a prediction and a target, value by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.broadcasting import broadcast_shape
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.derivative import PairFormula, operations
from archcost.layers.dtypes import FLOAT32_OUT_ON_CUDA, IN_FLOAT32, Autocast
from archcost.layers.fields import Flag, Number
from archcost.layers.loss.base import FoldedLoss, Loss, losing
from archcost.layers.memory_order import value_by_value
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Gradient, Input, Moment, Own, beyond, worst_moment
from archcost.work import Elementwise, Operand, Reduction, Work


class PairLoss(FoldedLoss):
    """A loss of every pair of values, a of the prediction and b of the target, both of one shape.

    Constant factors of the gradient go with the number that arrives, and are not counted.
    """

    arity: ClassVar[Arity] = Arity(2, 2)
    formula: ClassVar[PairFormula]
    stays: ClassVar[bool] = True
    """Whether the folded value stays in the storage that was made for all values."""

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs[:1])
        prediction, target = inputs[:2]
        if prediction != target:
            raise ShapeError("prediction and target differ", expected=f"target {prediction}", found=f"target {target}")
        return (prediction if self.reduction == "none" else TensorType((), prediction.dtype),)

    def chosen(self) -> PairFormula:
        """The formula, where the fields choose between several."""
        return self.formula

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """The formula, and the sum where values are folded."""
        formula, added = self.chosen(), int(self.reduction != "none")
        gradients: dict[Operand, int] = {
            index: operations(backward) for index, backward in enumerate(formula.backward) if backward
        }
        return (Reduction(inputs[0].numel, operations(formula.forward) + added, gradients, self.type),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd(every_input(call), call.inputs)

    def placement(self, call: Call) -> Placement:
        if self.reduction == "none":
            return value_by_value(call)
        if not self.stays:
            return own_storage(call)
        return own_storage(call)._replace(allocated=(call.source,))


class MSE(PairLoss):
    """(a − b)² (torch.nn.MSELoss).

    Folded, the number stays in the storage made for all squares (`TORCH_META_FUNC(mse_loss)` in native/Loss.cpp).
    """

    type: Literal["mse"] = "mse"
    card: ClassVar[Card] = losing("nn.MSELoss", IN_FLOAT32, promotion="promoted", calls=("mse_loss",))
    formula: ClassVar[PairFormula] = PairFormula("(a - b)**2", ("dy*(a - b)", "dy*(b - a)"))


class SmoothL1(PairLoss):
    """|a − b| less β/2, or (a − b)²/2β where that is smaller than β (torch.nn.SmoothL1Loss).

    As torch has it, β = 0 is `l1_loss`, which is other operators.
    """

    type: Literal["smooth_l1"] = "smooth_l1"
    card: ClassVar[Card] = losing("nn.SmoothL1Loss", IN_FLOAT32, promotion="promoted")
    beta: Number = 1.0
    formula: ClassVar[PairFormula] = PairFormula(
        "d = abs(a - b); where(d < beta, 0.5*d*d/beta, d - beta/2)",
        (
            "d = a - b; where(d <= -beta, -dy, where(d >= beta, dy, dy*d/beta))",
            "d = b - a; where(d <= -beta, -dy, where(d >= beta, dy, dy*d/beta))",
        ),
    )

    def output_types(self, inputs: Tensors) -> Tensors:
        if self.beta <= 0:
            raise ShapeError("beta is where |a − b| becomes a square", expected="above 0", found=str(self.beta))
        return super().output_types(inputs)


class Huber(PairLoss):
    """(a − b)²/2, or δ·(|a − b| − δ/2) where |a − b| is above δ (torch.nn.HuberLoss)."""

    type: Literal["huber"] = "huber"
    card: ClassVar[Card] = losing("nn.HuberLoss", IN_FLOAT32, promotion="promoted")
    stays: ClassVar[bool] = False
    delta: Number = 1.0
    formula: ClassVar[PairFormula] = PairFormula(
        "d = abs(a - b); where(d <= delta, 0.5*d*d, delta*(d - delta/2))",
        (
            "d = a - b; where(d <= -delta, -delta*dy, where(d >= delta, delta*dy, dy*d))",
            "d = b - a; where(d <= -delta, -delta*dy, where(d >= delta, delta*dy, dy*d))",
        ),
    )

    def output_types(self, inputs: Tensors) -> Tensors:
        if self.delta <= 0:
            raise ShapeError("delta is where the square ends", expected="above 0", found=str(self.delta))
        return super().output_types(inputs)


class SoftMargin(PairLoss):
    """log(1 + exp(−b·a)), b = ±1 (torch.nn.SoftMarginLoss). Torch has no gradient for the target."""

    type: Literal["soft_margin"] = "soft_margin"
    card: ClassVar[Card] = losing("nn.SoftMarginLoss", IN_FLOAT32, promotion="promoted", calls=("soft_margin_loss",))
    untouched: ClassVar[frozenset[int]] = frozenset([1])
    formula: ClassVar[PairFormula] = PairFormula("log(1 + exp(-b*a))", ("e = exp(-b*a); -b*e/(e + 1)*dy", ""))

    def output_types(self, inputs: Tensors) -> Tensors:
        """A target may be integers."""
        prediction, target = inputs
        return super().output_types((prediction, target._replace(dtype=prediction.dtype)))

    def autograd(self, call: Call) -> Autograd:
        return Autograd((INPUT, Input(1)), (call.source, None))


class WeightedPairLoss(PairLoss):
    """One whose values may have weights, that stretch to the prediction: an input behind the target."""

    arity: ClassVar[Arity] = Arity(2, 3)
    untouched: ClassVar[frozenset[int]] = frozenset([2, 3])

    def output_types(self, inputs: Tensors) -> Tensors:
        prediction = inputs[0]
        for weight in inputs[2:]:
            stretched = broadcast_shape((prediction, weight))
            if stretched != prediction.shape or weight.dtype != prediction.dtype:
                raise ShapeError(
                    "weights do not stretch to the prediction", expected=f"weights for {prediction}", found=str(weight)
                )
        return super().output_types(inputs)

    def weighted(self, inputs: Tensors) -> bool:
        """Whether each value has a weight."""
        return len(inputs) > 2

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        works = super().work(inputs, outputs)
        if not self.weighted(inputs):
            return works
        return (*works, Elementwise(inputs[0].numel, 1, {0: 1, 1: 1}, "weighted"))


class BCE(WeightedPairLoss):
    """−b·log a − (1 − b)·log(1 − a) of probabilities (torch.nn.BCELoss); its third input are weights."""

    type: Literal["bce"] = "bce"
    card: ClassVar[Card] = losing(None, Autocast("float32", "refused"), promotion="promoted")
    formula: ClassVar[PairFormula] = PairFormula(
        "(b - 1)*max(log1p(-a), -100) - b*max(log(a), -100)",
        ("dy*(a - b)/max((1 - a)*a, 1e-12)", "dy*-log(a/(1 - a))"),
    )

    def autograd(self, call: Call) -> Autograd:
        return Autograd(every_input(call), first_two(call))

    def watched(self, call: Call) -> tuple[Own, ...]:
        """The target's gradient is then multiplied into another tensor (FunctionsManual.cpp)."""
        return (Own("logits of the prediction", call.source),) if call.needs(1) else ()


class BCEWithLogits(WeightedPairLoss):
    """`bce` of σ(a) (torch.nn.BCEWithLogitsLoss), worked out without the probabilities.

    Behind the target may stand weights, and with `pos_weight: true` last the factors p of positive answers.
    """

    type: Literal["bce_with_logits"] = "bce_with_logits"
    arity: ClassVar[Arity] = Arity(2, 4)
    card: ClassVar[Card] = losing(None, IN_FLOAT32, promotion="promoted")
    stays: ClassVar[bool] = False
    pos_weight: Flag = False
    formula: ClassVar[PairFormula] = PairFormula("(1 - b)*a + log(1 + exp(-a))", ("dy*(sigmoid(a) - b)", "-a*dy"))
    of_positives: ClassVar[PairFormula] = PairFormula(
        "(1 - b)*a + (1 + (p - 1)*b)*log(1 + exp(-a))",
        (
            "t = p*b; dy*((t + 1 - b)*sigmoid(a) - t)",
            "dy*(p*log(1 + exp(-a)) - log(1 + exp(a)))",
        ),
    )

    def output_types(self, inputs: Tensors) -> Tensors:
        if len(inputs) != 3 and len(inputs) == (2 if self.pos_weight else 4):
            raise ShapeError(
                "pos_weight says whether the last input is one",
                expected="3 or 4 inputs" if self.pos_weight else "2 or 3 inputs",
                found=str(len(inputs)),
            )
        return super().output_types(inputs)

    def chosen(self) -> PairFormula:
        return self.of_positives if self.pos_weight else self.formula

    def weighted(self, inputs: Tensors) -> bool:
        return len(inputs) > 2 + self.pos_weight

    def autograd(self, call: Call) -> Autograd:
        alive = worst_moment(self._moments(call, (3, 4) if self.pos_weight else (1, 2)))
        return Autograd(every_input(call), first_two(call), backward=_beyond_gradients(alive, call))

    def watched(self, call: Call) -> tuple[Own, ...]:
        """Nothing is then overwritten (FunctionsManual.cpp)."""
        return _beyond_gradients(worst_moment(self._moments(call, (6, 6) if self.pos_weight else (2, 2))), call)

    def _moments(self, call: Call, alive: tuple[int, int]) -> Iterator[Moment]:
        """The prediction's gradient, and the target's, at their worst: `alive` says how many tensors of each.

        The prediction's with p are their product, what is added up in place, and σ(a). The target's are what is
        negated, and with p two logarithms of σ, each with what its kernel hands out beside it.
        """
        before = call.needs(0)
        if before:
            yield (call.source,) * alive[0]
        if call.needs(1):
            yield (call.source,) * (before + alive[1])


def every_input(call: Call) -> tuple[Input, ...]:
    return tuple([Input(index) for index in range(len(call.inputs))])


def first_two(call: Call) -> tuple[Gradient, ...]:
    """Gradients: of prediction and target."""
    return (*call.inputs[:2], *[None] * (len(call.inputs) - 2))


def _beyond_gradients(alive: Moment, call: Call) -> tuple[Own, ...]:
    given = tuple([call.inputs[index] for index in (0, 1) if call.needs(index)])
    return beyond("unfinished gradients", alive, given)


class L1Penalty(Loss):
    """`weight`·Σ|x|, a sparse autoencoder's price on its code (Σ over the batch, divided by nothing)."""

    type: Literal["l1_penalty"] = "l1_penalty"
    prefix: ClassVar[str] = "penalty"
    card: ClassVar[Card] = losing(None, FLOAT32_OUT_ON_CUDA)
    weight: Number = 1.0

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return (TensorType((), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        """Backward takes the sign of the values. In 16 bits, of a sum in float32, the gradient of the absolute values
        is no view but a copy.
        """
        source = call.source
        copied = (Own("gradient of the absolute values", source),) if source.dtype != call.result.dtype else ()
        absolute = (Own("absolute values", source),)
        return Autograd((INPUT,), call.inputs, forward=absolute, backward=(*copied, Own("signs", source)))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Absolute value and sum; backward sign and product."""
        return (Reduction(inputs[0].numel, 2, {0: 2}, "absolute values"), Elementwise(1, 1, {}, "weighted"))
