"""Norms over axes, of any order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from archcost.layers.card import Card
from archcost.layers.dtypes import FLOAT32_OUT_ON_CUDA
from archcost.layers.fields import Scalar
from archcost.layers.reduction.folding import FoldingAxes, card
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, Moment, before_cast, beyond, worst_moment
from archcost.work import Reduction, Work

Order = Scalar | Literal["inf", "-inf"]


def operations(order: Order) -> tuple[int, int]:
    """A value, forward and backward.

    1: absolute value, sum; dy·sign x. 2: square, sum; dy·x/y. inf: absolute value, comparison; dy/n·sign x·[|x| = y] of
    n equals. 0: comparison, sum; no gradient. p from 2: |x|^p and sum; dy/y^(p − 1)·x·|x|^(p − 2). Others:
    dy/y^(p − 1)·sign x·|x|^(p − 1).
    """
    match order:
        case 1 | 2:
            return 2, 2
        case "inf" | "-inf":
            return 2, 6
        case 0:
            return 2, 0
        case _:
            return 3, 4 if order > 2 else 5


class Norm(FoldingAxes):
    """(Σ|x|^p)^(1/p) over one axis or several, p being `ord` (torch.linalg.vector_norm).

    So it is Σ|x| for 1, √Σx² for 2, the largest |x| for inf, the smallest for -inf, and for 0 how many are not zero.
    """

    type: Literal["norm"] = "norm"
    prefix: ClassVar[str] = "norm"
    card: ClassVar[Card] = card(None, autocast=FLOAT32_OUT_ON_CUDA)
    ord: Order = 2

    def autograd(self, call: Call) -> Autograd:
        if self.ord == 0:
            return Autograd((INPUT, OUTPUT), (None,))
        source, result = call.source, call.result
        wide = before_cast(source, result.dtype)
        alive = beyond("factors of the gradient", worst_moment(made(self.ord, source, result)), (source,))
        return Autograd((INPUT, OUTPUT), call.inputs, backward=(*alive, *wide))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        forward, backward = operations(self.ord)
        return (Reduction(inputs[0].numel, forward, {0: backward}, self._what()),)

    def _what(self) -> str:
        match self.ord:
            case 1:
                return "absolute values"
            case 2:
                return "squares"
            case 0 | "inf" | "-inf":
                return "compared"
            case _:
                return "powers"


def made(order: Order, source: TensorType, result: TensorType) -> Iterator[Moment]:
    """What lives while the gradient is made, which is of it (`linalg_vector_norm_backward` in FunctionsManual.cpp)."""
    every, each = TensorType(source.shape, result.dtype), result
    mask = TensorType(source.shape, "bool")
    match order:
        case 1:
            yield (source, every)
        case 2:
            yield (every, TensorType(result.shape, "bool"), every)
        case "inf" | "-inf":
            counts = TensorType(result.shape, "int64")
            yield (source, mask, source, counts, each, every, every)
            yield (source, mask, mask, mask)
        case _ if order > 2:
            yield (source, every)
            yield (every, each, every)
        case _ if order > 1:
            yield (source, source, every)
            yield (every, each, every)
        case _:
            yield (source, mask, source, every)
            yield (every, each, every, every)
