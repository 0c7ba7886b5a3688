"""Layers with several outputs that are views of pieces of their input."""

from __future__ import annotations

from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.card import Card
from archcost.layers.checks import normalize_axis
from archcost.layers.fields import Axis, Flag, Size
from archcost.layers.rules import Autograd, Call, Placement
from archcost.layers.shape.reshape import Reshaping, moving
from archcost.tensors import Tensors, TensorType
from archcost.terms.memory_format import laid, strides_of
from archcost.terms.windows import Rules

MOST_PIECES = 10_000


def equal_pieces(size: int, each: int) -> tuple[int, ...]:
    """As many of `each` as there are, and the rest, if there is one."""
    whole, rest = divmod(size, each)
    require_few(whole + bool(rest))
    return (each,) * whole + ((rest,) if rest else ())


def require_few(pieces: int) -> None:
    if pieces > MOST_PIECES:
        raise ShapeError("too many pieces", expected=f"at most {MOST_PIECES:,}", found=f"{pieces:,}")


class Pieces(Reshaping):
    """Views that lie side by side in the input, along `dim`. Backward puts their gradients side by side again."""

    dim: Axis

    def pieces(self, size: int) -> tuple[int, ...]:
        """Sizes along the axis, which is so long."""
        raise NotImplementedError

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = inputs[0].shape
        axis = normalize_axis(self.dim, len(shape))
        pieces = self.pieces(shape[axis])
        return tuple(TensorType((*shape[:axis], size, *shape[axis + 1 :]), inputs[0].dtype) for size in pieces)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((), call.inputs, zeros=call.outputs)

    def placement(self, call: Call) -> Placement:
        """Pieces lie where the whole does, with gaps between."""
        strides = strides_of(call.source.shape, call.layout)
        return Placement((0,) * len(call.outputs), tuple([laid(piece.shape, strides) for piece in call.outputs]))

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        spatial = normalize_axis(self.dim, inputs[0].rank) >= 2
        return None if spatial else super().windows(inputs, outputs)


class Split(Pieces):
    """Pieces of `split_size` along `dim` (the last may be smaller), or of the listed sizes (torch.split).

    `dim` defaults to 1, the channels: a declaration has no batch axis to split. `unsafe`: to autograd they are no
    views, so that each may be overwritten (torch.unsafe_split, which torch's recurrent cells use).
    """

    type: Literal["split"] = "split"
    prefix: ClassVar[str] = "split"
    card: ClassVar[Card] = moving(None, "split", "split_with_sizes")
    split_size: Size | tuple[Size, ...]
    dim: Axis = 1
    unsafe: Flag = False

    def placement(self, call: Call) -> Placement:
        return super().placement(call)._replace(is_view=not self.unsafe, hides_writes=self.unsafe)

    def pieces(self, size: int) -> tuple[int, ...]:
        if isinstance(self.split_size, int):
            return equal_pieces(size, self.split_size)
        if sum(self.split_size) != size:
            raise ShapeError(
                "the pieces do not add up to the axis",
                expected=f"a sum of {size}",
                found=f"{' + '.join(map(str, self.split_size))} = {sum(self.split_size)}",
            )
        return self.split_size


class Chunk(Pieces):
    """`chunks` pieces along `dim`, each of n/chunks values rounded up, the last smaller; there may be fewer of them.

    torch.chunk, which so cuts 5 values into 4 chunks as 2, 2 and 1.
    """

    type: Literal["chunk"] = "chunk"
    prefix: ClassVar[str] = "chunk"
    card: ClassVar[Card] = moving("torch.chunk", "chunk")
    chunks: Size
    dim: Axis = 0

    def pieces(self, size: int) -> tuple[int, ...]:
        return equal_pieces(size, -(-size // self.chunks))


class Unbind(Reshaping):
    """A view for each position along `dim`, without that axis (torch.unbind). Backward stacks their gradients."""

    type: Literal["unbind"] = "unbind"
    prefix: ClassVar[str] = "unbind"
    card: ClassVar[Card] = moving("torch.unbind", "unbind")
    dim: Axis = 0

    def output_types(self, inputs: Tensors) -> Tensors:
        shape = inputs[0].shape
        axis = normalize_axis(self.dim, len(shape))
        require_few(shape[axis])
        return (TensorType((*shape[:axis], *shape[axis + 1 :]), inputs[0].dtype),) * shape[axis]

    def autograd(self, call: Call) -> Autograd:
        """In place of a gradient that does not arrive one zero, seen repeated."""
        return Autograd((), call.inputs, zeros=(TensorType((), call.result.dtype),) * len(call.outputs))

    def placement(self, call: Call) -> Placement:
        axis, count = normalize_axis(self.dim, call.source.rank), len(call.outputs)
        strides = strides_of(call.source.shape, call.layout)
        return Placement((0,) * count, (laid(call.result.shape, (*strides[:axis], *strides[axis + 1 :])),) * count)

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """Axes change their meaning, so the receptive field is not followed further."""
        return None
