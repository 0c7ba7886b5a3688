"""The loss of sequences whose labels are not aligned with them."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.card import Card
from archcost.layers.checks import require_floating, require_rank
from archcost.layers.dtypes import IN_FLOAT32_ON_CPU
from archcost.layers.loss.base import Loss, losing
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, Input, Own
from archcost.work import Reduction, Work


class CTC(Loss):
    """−log of the probability of each sample's labels, over all ways to spread them over its steps (torch.nn.CTCLoss,
    Graves et al. 2006), before samples are averaged.

    Inputs: log-probabilities (T, B, C) and labels (B, S) int64. Lengths are values, which stay on the host.
    """

    type: Literal["ctc"] = "ctc"
    arity: ClassVar[Arity] = Arity(2, 2)
    card: ClassVar[Card] = losing(None, IN_FLOAT32_ON_CPU)
    assumption: ClassVar[str] = "of ctc's samples, one has all the labels that there is room for"

    def output_types(self, inputs: Tensors) -> Tensors:
        scores, labels = inputs
        require_floating((scores,))
        require_rank(scores, 3, "(steps, batch, classes)")
        samples = scores.shape[1]
        if labels.rank != 2 or labels.shape[0] != samples or labels.is_floating:
            raise ShapeError("the second input must be the labels", expected=f"({samples}, labels)", found=str(labels))
        return (TensorType((samples,), scores.dtype),)

    def _ways(self, inputs: Tensors) -> TensorType:
        """A number for every sample, step, and label or blank between labels."""
        (steps, samples, _), labels = inputs[0].shape, inputs[1].shape[1]
        return TensorType((samples, steps, 2 * labels + 1), inputs[0].dtype)

    def autograd(self, call: Call) -> Autograd:
        """It keeps all that it is given, its result, and the probabilities of all beginnings (log α in LossCTC.cpp)."""
        beginnings = Own("probabilities of beginnings", self._ways(call.inputs))
        return Autograd((INPUT, Input(1), OUTPUT, beginnings), (call.source, None), saves_for_nobody=True)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Three ways lead to a label at a step: their maximum 2, differences 3, exp 3, sums 2, log 1, the maximum and
        the label's score added, 13. Backward the same from the end, and each way's share of its class: a sum, and one
        more exponential added to a logarithm 6, 20 in all. A score's gradient: two exp, two differences, a sum and a
        product, 6.
        """
        ways = self._ways(inputs).numel
        return (
            Reduction(ways, 13, {0: 20}, "ways to every label"),
            Reduction(inputs[0].numel, 0, {0: 6}, "shares of classes"),
        )
