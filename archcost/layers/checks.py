"""What layers ask of their inputs, and the errors that say so."""

from __future__ import annotations

from archcost.errors import ShapeError
from archcost.tensors import Tensors, TensorType
from archcost.terms.windows import SAME, WHOLE, Rules


def require_floating(inputs: Tensors) -> None:
    for tensor in inputs:
        if not tensor.is_floating:
            raise ShapeError("needs floating-point input", expected="float32 or another float", found=tensor.dtype)


def require_rank(tensor: TensorType, rank: int, meaning: str) -> None:
    """`meaning` names the axes in the message, such as (batch, channels, height, width)."""
    if tensor.rank != rank:
        raise ShapeError(f"needs {rank} axes", expected=meaning, found=str(tensor))


SPATIAL = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def require_images(tensor: TensorType, ndim: int) -> None:
    """A batched feature map with `ndim` spatial axes."""
    require_rank(tensor, ndim + 2, f"(batch, channels, {', '.join(SPATIAL[ndim])})")
    require_floating((tensor,))


def per_axis(value: int | tuple[int, ...], ndim: int, field: str) -> tuple[int, ...]:
    """Torch's shorthand: one integer for all axes, or one each."""
    if isinstance(value, int):
        return (value,) * ndim
    if len(value) != ndim:
        raise ShapeError(
            f"{field} has the wrong length", expected=f"an integer or {ndim} integers", found=str(list(value))
        )
    return value


def require_positive(sizes: tuple[int, ...], inputs: Tensors, hint: str) -> None:
    """Refuse an output that would be empty, before it makes everything after it empty."""
    if any(size < 1 for size in sizes):
        raise ShapeError(
            "output size would be zero or negative",
            expected="every size at least 1",
            found=f"{'×'.join(map(str, sizes))} from input {inputs[0]}",
            hint=hint,
        )


def normalize_axis(axis: int, rank: int, field: str = "dim", what: str = "an axis") -> int:
    """Torch's negative axes, and positions along one, count from the end."""
    if not -rank <= axis < rank:
        raise ShapeError(f"{field} is out of range", expected=f"{what} from {-rank} to {rank - 1}", found=str(axis))
    return axis % rank


def whole_along(dim: int, inputs: Tensors) -> Rules:
    """Every result may depend on any value of that axis, and along the others on what lies in its place."""
    along = normalize_axis(dim, inputs[0].rank)
    return tuple([WHOLE if axis == along else SAME for axis in range(2, inputs[0].rank)])
