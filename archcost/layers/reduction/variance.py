"""Variance and standard deviation."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Count
from archcost.layers.dtypes import AS_GIVEN, Autocast
from archcost.layers.reduction.reduce import FoldingAxes
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, Own, Saved, Scratch, Setting
from archcost.terms.time_classes import TimeClass
from archcost.work import Reduction, Work


class Spread(FoldingAxes):
    """Σ(x − mean)²/(n − correction): addition, difference, square, sum a value read.

    Backward 2/(n − correction)·dy·(x − mean): the mean again, difference, product.
    """

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "reduction"
    correction: Count = 1
    made_backward: ClassVar[int]
    """How many tensors like the output backward makes beside the differences."""

    def output_types(self, inputs: Tensors) -> Tensors:
        values = prod(inputs[0].shape[axis] for axis in self.axes(inputs))
        if values <= self.correction:
            raise ShapeError(
                "too few values for a variance", expected=f"more than correction, {self.correction}", found=str(values)
            )
        return super().output_types(inputs)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        factors = TensorType((self.made_backward * outputs[0].numel,), outputs[0].dtype)
        return Scratch(backward=(Own("differences", inputs[0]), Own("mean and factors", factors)))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 4, {0: 3}, "squared differences"),)


class Var(Spread):
    """Variance over one axis or several (torch.var): mean, difference, square, sum a value read.

    Backward 2/(n − correction)·dy·(x − mean): the mean again, difference, product.
    """

    type: Literal["var"] = "var"
    prefix: ClassVar[str] = "var"
    made_backward: ClassVar[int] = 2

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT,)


class Std(Spread):
    """Standard deviation over one axis or several (torch.std): as the variance, whose root is not counted."""

    type: Literal["std"] = "std"
    prefix: ClassVar[str] = "std"
    made_backward: ClassVar[int] = 3

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (INPUT, OUTPUT)
