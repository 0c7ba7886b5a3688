"""The fully connected layer."""

from __future__ import annotations

from math import prod
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Flag, Size, Weight, WeightedLayer, WeightReference, require_floating
from archcost.layers.dtypes import IN_16_BITS, Autocast, Outcome
from archcost.layers.rules import Quirk
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, NO_SCRATCH, Own, Saved, Scratch, Setting, Stored
from archcost.terms.expressions import Step
from archcost.terms.memory_format import is_row_major, view
from archcost.terms.time_classes import TimeClass, is_unaligned
from archcost.terms.windows import SAME, WHOLE, Rules
from archcost.work import Contraction, Elementwise, Work


class Linear(WeightedLayer):
    """(…, in) → (…, out); weight (out, in); MACs rows·in·out (torch.nn.Linear)."""

    prefix: ClassVar[str] = "fc"
    autocast: ClassVar[Autocast] = IN_16_BITS
    time_class: ClassVar[TimeClass] = "product"
    comes_out: ClassVar[Outcome] = "first"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["weight gradient is view", "sums bias gradient"])
    """Torch multiplies by `weight.t()`, whose backward turns the product around again."""

    type: Literal["linear"] = "linear"
    out_features: Size
    bias: Flag = True
    weight: WeightReference | None = None

    @property
    def shared_weight(self) -> str | None:
        return self.weight

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        if inputs[0].rank < 2:
            raise ShapeError("needs features", expected="(batch, …, features)", found=str(inputs[0]))
        return (TensorType((*inputs[0].shape[:-1], self.out_features), inputs[0].dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        matrix = Weight("weight", (self.out_features, inputs[0].shape[-1]))
        return (matrix, Weight("bias", (self.out_features,))) if self.bias else (matrix,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        matrix = Contraction(outputs[0].numel * inputs[0].shape[-1])
        added = Elementwise(outputs[0].numel, 1, {"bias": 1}, "bias added")
        return (matrix, added) if self.bias else (matrix,)

    def timed(self, inputs: Tensors, outputs: Tensors) -> TimeClass:
        unaligned = is_unaligned(inputs[0].dtype, inputs[0].shape[-1], self.out_features)
        return "unaligned product" if unaligned else self.time_class

    def extents(self, inputs: Tensors, outputs: Tensors) -> tuple[int, ...]:
        """Columns and depth. Rows grow with the batch, and what few of them leave idle is the launch's."""
        return self.out_features, inputs[0].shape[-1]

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Each operand for the other's gradient. The input is seen as a matrix: a copy, where no view is one."""
        rows: Saved = INPUT if self._is_matrix(inputs, setting) else Own("rows of the input", self._rows(inputs))
        return (*((Stored("weight"),) if 0 in setting.needs else ()), *((rows,) if "weight" in setting.needs else ()))

    def _rows(self, inputs: Tensors) -> TensorType:
        source = inputs[0]
        return TensorType((source.numel // source.shape[-1], source.shape[-1]), source.dtype)

    def _is_matrix(self, inputs: Tensors, setting: Setting) -> bool:
        shape = inputs[0].shape
        return len(shape) == 2 or view(shape, setting.layout(0), self._rows(inputs).shape) is not None

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Where the weight is frozen, torch takes the input as a stack of matrices, by a copy if it must.

        Without autograd the weight is not, as a rule: its transpose asks for a gradient under `no_grad` too, and torch
        makes a matrix of the input as it would for that (`should_fold` in native/LinearAlgebra.cpp).
        """
        if "weight" in setting.needs:
            return NO_SCRATCH
        if not setting.needs and not setting.training:
            rows = Own("rows of the input", self._rows(inputs))
            return NO_SCRATCH if self._is_matrix(inputs, setting) else Scratch(forward=(rows,))
        shape = inputs[0].shape
        stack = (prod(shape[:-2]), *shape[-2:])
        if len(shape) < 4 or view(shape, setting.layout(0), stack) is not None:
            return NO_SCRATCH
        return Scratch(forward=(Own("matrices of the input", inputs[0]),))

    def is_view(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> bool:
        """With a bias torch takes row-major values as a matrix, and sees the result in the shape that is wanted."""
        return self.bias and inputs[0].rank > 2 and is_row_major(inputs[0].shape, setting.layout(0))

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        """Of a matrix, where the input is none."""
        return inputs[0].rank > 2

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        """It mixes the last axis, which is a spatial one as soon as there are three."""
        middle = tuple(SAME for _ in outputs[0].shape[2:-1])
        return (*middle, WHOLE) if outputs[0].rank > 2 else ()

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        features = inputs[0].shape[-1]
        values = {"rows": inputs[0].numel // features, "n_in": features, "n_out": self.out_features}
        formula = "(n_in + 1)*n_out" if self.bias else "n_in*n_out"
        macs = Step("MACs", "rows*n_in*n_out", values, "every output value is one sum of n_in products")
        return (Step("parameters", formula, values), macs)
