"""Layers that move or rename values: no weights and no products."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.formulas import Step
from archcost.keeping import INPUT, NO_SCRATCH, PASSED_ON, VIEWED, Gradient, Saved, Scratch, Setting, excess
from archcost.layers.base import MAX_SIZE, Axis, Count, Layer, Number, Size, normalize_axis
from archcost.layers.circular import circular_backward
from archcost.layers.order import OfImages
from archcost.layouts import Layout, laid, like, strides_of, view
from archcost.tensors import Tensors, TensorType
from archcost.windows import WHOLE, Rules, Window
from archcost.work import Copy, Work


class Reshaping(Layer):
    """Nothing is computed: a view, or a copy."""

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(inputs[0].numel, 0, {}, "values moved"),)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return ()


class Viewing(Reshaping):
    """Seen in another shape: a view where the input's values lie so that there is one, else a copy."""

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (None if self._view(inputs, outputs, setting) is None else 0,)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        strides = self._view(inputs, outputs, setting)
        return (None if strides is None else laid(outputs[0].shape, strides),)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """Seen in the input's shape, also where forward had to copy."""
        return (VIEWED,)

    def _view(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int, ...] | None:
        return view(inputs[0].shape, setting.layout(0), outputs[0].shape)


class Identity(Viewing):
    """The input itself (torch.nn.Identity)."""

    type: Literal["identity"] = "identity"
    prefix: ClassVar[str] = "identity"

    def output_types(self, inputs: Tensors) -> Tensors:
        return inputs

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON,)


class Flatten(Viewing):
    """Axes start_dim … end_dim made one (torch.nn.Flatten)."""

    type: Literal["flatten"] = "flatten"
    prefix: ClassVar[str] = "flatten"
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

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """Where nothing changes torch returns the input itself."""
        return (PASSED_ON,) if outputs == inputs else super().gradients(inputs, outputs, setting)

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
    shape: ShapeWithRest

    def output_types(self, inputs: Tensors) -> Tensors:
        batch, *rest = inputs[0].shape
        filled = _fill(self.shape, prod(rest), f"a sample, from input {inputs[0]}")
        return (TensorType((batch, *filled), inputs[0].dtype),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        if inputs[0].rank == 2 or outputs[0].rank == 2:
            return tuple(WHOLE for _ in max(inputs[0].shape, outputs[0].shape, key=len)[2:])
        return None


class Permute(Reshaping):
    """Axes in another order, the batch's included (torch.permute)."""

    type: Literal["permute"] = "permute"
    prefix: ClassVar[str] = "permute"
    dims: tuple[Axis, ...]

    def output_types(self, inputs: Tensors) -> Tensors:
        rank = inputs[0].rank
        order = [normalize_axis(axis, rank, "dims") for axis in self.dims]
        if sorted(order) != list(range(rank)):
            raise ShapeError(
                "dims must name every axis once", expected=f"an order of 0 to {rank - 1}", found=str(list(self.dims))
            )
        return (TensorType(tuple(inputs[0].shape[axis] for axis in order), inputs[0].dtype),)

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0,) * len(outputs)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        strides = strides_of(inputs[0].shape, setting.layout(0))
        return (laid(outputs[0].shape, tuple(strides[axis] for axis in self.dims)),)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (VIEWED,)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return


class Pad(Reshaping, OfImages):
    """`pad` counts from the last axis: [left, right, top, bottom, …] (torch.nn.functional.pad)."""

    type: Literal["pad"] = "pad"
    prefix: ClassVar[str] = "pad"
    pad: tuple[Count, ...]
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    value: Number | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = list(inputs[0].shape)
        if len(self.pad) % 2 or not 2 <= len(self.pad) <= 2 * (len(shape) - 1):
            raise ShapeError(
                "pad has the wrong length",
                expected=f"2 to {2 * (len(shape) - 1)} entries, two an axis from the last one",
                found=f"{len(self.pad)} for input {inputs[0]}",
            )
        if self.mode != "constant":
            self._check_mode(inputs[0])
        for axis in range(len(self.pad) // 2):
            shape[-1 - axis] += self.pad[2 * axis] + self.pad[2 * axis + 1]
        return (TensorType(tuple(shape), inputs[0].dtype),)

    def _check_mode(self, source: TensorType) -> None:
        """Torch pads all spatial axes in these modes, and reflects or wraps at most one input's worth."""
        if len(self.pad) != 2 * (source.rank - 2) or not 1 <= source.rank - 2 <= 3:
            raise ShapeError(
                f"mode {self.mode} pads all spatial axes",
                expected=f"{2 * (source.rank - 2)} entries for (batch, channels, …)",
                found=f"{len(self.pad)} for input {source}",
            )
        slack = {"reflect": -1, "circular": 0, "replicate": MAX_SIZE}[self.mode]
        for index, count in enumerate(self.pad):
            most = source.shape[-1 - index // 2] + slack
            if count > most:
                raise ShapeError(f"mode {self.mode} cannot pad so far", expected=f"at most {most}", found=str(count))

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """The gradient of a reflected or replicated border is worked out from the input."""
        return (INPUT,) if self.mode in ("reflect", "replicate") else ()

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        if self.mode != "circular":
            return NO_SCRATCH
        pads = list(zip(self.pad[::2], self.pad[1::2], strict=True))[::-1]
        return Scratch(backward=excess("gradients of the borders", circular_backward(inputs[0], pads), inputs[0].dtype))

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """What is padded by nothing is copied as it lies."""
        if self.mode == "constant" and not any(self.pad):
            return (like(outputs[0].shape, [(inputs[0].shape, setting.layout(0))]),)
        return (None,) if self.mode == "circular" else super().layouts(inputs, outputs, setting)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        steps: list[Step] = []
        for index in range(len(self.pad) // 2):
            axis = inputs[0].rank - 1 - index
            values = {"n": inputs[0].shape[axis], "a": self.pad[2 * index], "b": self.pad[2 * index + 1]}
            steps.append(Step(f"output axis {axis}", "n + a + b", values, "padded before and after"))
        return tuple(steps)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        before = {-1 - axis: self.pad[2 * axis] for axis in range(len(self.pad) // 2)}
        rank = inputs[0].rank
        return tuple(Window.sliding(1, 1, before.get(axis - rank, 0)) for axis in range(2, rank))


class Split(Reshaping):
    """Pieces of `split_size` along `dim` (the last may be smaller), or of the listed sizes (torch.split).

    `dim` defaults to 1, the channels: a declaration has no batch axis to split.
    """

    type: Literal["split"] = "split"
    prefix: ClassVar[str] = "split"
    fills_missing: ClassVar[bool] = True
    split_size: Size | tuple[Size, ...]
    dim: Axis = 1

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = inputs[0].shape
        axis = normalize_axis(self.dim, len(shape))
        pieces = self._pieces(shape[axis])
        return tuple(TensorType((*shape[:axis], size, *shape[axis + 1 :]), inputs[0].dtype) for size in pieces)

    def _pieces(self, size: int) -> tuple[int, ...]:
        if isinstance(self.split_size, int):
            whole, rest = divmod(size, self.split_size)
            if whole + bool(rest) > 10_000:
                raise ShapeError("too many pieces", expected="at most 10,000", found=f"{whole + bool(rest):,}")
            return (self.split_size,) * whole + ((rest,) if rest else ())
        if sum(self.split_size) != size:
            raise ShapeError(
                "the pieces do not add up to the axis",
                expected=f"a sum of {size}",
                found=f"{' + '.join(map(str, self.split_size))} = {sum(self.split_size)}",
            )
        return self.split_size

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0,) * len(outputs)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """Pieces lie where the whole does, with gaps between."""
        strides = strides_of(inputs[0].shape, setting.layout(0))
        return tuple(laid(piece.shape, strides) for piece in outputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        spatial = normalize_axis(self.dim, inputs[0].rank) >= 2
        return None if spatial else super().windows(inputs, outputs)
