"""Losses: a scalar at the end of the network. They have no weights; where labels are needed, they are an input."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer, Number, require_floating
from archcost.layers.dtypes import FLOAT32_OUT_ON_CUDA, IN_FLOAT32, Autocast, Outcome
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Input, Own, Saved, Scratch, Setting, before_cast, excess
from archcost.terms.time_classes import TimeClass
from archcost.work import Elementwise, Reduction, Work

Averaging = Literal["mean", "sum"]


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
    autocast: ClassVar[Autocast] = Autocast("float32", "float32 out")
    time_class: ClassVar[TimeClass] = "softmax"
    comes_out: ClassVar[Outcome] = "first"
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

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Labels, the scores' log-probabilities, and the sum of the labels' weights.

        On a GPU autocast leaves log_softmax in 16 bits, as its dtype is given (`cross_entropy_loss` in LossNLL.cpp),
        and casts what comes of it for nll_loss: both are kept.
        """
        (scores, _), dtype = inputs, outputs[0].dtype
        cast = () if dtype == scores.dtype else (Own(f"log-probabilities in {dtype}", TensorType(scores.shape, dtype)),)
        return (Input(1), Own("log-probabilities", scores), *cast, Own("total weight", TensorType((), dtype)))

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Their gradient, before the scores'. The loss's own and the total weight, two scalars, are gone by then."""
        scores, dtype = inputs[0], outputs[0].dtype
        if dtype != scores.dtype:  # that in float32 comes first, and is the largest
            return Scratch(self.unkept(inputs, outputs, setting), before_cast(scores, dtype))
        backward = excess("gradient of the log-probabilities", scores.numel - 2, scores.dtype)
        return Scratch(self.unkept(inputs, outputs, setting), backward)

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
    autocast: ClassVar[Autocast] = IN_FLOAT32
    time_class: ClassVar[TimeClass] = "reduction"
    comes_out: ClassVar[Outcome] = "promoted"
    reduction: Averaging = "mean"

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0] != inputs[1]:
            raise ShapeError(
                "prediction and target differ", expected=f"target {inputs[0]}", found=f"target {inputs[1]}"
            )
        return (TensorType((), inputs[0].dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(0), Input(1))

    def allocated(self, inputs: Tensors, outputs: Tensors) -> Tensors:
        """The scalar stays in the storage made for all squares (`TORCH_META_FUNC(mse_loss)` in native/Loss.cpp)."""
        return (inputs[0],)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Difference, square, sum; backward, for each side, the difference again and a product with 2·dy/N."""
        return (Reduction(inputs[0].numel, 3, {0: 2, 1: 2}, "squared differences"),)


class L1Penalty(Loss):
    """`weight`·Σ|x|, a sparse autoencoder's price on its code (Σ over the batch, divided by nothing)."""

    type: Literal["l1_penalty"] = "l1_penalty"
    prefix: ClassVar[str] = "penalty"
    autocast: ClassVar[Autocast] = FLOAT32_OUT_ON_CUDA
    time_class: ClassVar[TimeClass] = "reduction"
    comes_out: ClassVar[Outcome] = "first"
    weight: Number = 1.0

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        return (TensorType((), inputs[0].dtype),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """The values whose sign backward takes."""
        return (INPUT,)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """In 16 bits, of a sum in float32, the gradient of the absolute values is no view but a copy."""
        copied = (Own("gradient of the absolute values", inputs[0]),) if inputs[0].dtype != outputs[0].dtype else ()
        return Scratch((Own("absolute values", inputs[0]),), (*copied, Own("signs", inputs[0])))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Absolute value and sum; backward sign and product."""
        return (Reduction(inputs[0].numel, 2, {0: 2}, "absolute values"), Elementwise(1, 1, {}, "weighted"))
