"""What a tensor is told by: its type, where it lies, and which of its axes come from the batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from torch import Tensor

from archcost.importers.torch.proposal import samples_in
from archcost.tensors import TensorType


def type_of(tensor: Tensor) -> TensorType:
    return TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def storage_of(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]


def place_of(tensor: Tensor) -> Any:
    return (storage_of(tensor), tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)


def batch_axis(tensor: Tensor) -> int | None:
    """The first that comes from the batch."""
    return next((axis for axis, size in enumerate(tensor.shape) if samples_in(size)), None)


def by_sample(tensor: Tensor) -> tuple[int, ...]:
    """The shape for one sample, with the axis of the batch in front."""
    sizes = sorted(tensor.shape, key=lambda size: samples_in(size) == 0)
    return tuple([samples_in(size) or size for size in sizes])


def mentions_batch(values: Iterable[Any]) -> bool:
    """Whether a field would hold a size of the batch that the module was run with."""
    for value in values:
        if isinstance(value, (list, tuple)):
            if mentions_batch(cast("Sequence[Any]", value)):
                return True
        elif type(value) is int and samples_in(value):
            return True
    return False
