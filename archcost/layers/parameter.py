"""Tensors that no other layer computes: class tokens, position embeddings, tables and numbers made on the way."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer, Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis
from archcost.layers.dtypes import AS_GIVEN, Outcome
from archcost.layers.fields import Axis, Count, Size, dtype_among
from archcost.layers.rules import Autograd, Call, Placement
from archcost.layers.shape.copy import LIKE, WEIGHTS, DtypeToFollow
from archcost.layers.shape.views import SizeOrSame, expanded, repeated_windows, summed_to
from archcost.tensors import COMPUTED_BYTES, DIFFERENTIABLE, STORED, Tensors, TensorType
from archcost.terms.autograd import PASSED_ON
from archcost.terms.expressions import Step
from archcost.terms.memory_format import laid, strides_of
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import Rules
from archcost.work import Copy, Elementwise, Work

WholeShape = Annotated[tuple[Count, ...], Field(max_length=64)]
"""Of a tensor as it is, the batch axis included; [] of a single value, and with a 0 in it of none."""

StoredDtype = Annotated[str, BeforeValidator(dtype_among([*COMPUTED_BYTES, *STORED]))]


def sizes_as_said(shape: tuple[int, ...]) -> tuple[Step, ...]:
    return tuple(Step(f"output axis {axis}", "n", {"n": size}, "as shape says") for axis, size in enumerate(shape))


def uncalled(time: TimeClass, promotion: Outcome) -> Card:
    """The card of what no call of torch is by its name."""
    return Card(
        torch=None,
        calls=(),
        onnx=None,
        autocast=AS_GIVEN,
        promotion=promotion,
        fvcore="nothing",
        time=time,
        blas=False,
    )


class Standing(Layer):
    """A weight or buffer as it is: it reads nothing, and puts out no tensor of its own."""

    arity: ClassVar[Arity] = Arity(0, 0)
    shape: WholeShape

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(outputs[0].numel, 0, {}, "nothing moved"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), ())

    def placement(self, call: Call) -> Placement:
        return Placement(tuple([weight.name for weight in self.weights(call.inputs)]), (None,))

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """It looks at no input."""
        return


class Parameter(Standing, WeightedLayer):
    """The weight itself, of this whole shape: `[1, 197, 768]` stretches over every batch (torch.nn.Parameter).

    It reads nothing, and puts out no tensor of its own. What arrives as its gradient is the weight's. One of integers
    or 8-bit floats (packed or quantised values) cannot be trained.
    """

    type: Literal["parameter"] = "parameter"
    prefix: ClassVar[str] = "parameter"
    card: ClassVar[Card] = uncalled("free", "weight")
    dtype: StoredDtype = "float32"

    @model_validator(mode="after")
    def _only_floats_learn(self) -> Self:
        if self.trainable and self.dtype not in DIFFERENTIABLE:
            raise PydanticCustomError(
                "integers_learn", "only floats of 16 bits and more are trained; say trainable: false"
            )
        return self

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.shape, self.dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight("weight", self.shape, dtype=self.dtype),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = {f"n_{axis}": size for axis, size in enumerate(self.shape)}
        return (*sizes_as_said(self.shape), Step("parameters", "*".join(values) or "1", values))


class Buffer(Standing):
    """A tensor that is kept and saved but never trained, of this whole shape (torch.nn.Module.register_buffer)."""

    type: Literal["buffer"] = "buffer"
    prefix: ClassVar[str] = "buffer"
    card: ClassVar[Card] = uncalled("free", "weight")
    dtype: StoredDtype = "float32"

    def output_types(self, inputs: Tensors) -> Tensors:
        return (TensorType(self.shape, self.dtype),)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight("buffer", self.shape, is_buffer=True, dtype=self.dtype),)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return sizes_as_said(self.shape)


class Constant(Layer):
    """A tensor made on the way of no value of the network: torch.arange, zeros, ones, full, randn of this whole shape.

    The dtype `weights` is that of the network's weights, float32 unless the run says otherwise, and `like` that of the
    last input, which then comes behind the one for the batch, if there is that.

    With an input, which has to be named, the axis `dim` is `shape`'s times the batch of that input, of which no value
    is read.

    Of a mask `window` says how many positions each sees at most, itself included: what a cache has to keep behind it.
    """

    type: Literal["constant"] = "constant"
    prefix: ClassVar[str] = "constant"
    card: ClassVar[Card] = uncalled("copy", "named")
    arity: ClassVar[Arity] = Arity(0, 2)
    untouched: ClassVar[frozenset[int]] = frozenset({0, 1})
    asked: ClassVar[frozenset[int]] = frozenset({0, 1})
    takes_complex: ClassVar[bool] = True
    shape: WholeShape
    dtype: DtypeToFollow = "float32"
    dim: Axis = 0
    window: Size | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        for_batch = inputs[:-1] if self.dtype == LIKE else inputs
        if len(for_batch) > 1 or (self.dtype == LIKE and not inputs):
            found = f"{len(inputs)} inputs and dtype {self.dtype}"
            raise ShapeError("inputs do not suit", expected="one for the batch, then one for dtype like", found=found)
        shape = times_batch(self.shape, self.dim, for_batch[0]) if for_batch else self.shape
        return (TensorType(shape, self._dtype(inputs)),)

    def _dtype(self, inputs: Tensors) -> str:
        if self.dtype == LIKE:
            return inputs[-1].dtype
        return "float32" if self.dtype == WEIGHTS else self.dtype

    def is_for_any_batch(self, inputs: Tensors) -> bool:
        """Whether no input gives it a batch."""
        return len(inputs) == (self.dtype == LIKE)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Writing numbers is free, random ones too."""
        return (Copy(outputs[0].numel, 0, {}, "values written"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None,) * len(call.inputs))

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """It looks at no value."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        return (
            sizes_as_said(self.shape) if self.is_for_any_batch(inputs) else batch_steps(self.shape, self.dim, inputs[0])
        )


def times_batch(shape: tuple[int, ...], dim: int, batched: TensorType) -> tuple[int, ...]:
    """`shape` with its axis `dim` times as long as there are samples. Raises ShapeError where there is no such axis."""
    if not shape:
        raise ShapeError("a single value has no axis for the batch", expected="a size in shape", found="[]")
    axis = normalize_axis(dim, len(shape))
    return (*shape[:axis], shape[axis] * require_batch(batched), *shape[axis + 1 :])


def require_batch(batched: TensorType) -> int:
    """The number of samples of a tensor."""
    if not batched.rank:
        raise ShapeError("the last input must have a batch", expected="(batch, …)", found=str(batched))
    return batched.shape[0]


def batch_steps(shape: tuple[int, ...], dim: int, batched: TensorType) -> tuple[Step, ...]:
    axis = normalize_axis(dim, len(shape))
    values = {"n": shape[axis], "B": batched.shape[0]}
    return (Step(f"output axis {axis}", "n*B", values, "so many for each sample of the last input"),)


class ExpandBatch(Layer):
    """An axis of 1 seen once for each sample of the second input (`tensor.expand(len(other), …)` in torch).

    It is the axis `dim`. With `size` the first input is seen in that size, as in `expand`, of which the entry at `dim`
    counts once for each sample.
    """

    type: Literal["expand_batch"] = "expand_batch"
    prefix: ClassVar[str] = "expand"
    card: ClassVar[Card] = uncalled("copy", "first")
    arity: ClassVar[Arity] = Arity(2, 2)
    untouched: ClassVar[frozenset[int]] = frozenset({1})
    takes_complex: ClassVar[bool] = True
    size: tuple[SizeOrSame, ...] | None = None
    dim: Axis = 0

    def wanted(self, inputs: Tensors) -> tuple[int, ...]:
        """The size for this batch, in which -1 leaves an axis as it is."""
        one, other = inputs
        batch = require_batch(other)
        if self.size is None:
            axis = normalize_axis(self.dim, max(one.rank, 1))
            if not one.rank or one.shape[axis] not in (1, batch):
                raise ShapeError(
                    "the first input must have a batch of 1",
                    expected="(1, …)" if axis == 0 else f"1 in axis {axis}",
                    found=str(one),
                )
            return (*(-1,) * axis, batch, *(-1,) * (one.rank - axis - 1))
        axis = normalize_axis(self.dim, len(self.size))
        if self.size[axis] == -1:
            raise ShapeError("size must name a number at dim", expected=f"1 or more in entry {axis}", found="-1")
        return times_batch(self.size, axis, other)

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = inputs[0].shape
        seen, _ = expanded(shape, strides_of(shape, None), self.wanted(inputs))
        return (TensorType(seen, inputs[0].dtype),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Nothing; backward sums the gradients of the samples up."""
        summed = 1 if inputs[0].numel != outputs[0].numel else 0
        return (Elementwise(outputs[0].reals, 0, {0: summed}, "samples repeated"),)

    def autograd(self, call: Call) -> Autograd:
        """The second input only says how many samples there are."""
        summed = PASSED_ON if call.source == call.result else summed_to(call.source, len(self.size or ()))
        return Autograd((), (summed, None))

    def placement(self, call: Call) -> Placement:
        shape = call.source.shape
        seen = expanded(shape, strides_of(shape, call.layout), self.wanted(call.inputs))
        return Placement((0,), (laid(*seen),), is_view=True)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        return repeated_windows(inputs, outputs)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        if self.size is not None:
            return batch_steps(self.size, self.dim, inputs[1])
        axis = normalize_axis(self.dim, outputs[0].rank)
        return (Step(f"output axis {axis}", "B", {"B": outputs[0].shape[axis]}, "the samples of the second input"),)
