"""Layers that pick values by index or by place: listed positions, points of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Layer
from archcost.layers.broadcasting import broadcast_shape
from archcost.layers.card import Card, Counted, Onnx, onnx
from archcost.layers.checks import normalize_axis, require_rank, whole_along
from archcost.layers.dtypes import AS_GIVEN, Autocast, Outcome
from archcost.layers.fields import Axis
from archcost.layers.rules import Autograd, Call, Placement, Quirk, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Input
from archcost.terms.memory_format import like, strides_of
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import SAME, WHOLE, Rules
from archcost.work import Gather as Gathering
from archcost.work import Work


def placing(
    torch: str | None,
    *calls: str,
    operator: Onnx | None = None,
    autocast: Autocast = AS_GIVEN,
    promotion: Outcome = "first",
    time: TimeClass = "gather",
    fvcore: Counted = "nothing",
) -> Card:
    """The card of a layer that picks values by index, or puts them."""
    return Card(
        torch=torch,
        calls=calls,
        onnx=operator,
        autocast=autocast,
        promotion=promotion,
        fvcore=fvcore,
        time=time,
        blas=False,
    )


def require_indices(indices: TensorType, which: str = "the second input") -> None:
    if indices.dtype != "int64":
        raise ShapeError(f"{which} must be indices", expected="int64", found=str(indices))


def require_within(source: TensorType, indices: TensorType, axis: int) -> None:
    """Indices along `axis` have a place of the input for each of theirs."""
    columns = enumerate(zip(indices.shape, source.shape, strict=False))
    if indices.rank != source.rank or any(listed > size for place, (listed, size) in columns if place != axis):
        raise ShapeError(
            "the indices reach beyond the input",
            expected=f"as many axes as {source}, none longer but axis {axis}",
            found=str(indices),
        )


class Picking(Layer):
    """Values picked by index, along whole axes."""

    arity: ClassVar[Arity] = Arity(2, 2)
    quirks: ClassVar[frozenset[Quirk]] = frozenset(["puts gradient back"])
    takes_complex: ClassVar[bool] = True

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Free forward; backward adds each gradient to those at its index."""
        return (Gathering(outputs[0].reals, 0, {0: 1}, "values picked by index"),)


class Gather(Picking):
    """Along `dim`, the values at the indices of the second input (torch.gather), which gives the output its shape."""

    type: Literal["gather"] = "gather"
    prefix: ClassVar[str] = "gather"
    card: ClassVar[Card] = placing(None, "gather", "take_along_dim", operator=onnx("GatherElements"))
    dim: Axis

    def output_types(self, inputs: Tensors) -> Tensors:
        source, indices = inputs
        require_indices(indices)
        axis = normalize_axis(self.dim, source.rank)
        require_within(source, indices, axis)
        return (TensorType(indices.shape, source.dtype),)

    def autograd(self, call: Call) -> Autograd:
        """It keeps the input for its shape alone."""
        return Autograd((INPUT, Input(1)), call.inputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


class IndexSelect(Picking):
    """Along `dim`, the positions that the second input lists (torch.index_select)."""

    type: Literal["index_select"] = "index_select"
    prefix: ClassVar[str] = "index_select"
    card: ClassVar[Card] = placing(None, "index_select")
    dim: Axis

    def output_types(self, inputs: Tensors) -> Tensors:
        source, indices = inputs
        require_indices(indices)
        require_rank(indices, 1, "a list of positions")
        axis = normalize_axis(self.dim, source.rank)
        return (TensorType((*source.shape[:axis], indices.numel, *source.shape[axis + 1 :]), source.dtype),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((Input(1),), call.inputs)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules:
        return whole_along(self.dim, inputs)


def axes_of(dims: Sequence[int], rank: int) -> tuple[int, ...]:
    """Raises ShapeError where an axis is none of so many, or is named twice."""
    axes = tuple([normalize_axis(axis, rank, "dims") for axis in dims])
    if len(set(axes)) != len(axes):
        raise ShapeError("dims must name axes once each", expected="different axes", found=str(list(dims)))
    return axes


def side_by_side(axes: Sequence[int]) -> bool:
    return max(axes) - min(axes) < len(axes)


def replaced(indexed: Sequence[int], axes: Sequence[int], picked: Sequence[int]) -> tuple[int, ...]:
    """A number for each of `axes`, in which those of `picked` stand for the indexed ones: in their place when they lie
    side by side, else in front.
    """
    first = min(indexed) if side_by_side(indexed) else 0
    rest = [number for axis, number in enumerate(axes) if axis not in indexed]
    return (*rest[:first], *picked, *rest[first:])


def picked(dims: Sequence[int], source: TensorType, indices: Tensors) -> TensorType:
    """What is at the positions that the indices, stretched to one shape, list along the axes `dims`."""
    for number, listed in enumerate(indices, 1):
        require_indices(listed, f"index {number}")
    if len(indices) != len(dims):
        raise ShapeError(
            "dims has the wrong length", expected=f"{len(indices)}, an axis for each index", found=str(list(dims))
        )
    shape = replaced(axes_of(dims, source.rank), source.shape, broadcast_shape(indices))
    return TensorType(shape, source.dtype)


class Index(Picking):
    """The values at the positions that the other inputs list along the axes `dims`: x[:, i, j] (aten::index).

    There is an index for each of `dims`; they stretch to one shape as in a sum. It stands where those axes were when
    they lie side by side, else in front.
    """

    type: Literal["index"] = "index"
    prefix: ClassVar[str] = "index"
    card: ClassVar[Card] = placing(None, "index")
    arity: ClassVar[Arity] = Arity(2, None)
    dims: Annotated[tuple[Axis, ...], Field(min_length=1)]

    def output_types(self, inputs: Tensors) -> Tensors:
        return (picked(self.dims, inputs[0], inputs[1:]),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd(tuple([Input(index) for index in range(1, len(call.inputs))]), call.inputs)

    def placement(self, call: Call) -> Placement:
        """Torch's iterator runs over the source, which stands still where an index moves, and over the indices
        (AdvancedIndex in aten/src/ATen/native/TensorAdvancedIndexing.cpp).
        """
        source, *indices = call.inputs
        shape = call.result.shape
        axes, zeros, ones = axes_of(self.dims, source.rank), (0,) * source.rank, (1,) * source.rank
        still = (0,) * (len(shape) - source.rank + len(axes))
        operands = [(shape, replaced(axes, strides_of(source.shape, call.layout), still))]
        for number, listed in enumerate(indices, 1):
            strides = strides_of(listed.shape, call.setting.layout(number))
            operands.append((replaced(axes, ones, listed.shape), replaced(axes, zeros, strides)))
        return own_storage(call, (like(shape, operands),))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """Any position may have been picked, of axes that keep their place."""
        rank = inputs[0].rank
        axes = axes_of(self.dims, rank)
        if outputs[0].rank != rank or not side_by_side(axes):
            return None
        return tuple(WHOLE if axis in axes else SAME for axis in range(2, rank))
