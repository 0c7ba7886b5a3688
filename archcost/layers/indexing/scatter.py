"""Layers that put values into places of a tensor: by index, or by mask."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import broadcast_shape
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis, whole_along
from archcost.layers.comparison import require_mask
from archcost.layers.dtypes import Autocast
from archcost.layers.fields import Axis, Flag, Number
from archcost.layers.indexing.gather import placing, require_indices, require_within
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import PASSED_ON, Input, Setting
from archcost.terms.windows import Rules
from archcost.work import Copy, Gather, Work


class Writing(Layer):
    """Into a copy of the first input, or with `inplace: true` into that itself."""

    inplace: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        return (inputs[0],)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(1),), call.inputs)

    def placement(self, call: Call) -> Placement:
        """A copy is row-major, however x lay."""
        return Placement((0,), (call.layout,)) if self.inplace else own_storage(call)

    def overwrites(self, setting: Setting) -> bool:
        return self.inplace


class ByIndex(Writing):
    """Along `dim`, at the indices of the second input, which has as many axes as the first."""

    dim: Axis

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)

    def check(self, inputs: Tensors) -> None:
        """Raises ShapeError where an index has no place or no value."""
        source, indices, *values = inputs
        require_indices(indices)
        axis = normalize_axis(self.dim, source.rank)
        require_within(source, indices, axis)
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
    card: ClassVar[Card] = placing(None, "scatter")
    arity: ClassVar[Arity] = Arity(2, 3)
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
    card: ClassVar[Card] = placing(None, "scatter_add", autocast=Autocast("as given", "widest"))
    arity: ClassVar[Arity] = Arity(3, 3)

    def output_types(self, inputs: Tensors) -> Tensors:
        self.check(inputs)
        return (inputs[0],)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(1),) if call.needs(2) else (), (PASSED_ON, None, call.inputs[2]))

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Gather(inputs[1].numel, 1, {}, "values added by index"),)


def require_slices(dim: int, inputs: Tensors) -> None:
    """Raises ShapeError unless the third input has a slice along `dim` for each position that the second lists."""
    source, positions, values = inputs
    require_indices(positions)
    axis = normalize_axis(dim, source.rank)
    wanted = TensorType((*source.shape[:axis], positions.numel, *source.shape[axis + 1 :]), source.dtype)
    if positions.rank != 1 or values != wanted:
        raise ShapeError(
            "there must be a slice for each position",
            expected=f"a list, and {wanted}",
            found=f"{positions} and {values}",
        )


class IndexAdd(Writing):
    """x with the third input added along `dim` at the positions that the second lists (torch.index_add).

    An addition a value; backward picks the values' gradient.
    """

    type: Literal["index_add"] = "index_add"
    prefix: ClassVar[str] = "index_add"
    card: ClassVar[Card] = placing(None, "index_add")
    arity: ClassVar[Arity] = Arity(3, 3)
    dim: Axis

    def output_types(self, inputs: Tensors) -> Tensors:
        require_slices(self.dim, inputs)
        return (inputs[0],)

    def autograd(self, call: Call) -> Autograd:
        """It keeps positions, and values for their shape alone."""
        return Autograd((Input(1), Input(2)) if call.needs(2) else (), (PASSED_ON, None, call.inputs[2]))

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
    card: ClassVar[Card] = placing("Tensor.masked_scatter", "masked_scatter")
    arity: ClassVar[Arity] = Arity(3, 3)

    def output_types(self, inputs: Tensors) -> Tensors:
        source, mask, values = inputs
        require_mask(mask, "second")
        require_same_dtype(source, values)
        result = TensorType(broadcast_shape((source, mask)), source.dtype)
        if result != source:
            raise ShapeError("the mask cannot stretch the first input", expected=str(source), found=str(mask))
        return (source,)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        return (Copy(outputs[0].numel, 0, {}, "values written by a mask"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """Values go anywhere."""
        return
