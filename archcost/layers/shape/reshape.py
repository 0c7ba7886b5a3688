"""Layers that move or rename values: no weights and no products."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Layer
from archcost.layers.card import Card, Onnx, onnx
from archcost.layers.checks import normalize_axis
from archcost.layers.dtypes import AS_GIVEN, Autocast, Outcome
from archcost.layers.fields import MAX_SIZE, Axis
from archcost.layers.rules import Autograd, Call, NewView, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, VIEWED, Gradient
from archcost.terms.expressions import Step
from archcost.terms.memory_format import laid, view
from archcost.terms.windows import WHOLE, Rules
from archcost.work import Copy, Work


def moving(
    torch: str | None,
    *calls: str,
    operator: Onnx | None = None,
    autocast: Autocast = AS_GIVEN,
    promotion: Outcome = "first",
) -> Card:
    """The card of a layer that moves values and computes nothing."""
    return Card(
        torch=torch,
        calls=calls,
        onnx=operator,
        autocast=autocast,
        promotion=promotion,
        fvcore="nothing",
        time="copy",
        blas=False,
    )


class Reshaping(Layer):
    """Nothing is computed: a view, or a copy. A second input is read for its size or dtype alone."""

    takes_complex: ClassVar[bool] = True

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(inputs[0].numel, 0, {}, "values moved"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), (self.gradient(call), *[None] * (len(call.inputs) - 1)))

    def gradient(self, call: Call) -> Gradient | NewView:
        """Of the first input: a new tensor like it, unless a layer says else."""
        return call.source


class Viewing(Reshaping):
    """Seen in another shape: a view where the input's values lie so that there is one, else a copy."""

    def gradient(self, call: Call) -> Gradient | NewView:
        """Seen in the input's shape, also where forward had to copy."""
        return VIEWED

    def placement(self, call: Call) -> Placement:
        strides = view(call.source.shape, call.layout, call.result.shape)
        return own_storage(call) if strides is None else Placement((0,), (laid(call.result.shape, strides),))


class Identity(Viewing):
    """The input itself (torch.nn.Identity)."""

    type: Literal["identity"] = "identity"
    prefix: ClassVar[str] = "identity"
    card: ClassVar[Card] = moving("nn.Identity", "alias", operator=onnx("Identity"))

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def gradient(self, call: Call) -> Gradient:
        return PASSED_ON


class Flatten(Viewing):
    """Axes start_dim … end_dim made one (torch.nn.Flatten)."""

    type: Literal["flatten"] = "flatten"
    prefix: ClassVar[str] = "flatten"
    positional: ClassVar[tuple[str, ...]] = ("start_dim", "end_dim")
    card: ClassVar[Card] = moving("nn.Flatten", "flatten", operator=onnx("Flatten"))
    start_dim: Axis = 1
    end_dim: Axis = -1

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = inputs[0].shape
        first = normalize_axis(self.start_dim, len(shape), "start_dim")
        last = normalize_axis(self.end_dim, len(shape), "end_dim")
        if first > last:
            raise ShapeError(
                "start_dim comes after end_dim",
                expected=f"start_dim at most {last}",
                found=f"{first} for input {inputs[0]}",
            )
        flat = (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :])
        return (TensorType(flat, inputs[0].dtype),)

    def gradient(self, call: Call) -> Gradient:
        """Where nothing changes torch returns the input itself."""
        return PASSED_ON if call.outputs == call.inputs else VIEWED

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        first = normalize_axis(self.start_dim, inputs[0].rank)
        sizes = inputs[0].shape[first : normalize_axis(self.end_dim, inputs[0].rank) + 1]
        values = {f"n_{axis}": size for axis, size in enumerate(sizes, first)}
        return (Step(f"output axis {first}", "*".join(values), values),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """Flattening every axis leaves features that are looked at together; flattening some mixes axes."""
        return tuple(WHOLE for _ in inputs[0].shape[2:]) if outputs[0].rank == 2 else None


ShapeWithRest = tuple[Annotated[int, Field(strict=True, ge=-1, le=MAX_SIZE)], ...]
"""Sizes of which one may be -1, whatever is left."""


def _fill(shape: tuple[int, ...], numel: int, where: str) -> tuple[int, ...]:
    """`shape` with its -1 worked out. Raises ShapeError when the number of elements (`where`) would change."""
    if shape.count(-1) > 1 or 0 in shape or not shape:
        raise ShapeError(
            "a shape has at least one size and at most one -1", expected="[16, -1]", found=str(list(shape))
        )
    known = prod(size for size in shape if size != -1)
    filled = tuple(numel // known if size == -1 else size for size in shape)
    if prod(filled) != numel:
        raise ShapeError(
            "a reshape must keep the number of elements",
            expected=f"{numel:,} elements {where}",
            found=f"{'×'.join(map(str, shape))} = {known:,}" + (" a unit of the -1" if -1 in shape else ""),
        )
    return filled


class Unflatten(Viewing):
    """One axis split into several (torch.nn.Unflatten)."""

    type: Literal["unflatten"] = "unflatten"
    prefix: ClassVar[str] = "unflatten"
    positional: ClassVar[tuple[str, ...]] = ("dim", "unflattened_size")
    card: ClassVar[Card] = moving("nn.Unflatten", "unflatten")
    dim: Axis
    unflattened_size: ShapeWithRest

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = inputs[0].shape
        axis = normalize_axis(self.dim, len(shape))
        filled = _fill(self.unflattened_size, shape[axis], f"in axis {axis} of input {inputs[0]}")
        return (TensorType((*shape[:axis], *filled, *shape[axis + 1 :]), inputs[0].dtype),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        return tuple(WHOLE for _ in outputs[0].shape[2:]) if inputs[0].rank == 2 else None


class Reshape(Viewing):
    """`shape` is that of one sample; the batch axis is kept (torch.reshape on the rest)."""

    type: Literal["reshape"] = "reshape"
    prefix: ClassVar[str] = "reshape"
    positional: ClassVar[tuple[str, ...]] = ("shape",)
    card: ClassVar[Card] = moving(None, "reshape", operator=onnx("Reshape"))
    shape: ShapeWithRest

    def output_types(self, inputs: Tensors) -> Tensors:
        batch, *rest = inputs[0].shape
        filled = _fill(self.shape, prod(rest), f"a sample, from input {inputs[0]}")
        return (TensorType((batch, *filled), inputs[0].dtype),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        if inputs[0].rank == 2 or outputs[0].rank == 2:
            return tuple(WHOLE for _ in max(inputs[0].shape, outputs[0].shape, key=len)[2:])
        return None


class View(Viewing):
    """`shape` is the whole one, the batch axis included, with at most one -1 (torch.reshape); [] of a single value.

    A size that the batch decides is the -1, or the network takes one batch alone.
    """

    type: Literal["view"] = "view"
    prefix: ClassVar[str] = "view"
    positional: ClassVar[tuple[str, ...]] = ("shape",)
    card: ClassVar[Card] = moving("torch.reshape", "view")
    shape: ShapeWithRest

    def output_types(self, inputs: Tensors) -> Tensors:
        source = inputs[0]
        if self.shape:
            return (TensorType(_fill(self.shape, source.numel, f"in input {source}"), source.dtype),)
        if source.numel != 1:
            raise ShapeError("a shape without sizes is that of a single value", expected="1 element", found=str(source))
        return (TensorType((), source.dtype),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return
