"""Facts of a torch tensor: its type, its storage, and which of its axes are the batch."""

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
    """The first axis whose size is a multiple of SAMPLES; None where there is none."""
    return next((axis for axis, size in enumerate(tensor.shape) if samples_in(size)), None)


def by_sample(tensor: Tensor) -> tuple[int, ...]:
    """The shape of one sample, the axis of the batch first."""
    sizes = sorted(tensor.shape, key=lambda size: samples_in(size) == 0)
    return tuple([samples_in(size) or size for size in sizes])


def mentions_batch(values: Iterable[Any]) -> bool:
    """Whether any of a layer's fields is a multiple of SAMPLES, so that the layer would hold for that batch alone."""
    for value in values:
        if isinstance(value, (list, tuple)):
            if mentions_batch(cast("Sequence[Any]", value)):
                return True
        elif type(value) is int and samples_in(value):
            return True
    return False
