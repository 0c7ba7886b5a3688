"""Losses: a scalar at the end of the network. They have no weights; where labels are needed, they are an input."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import FLOAT32_OUT_ON_CUDA, IN_FLOAT32, Autocast, Outcome
from archcost.layers.fields import Number
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Input, Own, before_cast, excess
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Reduction, Work

Averaging = Literal["mean", "sum"]


def losing(torch: str | None, autocast: Autocast, time: TimeClass = "reduction", promotion: Outcome = "first") -> Card:
    """The card of a loss: torch composes the calls for it of others, which are heard one by one."""
    return Card(
        torch=torch,
        calls=(),
        onnx=None,
        autocast=autocast,
        promotion=promotion,
        fvcore="nothing",
        time=time,
        blas=False,
    )


class Loss(Layer):
    """Several axes in, a scalar out."""

    prefix: ClassVar[str] = "loss"

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        return None


class CrossEntropy(Loss):
    """−log softmax at the label, over axis 1 (torch.nn.CrossEntropyLoss).

    Inputs: scores (B, C, …) and labels (B, …) int64.
    """

    type: Literal["cross_entropy"] = "cross_entropy"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = losing("nn.CrossEntropyLoss", Autocast("float32", "float32 out"), "softmax")
    reduction: Averaging = "mean"

    def output_types(self, inputs: Tensors) -> Tensors:
        scores, labels = inputs
        require_floating((scores,))
        if scores.rank < 2:
            raise ShapeError("needs scores of classes", expected="(batch, classes, …)", found=str(scores))
        wanted = TensorType((scores.shape[0], *scores.shape[2:]), "int64")
        if labels != wanted:
            raise ShapeError("the second input must be the labels", expected=str(wanted), found=str(labels))
        return (TensorType((), scores.dtype),)

    def autograd(self, call: Call) -> Autograd:
        """It keeps labels, the scores' log-probabilities, and the sum of the labels' weights. Backward makes the
        gradient of the log-probabilities before the scores'; the loss's own and the total weight, two scalars, are gone
        by then.

        On a GPU autocast leaves log_softmax in 16 bits, as its dtype is given (`cross_entropy_loss` in LossNLL.cpp),
        and casts what comes of it for nll_loss: both are kept, and the gradient in float32 comes first.
        """
        scores, dtype = call.source, call.result.dtype
        cast: tuple[Own, ...] = ()
        backward = excess("gradient of the log-probabilities", scores.numel - 2, scores.dtype)
        if dtype != scores.dtype:
            cast = (Own(f"log-probabilities in {dtype}", TensorType(scores.shape, dtype)),)
            backward = before_cast(scores, dtype)
        own = (Own("log-probabilities", scores), *cast, Own("total weight", TensorType((), dtype)))
        return Autograd((Input(1), *own), call.inputs, backward=backward, saves_for_nobody=True)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """log_softmax (5 a score), then an addition a label.

        Backward (softmax − one-hot), scaled: exp, difference, product.
        """
        scores, labels = inputs
        return (
            Reduction(scores.numel, 5, {0: 3}, "log_softmax"),
            Reduction(labels.numel, 1, {}, "picked and averaged"),
        )


class MSE(Loss):
    """Mean of (a − b)². Inputs: prediction and target of one shape (torch.nn.MSELoss)."""

    type: Literal["mse"] = "mse"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = losing("nn.MSELoss", IN_FLOAT32, promotion="promoted")
    reduction: Averaging = "mean"

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0] != inputs[1]:
            raise ShapeError(
                "prediction and target differ", expected=f"target {inputs[0]}", found=f"target {inputs[1]}"
            )
        return (TensorType((), inputs[0].dtype),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((INPUT, Input(1)), call.inputs)

    def placement(self, call: Call) -> Placement:
        """The scalar stays in the storage made for all squares (`TORCH_META_FUNC(mse_loss)` in native/Loss.cpp)."""
        return own_storage(call)._replace(allocated=(call.source,))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Difference, square, sum; backward, for each side, the difference again and a product with 2·dy/N."""
        return (Reduction(inputs[0].numel, 3, {0: 2, 1: 2}, "squared differences"),)


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
