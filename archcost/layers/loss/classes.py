"""Losses of scores of classes, and of labels that say which class is right."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.card import Card
from archcost.layers.checks import require_floating
from archcost.layers.dtypes import IN_FLOAT32, Autocast
from archcost.layers.fields import Number
from archcost.layers.loss.base import FoldedLoss, losing
from archcost.layers.rules import Autograd, Call, NewView, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Gradient, Input, Own, Saved, before_cast, excess
from archcost.terms.memory_format import is_row_major
from archcost.work import Elementwise, Reduction, Work


class ClassLoss(FoldedLoss):
    """Inputs: scores (B, C, …), labels (B, …) int64, and perhaps a weight for each class, which has no gradient.

    Labels that are ignored cost as much as others.
    """

    arity: ClassVar[Arity] = Arity(2, 3)
    untouched: ClassVar[frozenset[int]] = frozenset([2])
    most_axes: ClassVar[int | None] = None

    def output_types(self, inputs: Tensors) -> Tensors:
        scores, labels, *weight = inputs
        require_floating((scores,))
        wanted_axes = "(batch, classes)" if self.most_axes == 2 else "(batch, classes, …)"
        if scores.rank < 2 or (self.most_axes and scores.rank > self.most_axes):
            raise ShapeError("needs scores of classes", expected=wanted_axes, found=str(scores))
        wanted = TensorType(self.labels_shape(scores), "int64")
        if labels != wanted:
            raise ShapeError("the second input must be the labels", expected=str(wanted), found=str(labels))
        of_classes = scores._replace(shape=scores.shape[1:2])
        if weight and weight[0] != of_classes:
            raise ShapeError("the third input weighs classes", expected=str(of_classes), found=str(weight[0]))
        return (TensorType(self._each(scores) if self.reduction == "none" else (), scores.dtype),)

    def placement(self, call: Call) -> Placement:
        """Of three axes, or more than four, torch works on a view of four, and puts out a view (`nll_loss_nd`)."""
        is_view = self.reduction == "none" and call.source.rank not in (2, 4)
        return own_storage(call)._replace(is_view=is_view)

    def labels_shape(self, scores: TensorType) -> tuple[int, ...]:
        return self._each(scores)

    def _each(self, scores: TensorType) -> tuple[int, ...]:
        """The shape of what has a loss of its own."""
        return (scores.shape[0], *scores.shape[2:])

    def _picked(self, inputs: Tensors) -> Work:
        """An addition a label, with a weight a product and the sum of weights; backward the weight's product."""
        labels, added = inputs[1].numel, int(self.reduction != "none")
        if len(inputs) == 2:
            return Reduction(labels, added, {}, "picked and averaged")
        averaged = int(self.reduction == "mean")
        return Reduction(labels, 1 + added + averaged, {0: 1}, "picked, weighted and averaged")


def given_behind(call: Call) -> tuple[Saved, ...]:
    """Labels, and weights of classes."""
    return tuple([Input(index) for index in range(1, len(call.inputs))])


def scores_alone(call: Call) -> tuple[Gradient, ...]:
    """Gradients: of the scores."""
    return (call.source, *[None] * (len(call.inputs) - 1))


class CrossEntropy(ClassLoss):
    """−log softmax at the label, over axis 1 (torch.nn.CrossEntropyLoss).

    Inputs: scores (B, C, …), labels (B, …) int64, and perhaps a weight for each class. With smoothed labels or
    probabilities in place of labels it is other operators.
    """

    type: Literal["cross_entropy"] = "cross_entropy"
    card: ClassVar[Card] = losing(None, Autocast("float32", "float32 out"), "softmax")

    def autograd(self, call: Call) -> Autograd:
        """It keeps labels, the scores' log-probabilities, and the sum of the labels' weights. Backward makes the
        gradient of the log-probabilities before the scores'; the loss's own and the total weight are gone by then.

        On a GPU autocast leaves log_softmax in 16 bits, as its dtype is given (`cross_entropy_loss` in LossNLL.cpp),
        and casts what comes of it for nll_loss: both are kept, and the gradient in float32 comes first.
        """
        scores, dtype = call.source, call.result.dtype
        cast: tuple[Own, ...] = ()
        backward = excess("gradient of the log-probabilities", scores.numel - call.result.numel - 1, scores.dtype)
        if dtype != scores.dtype:
            cast = (Own(f"log-probabilities in {dtype}", TensorType(scores.shape, dtype)),)
            backward = before_cast(scores, dtype)
        own = (Own("log-probabilities", scores), *cast, Own("total weight", TensorType((), dtype)))
        saved: tuple[Saved, ...] = (*given_behind(call), *own)
        return Autograd(saved, scores_alone(call), backward=backward, saves_for_nobody=True)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """log_softmax (5 a score), then an addition a label.

        Backward (softmax − one-hot), scaled: exp, difference, product.
        """
        return (Reduction(inputs[0].numel, 5, {0: 3}, "log_softmax"), self._picked(inputs))


class NLL(ClassLoss):
    """−x at the label, over axis 1, of log-probabilities x (torch.nn.NLLLoss)."""

    type: Literal["nll"] = "nll"
    card: ClassVar[Card] = losing(None, IN_FLOAT32)

    def autograd(self, call: Call) -> Autograd:
        """It keeps all that it is given, and the sum of the labels' weights. Of three axes, or more than four, torch
        works on a view of four, of a copy where values do not lie row by row (`nll_loss_nd` in LossNLL.cpp).
        """
        reshaped = call.source.rank not in (2, 4)
        turned = reshaped and not is_row_major(call.source.shape, call.layout)
        scores: Saved = Own("row-major log-probabilities", call.source) if turned else Input(0)
        total = Own("total weight", TensorType((), call.result.dtype))
        gradient = NewView(call.source) if reshaped else call.source
        gradients = (gradient, *scores_alone(call)[1:])
        return Autograd((scores, *given_behind(call), total), gradients, saves_for_nobody=True)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Backward puts the same number at each label into zeros."""
        return (self._picked(inputs),)


class MultiMargin(ClassLoss):
    """Σ max(0, margin − x[label] + x[c])^p / C over all other classes c, p 1 or 2 (torch.nn.MultiMarginLoss)."""

    type: Literal["multi_margin"] = "multi_margin"
    card: ClassVar[Card] = losing(None, IN_FLOAT32)
    most_axes: ClassVar[int | None] = 2
    p: Literal[1, 2] = 1
    margin: Number = 1.0

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(0), *given_behind(call)), scores_alone(call))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A score: difference, sum, comparison, addition; backward as much. A square and a weight are a product more,
        both ways.
        """
        each = 4 + (self.p == 2) + (len(inputs) > 2)
        folded = int(self.reduction != "none")
        return (
            Reduction(inputs[0].numel, each, {0: each}, "margins"),
            Elementwise(inputs[1].numel, folded, {}, "averaged"),
        )


class MultilabelMargin(ClassLoss):
    """Σ max(0, 1 − x[label] + x[c]) / C over all labels of a sample and all other classes (torch.nn.
    MultiLabelMarginLoss). Inputs: scores (B, C) and labels (B, C) int64, up to the first −1 of each row.
    """

    type: Literal["multilabel_margin"] = "multilabel_margin"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = losing("nn.MultiLabelMarginLoss", IN_FLOAT32)
    most_axes: ClassVar[int | None] = 2
    assumption: ClassVar[str] = "a sample has one label; with k of them multilabel_margin does k times as much"

    def placement(self, call: Call) -> Placement:
        """Of three axes, or more than four, torch works on a view of four, and puts out a view (`nll_loss_nd`)."""
        is_view = self.reduction == "none" and call.source.rank not in (2, 4)
        return own_storage(call)._replace(is_view=is_view)

    def labels_shape(self, scores: TensorType) -> tuple[int, ...]:
        return scores.shape

    def autograd(self, call: Call) -> Autograd:
        """Which classes are labels is kept, in the dtype of the scores."""
        labels = Own("which classes are labels", call.source)
        return Autograd((Input(0), Input(1), labels), (call.source, None), saves_for_nobody=True)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A score: difference, sum, comparison, addition; backward as much."""
        folded = int(self.reduction != "none")
        return (
            Reduction(inputs[0].numel, 4, {0: 4}, "margins"),
            Elementwise(inputs[0].shape[0], folded, {}, "averaged"),
        )
