"""Layers that go along an axis: running sums, sorting, and the largest values of it."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis, require_floating, whole_along
from archcost.layers.dtypes import AS_GIVEN, FLOAT32_OUT_ON_CUDA, Autocast
from archcost.layers.fields import Axis, Flag, FloatingDtype, Size
from archcost.layers.memory_order import value_by_value
from archcost.layers.rows import row
from archcost.layers.rules import Autograd, Call, Placement, Quirk, own_storage
from archcost.tensors import Tensors, TensorType, summed
from archcost.terms.autograd import INPUT, OUTPUT, PASSED_ON, Output, Own, excess
from archcost.terms.expressions import Step
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import Rules
from archcost.work import Reduction, Work


def card(torch: str, calls: tuple[str, ...] = (), time: TimeClass = "sort", autocast: Autocast = AS_GIVEN) -> Card:
    return Card(
        torch=torch,
        calls=calls,
        onnx=None,
        autocast=autocast,
        promotion="first",
        fvcore="nothing",
        time=time,
        blas=False,
    )


class Cumsum(Layer):
    """Running sum along `dim`, of integers in int64 (torch.cumsum): an addition a value, backwards as well.

    It comes out in `dtype`, if one is named.
    """

    type: Literal["cumsum"] = "cumsum"
    prefix: ClassVar[str] = "cumsum"
    card: ClassVar[Card] = card("torch.cumsum", time="reduction", autocast=FLOAT32_OUT_ON_CUDA)
    dim: Axis
    dtype: FloatingDtype | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        normalize_axis(self.dim, inputs[0].rank)
        return (TensorType(inputs[0].shape, self.dtype or summed(inputs[0])),)

    def autograd(self, call: Call) -> Autograd:
        """Backward is turned round, summed, and turned round again. For a result in another dtype the input is cast,
        on a CPU within the kernel, and back its gradient first.
        """
        source, result = call.source, call.result
        if self._is_single(call.inputs):
            return Autograd((), (PASSED_ON,))
        back = (Own("turned round", source), Own("its sums", source))
        if not source.is_floating or source == result:
            return Autograd((), call.inputs, backward=back)
        cast = (Own("input cast", result),) if call.setting.device == "cuda" else ()
        return Autograd((), call.inputs, forward=cast, backward=(Own("gradient cast", source), *back))

    def _is_single(self, inputs: Tensors) -> bool:
        return inputs[0].shape[self.dim] == 1

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {} if self._is_single(inputs) else {0: 1}, "summed"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class Running(Layer):
    """What has been so far along `dim`."""

    dim: Axis

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        normalize_axis(self.dim, inputs[0].rank)
        return inputs

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class Cumprod(Running):
    """Running product along `dim` (torch.cumprod): a product a value. Backward Σ(dy·y)/x: product, sum, division."""

    type: Literal["cumprod"] = "cumprod"
    prefix: ClassVar[str] = "cumprod"
    card: ClassVar[Card] = card("torch.cumprod", time="reduction", autocast=FLOAT32_OUT_ON_CUDA)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 3}, "multiplied"),)

    def autograd(self, call: Call) -> Autograd:
        """Products, turned round, summed, and turned round again, where no value is zero (`cumprod_backward`)."""
        made = excess("products and sums", 3 * call.source.numel, call.source.dtype)
        return Autograd((INPUT, OUTPUT), call.inputs, backward=made)


class LogCumsumExp(Running):
    """log Σ exp x so far along `dim` (torch.logcumsumexp): two exponentials, sum, logarithm a value.

    Backward the same of the positive and of the negative gradients by themselves, turned round: absolute value and
    logarithm of dy and two comparisons, then for each a difference, the sum of exponentials, a sum and an exponential.
    """

    type: Literal["logcumsumexp"] = "logcumsumexp"
    prefix: ClassVar[str] = "logcumsumexp"
    card: ClassVar[Card] = card("torch.logcumsumexp", ("logcumsumexp",), time="reduction")

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 4, {0: 19}, "exponentials added"),)

    def autograd(self, call: Call) -> Autograd:
        """Seven tensors beside the last (`logcumsumexp_backward` in FunctionsManual.cpp)."""
        made = excess("logarithms of gradients", 7 * call.source.numel + 1, call.source.dtype)
        return Autograd((INPUT, OUTPUT), call.inputs, backward=made)


class RunningExtreme(Layer):
    """A comparison a value; each gradient is added where its value was."""

    quirks: ClassVar[frozenset[Quirk]] = frozenset(["puts gradient back"])
    dim: Axis

    def output_types(self, inputs: Tensors) -> Tensors:
        normalize_axis(self.dim, inputs[0].rank)
        return (inputs[0], TensorType(inputs[0].shape, "int64"))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {0: 1}, "compared"),)

    def autograd(self, call: Call) -> Autograd:
        """Torch keeps the input for its shape (cummaxmin_backward in FunctionsManual.cpp)."""
        return Autograd((INPUT, Output(1)), call.inputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


def running(name: str, says: str) -> type[RunningExtreme]:
    type_ = name.lower()
    doc = f"The {says} value so far along `dim`, and where it was (torch.{type_}). Outputs: values, indices."
    return row(__name__, RunningExtreme, name, type_, doc, card(f"torch.{type_}", (type_,)))


Cummax = running("Cummax", "largest")
Cummin = running("Cummin", "smallest")


class Ordering(Layer):
    """By the order of values along an axis: one comparison a value read, however many come out.

    Backward puts the gradients of values where the indices say that they were.
    """

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Reduction(inputs[0].numel, 1, {}, "compared"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Output(1),), call.inputs)


class Sorting(Ordering):
    """What comes out lies as the input does."""

    dim: Axis = -1
    descending: Flag = False

    def placement(self, call: Call) -> Placement:
        return own_storage(call, value_by_value(call).layouts * len(call.outputs))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class Sort(Sorting):
    """Values in order along `dim`, and where they were (torch.sort). Outputs: values, indices.

    Counted as one comparison a value; backward puts each gradient where its value was.
    """

    type: Literal["sort"] = "sort"
    prefix: ClassVar[str] = "sort"
    card: ClassVar[Card] = card("torch.sort")
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["puts gradient back"])

    def output_types(self, inputs: Tensors) -> Tensors:
        normalize_axis(self.dim, inputs[0].rank)
        return (inputs[0], TensorType(inputs[0].shape, "int64"))


class ArgSort(Sorting):
    """Where along `dim` the values are in order (torch.argsort): one comparison a value. There is no gradient."""

    type: Literal["argsort"] = "argsort"
    prefix: ClassVar[str] = "argsort"
    card: ClassVar[Card] = card("torch.argsort")

    def output_types(self, inputs: Tensors) -> Tensors:
        normalize_axis(self.dim, inputs[0].rank)
        return (TensorType(inputs[0].shape, "int64"),)

    def autograd(self, call: Call) -> Autograd:
        """The sorted values are made all the same, and dropped."""
        return Autograd((OUTPUT,), call.inputs, forward=(Own("sorted values", call.source),))


class TopK(Ordering):
    """The k largest values along `dim`, or smallest, and where they are (torch.topk). Outputs: values, indices.

    Counted as one comparison a value read, whatever k is and the order; backward puts gradients at their indices.
    """

    type: Literal["topk"] = "topk"
    prefix: ClassVar[str] = "topk"
    card: ClassVar[Card] = card("torch.topk", ("topk",))
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["puts gradient back"])
    k: Size
    dim: Axis = -1
    largest: Flag = True
    sorted: Flag = True

    def output_types(self, inputs: Tensors) -> Tensors:
        require_floating(inputs)
        shape, axis = inputs[0].shape, normalize_axis(self.dim, inputs[0].rank)
        if self.k > shape[axis]:
            raise ShapeError("k is more than there are", expected=f"at most {shape[axis]}", found=str(self.k))
        picked = (*shape[:axis], self.k, *shape[axis + 1 :])
        return (TensorType(picked, inputs[0].dtype), TensorType(picked, "int64"))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = normalize_axis(self.dim, inputs[0].rank)
        return (Step(f"output axis {axis}", "k", {"k": self.k}, "as k says"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)
