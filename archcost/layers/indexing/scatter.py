"""Layers that put values into places of a tensor: by index, or by mask."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Axis, Flag, Layer, Number, normalize_axis, whole_along
from archcost.layers.broadcasting import broadcast_shape
from archcost.layers.comparison import require_mask
from archcost.layers.dtypes import AS_GIVEN, Autocast, Outcome
from archcost.layers.indexing.gather import require_indices
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Gradient, Input, Saved, Setting
from archcost.terms.memory_format import Layout
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import Rules
from archcost.work import Copy, Gather, Work


class Writing(Layer):
    """Into a copy of the first input, or with `inplace: true` into that itself."""

    comes_out: ClassVar[Outcome] = "first"
    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        return (inputs[0],)

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | None, ...]:
        return (0,) if self.inplace else (None,)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """A copy is row-major, however x lay."""
        return (setting.layout(0) if self.inplace else None,)


class ByIndex(Writing):
    """Along `dim`, at the indices of the second input, which has as many axes as the first."""

    dim: Axis

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(1),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)

    def check(self, inputs: Tensors) -> None:
        """Raises ShapeError where an index has no place or no value."""
        source, indices, *values = inputs
        require_indices(indices)
        axis = normalize_axis(self.dim, source.rank)
        if indices.rank != source.rank or any(
            listed > size
            for place, (listed, size) in enumerate(zip(indices.shape, source.shape, strict=True))
            if place != axis
        ):
            raise ShapeError(
                "the indices reach beyond the input",
                expected=f"as many axes as {source}, none longer but axis {axis}",
                found=str(indices),
            )
        for given in values:
            require_same_dtype(source, given)
            if given.shape != indices.shape:
                raise ShapeError("there must be a value for each index", expected=str(indices), found=str(given))


def require_same_dtype(source: TensorType, values: TensorType) -> None:
    if values.dtype != source.dtype:
        raise ShapeError("inputs have different dtypes", expected=source.dtype, found=values.dtype, hint="cast")


class Scatter(ByIndex):
    """x with the values of the third input, or the number `value`, at the indices along `dim` (torch.scatter).

    No arithmetic. Backward puts zeros there, and picks the values' gradient.
    """

    type: Literal["scatter"] = "scatter"
    prefix: ClassVar[str] = "scatter"
    arity: ClassVar[Arity] = Arity(2, 3)
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "gather"
    value: Number | None = None

    def output_types(self, inputs: Tensors) -> Tensors:
        if (len(inputs) == 3) == (self.value is not None):
            found = "both" if self.value is not None else "neither"
            raise ShapeError("writes a number or a third input", expected="one of them", found=found)
        self.check(inputs)
        return (inputs[0],)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(inputs[1].numel, 0, {}, "values written by index"),)


class ScatterAdd(ByIndex):
    """x with the values of the third input added at the indices along `dim` (torch.scatter_add).

    An addition a value; backward picks the values' gradient.
    """

    type: Literal["scatter_add"] = "scatter_add"
    prefix: ClassVar[str] = "scatter_add"
    arity: ClassVar[Arity] = Arity(3, 3)
    autocast: ClassVar[Autocast] = Autocast("as given", "widest")
    time_class: ClassVar[TimeClass] = "gather"

    def output_types(self, inputs: Tensors) -> Tensors:
        self.check(inputs)
        return (inputs[0],)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(1),) if 2 in setting.needs else ()

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Gather(inputs[1].numel, 1, {}, "values added by index"),)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON, None, inputs[2])


class IndexAdd(Writing):
    """x with the third input added along `dim` at the positions that the second lists (torch.index_add).

    An addition a value; backward picks the values' gradient.
    """

    type: Literal["index_add"] = "index_add"
    prefix: ClassVar[str] = "index_add"
    arity: ClassVar[Arity] = Arity(3, 3)
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "gather"
    dim: Axis

    def output_types(self, inputs: Tensors) -> Tensors:
        source, positions, values = inputs
        require_indices(positions)
        axis = normalize_axis(self.dim, source.rank)
        wanted = TensorType((*source.shape[:axis], positions.numel, *source.shape[axis + 1 :]), source.dtype)
        if positions.rank != 1 or values != wanted:
            raise ShapeError(
                "there must be a slice for each position",
                expected=f"a list, and {wanted}",
                found=f"{positions} and {values}",
            )
        return (source,)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Positions, and values for their shape alone."""
        return (Input(1), Input(2)) if 2 in setting.needs else ()

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        return (PASSED_ON, None, inputs[2])

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Gather(inputs[2].numel, 1, {}, "values added by index"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class MaskedScatter(Writing):
    """x with the values of the third input, one after another, where the mask holds (torch.masked_scatter).

    Inputs: x, mask of bool, values. No arithmetic.
    """

    type: Literal["masked_scatter"] = "masked_scatter"
    prefix: ClassVar[str] = "masked_scatter"
    arity: ClassVar[Arity] = Arity(3, 3)
    autocast: ClassVar[Autocast] = AS_GIVEN
    time_class: ClassVar[TimeClass] = "gather"

    def output_types(self, inputs: Tensors) -> Tensors:
        source, mask, values = inputs
        require_mask(mask, "second")
        require_same_dtype(source, values)
        result = TensorType(broadcast_shape((source, mask)), source.dtype)
        if result != source:
            raise ShapeError("the mask cannot stretch the first input", expected=str(source), found=str(mask))
        return (source,)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        return (Input(1),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(outputs[0].numel, 0, {}, "values written by a mask"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Values go anywhere."""
        return
