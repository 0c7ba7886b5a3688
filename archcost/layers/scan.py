"""Layers that go along an axis and leave as many values: running sums, sorting."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Axis, Flag, FloatingDtype, Layer, Size, normalize_axis, require_floating
from archcost.layers.dtypes import AS_GIVEN, FLOAT32_OUT_ON_CUDA, Autocast, Outcome
from archcost.layers.indexing.gather import whole_along
from archcost.layers.memory_order import ValueByValue
from archcost.layers.reduction.reduce import summed
from archcost.layers.rules import Quirk
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import NO_SCRATCH, OUTPUT, PASSED_ON, Gradient, Output, Own, Saved, Scratch, Setting
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import Rules
from archcost.work import Reduction, Work


class Cumsum(Layer):
    """Running sum along `dim`, of integers in int64 (torch.cumsum): an addition a value, backwards as well.

    It comes out in `dtype`, if one is named.
    """

    type: Literal["cumsum"] = "cumsum"
    prefix: ClassVar[str] = "cumsum"
    autocast: ClassVar[Autocast] = FLOAT32_OUT_ON_CUDA
    time_class: ClassVar[TimeClass] = "reduction"
    comes_out: ClassVar[Outcome] = "first"
    dim: Axis
    dtype: FloatingDtype | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        normalize_axis(self.dim, inputs[0].rank)
        return (TensorType(inputs[0].shape, self.dtype or summed(inputs[0])),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON,) if self._is_single(inputs) else inputs

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """Turned round, summed, turned round again. For a result in another dtype the input is cast, on a CPU within
        the kernel, and back its gradient first.
        """
        if self._is_single(inputs):
            return NO_SCRATCH
        back = (Own("turned round", inputs[0]), Own("its sums", inputs[0]))
        if not inputs[0].is_floating or inputs[0] == outputs[0]:
            return Scratch(backward=back)
        cast = (Own("input cast", outputs[0]),) if setting.device == "cuda" else ()
        return Scratch(cast, (Own("gradient cast", inputs[0]), *back))

    def _is_single(self, inputs: Tensors) -> bool:
        return inputs[0].shape[self.dim] == 1

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {} if self._is_single(inputs) else {0: 1}, "summed"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class Sorting(ValueByValue):
    """Along `dim`, counted as one comparison a value. What comes out lies as the input does."""

    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "sort"
    comes_out: ClassVar[Outcome] = "first"
    dim: Axis = -1
    descending: Flag = False

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "compared"),)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        return super().layouts(inputs, outputs, setting) * len(outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class Sort(Sorting):
    """Values in order along `dim`, and where they were (torch.sort). Outputs: values, indices.

    Counted as one comparison a value; backward puts each gradient where its value was.
    """

    type: Literal["sort"] = "sort"
    prefix: ClassVar[str] = "sort"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["puts gradient back"])

    def output_types(self, inputs: Tensors) -> Tensors:
        normalize_axis(self.dim, inputs[0].rank)
        return (inputs[0], TensorType(inputs[0].shape, "int64"))

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Output(1),)


class ArgSort(Sorting):
    """Where along `dim` the values are in order (torch.argsort): one comparison a value. There is no gradient."""

    type: Literal["argsort"] = "argsort"
    prefix: ClassVar[str] = "argsort"

    def output_types(self, inputs: Tensors) -> Tensors:
        normalize_axis(self.dim, inputs[0].rank)
        return (TensorType(inputs[0].shape, "int64"),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """For the sorted values, until they are dropped."""
        return (OUTPUT,)

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        return Scratch((Own("sorted values", inputs[0]),))


class TopK(Layer):
    """The k largest values along `dim`, or smallest, and where they are (torch.topk). Outputs: values, indices."""

    type: Literal["topk"] = "topk"
    prefix: ClassVar[str] = "topk"
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "sort"
    comes_out: ClassVar[Outcome] = "first"
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["puts gradient back"])
    k: Size
    dim: Axis = -1
    largest: Flag = True
    sorted: Flag = True

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        shape = inputs[0].shape
        axis = normalize_axis(self.dim, len(shape))
        if self.k > shape[axis]:
            raise ShapeError("k is more than there are", expected=f"at most {shape[axis]}", found=str(self.k))
        picked = (*shape[:axis], self.k, *shape[axis + 1 :])
        return (TensorType(picked, inputs[0].dtype), TensorType(picked, "int64"))

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Output(1),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A comparison a value read, whatever k is and the order; backward puts gradients at their indices."""
        return (Reduction(inputs[0].numel, 1, {}, "compared"),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dim, inputs[0].rank)
        return (Step(f"output axis {axis}", "k", {"k": self.k}, "as k says"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)
