"""Operations as they were observed to run: what they do is not said, only the shapes that came out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.autocast_lists import autocast_of, outcome_of
from archcost.layers.base import Arity, Layer
from archcost.layers.card import Card
from archcost.layers.fields import Axis, Size, dtype_among
from archcost.layers.parameter import WholeShape, batch_steps, require_batch, sizes_as_said, times_batch, uncalled
from archcost.layers.rules import Autograd, Call, Precision
from archcost.tensors import ALL_BYTES, DTYPE_BYTES, FLOATING, Tensors, TensorType
from archcost.terms.autograd import Device, Input, Output, Own, Saved
from archcost.terms.expressions import Step
from archcost.work import Contraction, Elementwise, Shared, Work

MOST_OUTPUTS = 1_000

AnyDtype = Annotated[str, BeforeValidator(dtype_among(ALL_BYTES))]


class Observed(Layer):
    """An operation, `op` by its own name, with what came out of it.

    `shapes` and `dtypes` are those of its outputs for a batch of one sample, `batch_dims` the axis of each that grows
    with the batch, null where none does. The batch is that of the last input.
    """

    arity: ClassVar[Arity] = Arity(0, None)
    op: Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
    shapes: Annotated[tuple[WholeShape, ...], Field(min_length=1, max_length=MOST_OUTPUTS)]
    dtypes: tuple[AnyDtype, ...]
    batch_dims: tuple[Axis | None, ...] = ()

    @model_validator(mode="after")
    def _says_one_thing_of_each_output(self) -> Self:
        if len(self.dtypes) != len(self.shapes) or (self.batch_dims and len(self.batch_dims) != len(self.shapes)):
            raise PydanticCustomError("outputs", "Input should have as many dtypes and batch_dims as shapes")
        return self

    def axes(self) -> tuple[int | None, ...]:
        """Of each output the one that grows with the batch."""
        return self.batch_dims or (None,) * len(self.shapes)

    def grows(self) -> bool:
        return any(axis is not None for axis in self.batch_dims)

    def output_types(self, inputs: Tensors) -> Tensors:
        shapes = [
            shape if axis is None else times_batch(shape, axis, self.batched(inputs))
            for shape, axis in zip(self.shapes, self.axes(), strict=True)
        ]
        return tuple(TensorType(shape, dtype) for shape, dtype in zip(shapes, self.dtypes, strict=True))

    def batched(self, inputs: Tensors) -> TensorType:
        """The input whose samples are counted."""
        return inputs[-1] if inputs else TensorType(())

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """Without the input that says how many samples there are."""
        return super().precision(inputs, device)._replace(operands=len(inputs) - self.grows())

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Where it looks is not known."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        axis = self.axes()[0]
        return sizes_as_said(self.shapes[0]) if axis is None else batch_steps(self.shapes[0], axis, inputs[-1])


Coefficients = Annotated[
    tuple[Annotated[int, Field(strict=True, ge=0, le=2**63)], ...], Field(min_length=1, max_length=3)
]
"""Of a polynomial in the batch: of 1, of the batch, and of its square."""

Kept = Annotated[str, StringConstraints(strict=True, pattern=r"^(input|output)(:\d{1,4})?$")]


class Opaque(Observed):
    """An operation without a rule, `op` by its own name: shapes and bytes as observed, operations unknown.

    `shapes` and `dtypes` are those of its outputs for a batch of one sample, `batch_dims` the axis of each that grows
    with the batch, null where none does. The batch is that of the last input. For backward it keeps what `holding`
    names of its inputs and outputs (`input`, `output:1`), all floating ones where nothing is said, and tensors of its
    own of the shapes in `saved`, which grow along their first axis. Each floating input gets a gradient of its own.

    `flops` and `backward_flops` are what the formulas say that its author registered with torch's counter: coefficients
    of 1, the batch, and its square. As the counter has it, two of them are a MAC, and they count products alone.
    """

    type: Literal["opaque"] = "opaque"
    prefix: ClassVar[str] = "opaque"
    card: ClassVar[Card] = uncalled("unknown", "first")
    holding: tuple[Kept, ...] | None = None
    saved: Annotated[tuple[Annotated[tuple[Size, ...], Field(max_length=64)], ...], Field(max_length=MOST_OUTPUTS)] = ()
    flops: Coefficients | None = None
    backward_flops: Coefficients | None = None

    @model_validator(mode="after")
    def _has_a_batch_to_grow_by(self) -> Self:
        told = (self.flops or (), self.backward_flops or ())
        if not self.grows() and any(len(each) > 1 for each in told):
            raise PydanticCustomError("flops", "Input should have batch_dims, or flops that no batch decides")
        return self

    @property
    def is_unknown(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Unless its author has said what it costs."""
        return self.flops is None or self.backward_flops is None

    @property
    def is_unknown_backward(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.flops is not None and self.backward_flops is None

    @property
    def assumption(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        if self.flops is None:
            return ""
        whose = "torch's own" if self.op.startswith("aten::") else "its author's"
        half = ", forward alone" if self.backward_flops is None else ""
        return (
            f"{self.op} has the FLOPs of {whose} formula (torch.utils.flop_counter){half}: products, and nothing beside"
        )

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """By torch's lists, which name operators without a rule as well."""
        listed = autocast_of(self.op).on(device)
        return super().precision(inputs, device)._replace(treatment=listed, promotion=outcome_of(self.op))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Not known; or by its author's formula."""
        return (*self._forward_work(inputs), *self._backward_work(inputs))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        steps = super().working(inputs, outputs)
        if self.flops is None:
            return steps
        batch = require_batch(self.batched(inputs)) if self.grows() else 1
        terms = [
            f"{each}*B*B" if power > 1 else f"{each}*B" if power else str(each) for power, each in enumerate(self.flops)
        ]
        return (
            *steps,
            Step("MACs", f"({' + '.join(terms)})//2", {"B": batch}, "its author's formula of the batch, halved"),
        )

    def _forward_work(self, inputs: Tensors) -> Iterator[Work]:
        if self.flops is not None:
            yield from _counted(self._value(self.flops, inputs))

    def _backward_work(self, inputs: Tensors) -> Iterator[Work]:
        """Once, for whichever gradients are wanted: a formula does not tell them apart."""
        read = inputs[:-1] if self.grows() else inputs
        operands = tuple([index for index, tensor in enumerate(read) if tensor.is_floating])
        if self.backward_flops is not None and operands:
            for part in _counted(self._value(self.backward_flops, inputs)):
                yield Shared(part, operands, "by its author's formula")

    def _value(self, coefficients: Coefficients, inputs: Tensors) -> int:
        batch = require_batch(self.batched(inputs)) if self.grows() else 1
        return sum([each * batch**power for power, each in enumerate(coefficients)])

    def autograd(self, call: Call) -> Autograd:
        batch = require_batch(self.batched(call.inputs)) if self.grows() else 1
        dtype = next((tensor.dtype for tensor in call.outputs if tensor.is_floating), "float32")
        shapes = [(shape[0] * batch, *shape[1:]) if shape else shape for shape in self.saved]
        own = [Own(f"observed {index}", TensorType(shape, dtype)) for index, shape in enumerate(shapes, 1)]
        return Autograd((*self._shared(call.inputs, call.outputs), *own), call.inputs)

    def _shared(self, inputs: Tensors, outputs: Tensors) -> Iterator[Saved]:
        """What it keeps of its inputs and outputs. The last input may be there for its batch alone."""
        read = inputs[:-1] if self.grows() else inputs
        if self.holding is None:
            yield from (Input(index) for index, tensor in enumerate(read) if tensor.is_floating)
            yield from (Output(index) for index, tensor in enumerate(outputs) if tensor.is_floating)
            return
        for word in self.holding:
            name, _, index = word.partition(":")
            kind, tensors = (Input, read) if name == "input" else (Output, outputs)
            if int(index or 0) < len(tensors):
                yield kind(int(index or 0))


def _counted(flops: int) -> Iterator[Contraction | Elementwise]:
    """Two a MAC; one is left over where they are odd."""
    yield Contraction(flops // 2, ())
    if flops % 2:
        yield Elementwise(1, 1, {}, "left over")


IntegerDtype = Annotated[str, BeforeValidator(dtype_among([dtype for dtype in DTYPE_BYTES if dtype not in FLOATING]))]


class Integers(Observed):
    """An operation on integers and truth values alone, `op` by its own name, with what came out of it.

    `shapes` and `dtypes` are those of its outputs for a batch of one sample, `batch_dims` the axis of each that grows
    with the batch, null where none does. The batch is that of the last input, of which no value is read: it may be any
    tensor. Without a floating-point value there is no FLOP, no gradient and nothing to keep, whatever `op` does.
    """

    type: Literal["integers"] = "integers"
    prefix: ClassVar[str] = "integers"
    card: ClassVar[Card] = uncalled("unknown", "named")
    dtypes: tuple[IntegerDtype, ...]

    def output_types(self, inputs: Tensors) -> Tensors:
        read = inputs[:-1] if self.grows() else inputs
        for number, tensor in enumerate(read, 1):
            if tensor.is_floating:
                raise ShapeError(
                    f"input {number} is read as integers", expected="int64, bool or the like", found=str(tensor)
                )
        return super().output_types(inputs)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Known to be none: a FLOP is an operation on floating-point values, and here are only others."""
        return (Elementwise(sum(tensor.numel for tensor in outputs), 0, {}, "integers"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (None,) * len(call.inputs))
