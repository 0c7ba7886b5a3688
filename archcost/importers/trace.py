"""The calls that a module made when it was followed, in order, so that a second run can be held against the first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from archcost.importers.recorded import Ref

Kind = Literal["made", "passed", "set", "cast", "composite", "into", "over", "free", "called", "composed"]
"""How a call was taken: as a constant made, as what it was given handed back, as an assignment, a cast, other calls in
its place, a result put into a new `out` or written over one, a call on constants, a layer (or what lies beneath one), a
function of Python whose own calls came by.
"""


class CallResult(NamedTuple):
    """A tensor that a call returned: which of the record's it is, if it is one, and what it is like."""

    ref: Ref | None
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(slots=True)
class RecordedCast:
    """A cast as it was written: to a dtype by name, to that of `like`, or to one that a variable held."""

    entry: int
    is_named: bool
    like: Ref | None
    is_sure: bool
    """Whether it is known by the code that the dtype is that of `like`; else it was the last to be asked."""


class ConstantRead(NamedTuple):
    """An argument by its place that became a constant of the record, which entry, and whose dtype it was given."""

    place: int
    entry: int
    like: Ref | None


@dataclass(slots=True)
class Step:
    """One call. Its entries, those of calls within it included, are those from `first` up to `end`."""

    name: str
    first: int
    kind: Kind = "called"
    end: int = 0
    results: tuple[CallResult, ...] = ()
    drops_values: bool = False
    """Whether tensors that had values were replaced by some without, single values too."""
    same_shape: bool = False
    """Whether it made one new tensor, without values, whose shape follows from those of what it was given."""
    cast: RecordedCast | None = None
    constants: tuple[ConstantRead, ...] = ()


_SHAPED = """
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear matmul bmm scaled_dot_product_attention
batch_norm layer_norm group_norm relu gelu silu sigmoid tanh softmax dropout add sub mul div
max_pool2d avg_pool2d adaptive_avg_pool2d embedding
"""
SHAPE_FOLLOWS = frozenset(_SHAPED.split())
"""Calls that make a tensor whose shape follows from those of what they are given: most of the time of a second run."""


@dataclass(slots=True)
class Trace:
    steps: list[Step] = field(default_factory=list[Step])
    asks_for_dtypes: bool = False
    makes_floats: bool = False
    """Whether floating constants came to be read."""

    @property
    def has_to_do_with_dtypes(self) -> bool:
        """Whether the module casts, makes constants or asks for a dtype, so that it may do otherwise in another."""
        return self.asks_for_dtypes or self.makes_floats or any(step.cast is not None for step in self.steps)

    def start(self, name: str, first: int) -> Step:
        self.steps.append(Step(name, first))
        return self.steps[-1]


def tensors_in(value: Any) -> list[Tensor]:
    """The tensors in tuples, lists and dicts, in order."""
    found: list[Tensor] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[Tensor]) -> None:
    if isinstance(value, Tensor):
        found.append(value)
    elif isinstance(value, (list, tuple)):
        for entry in cast("Sequence[Any]", value):
            _collect(entry, found)
    elif isinstance(value, dict):
        for entry in cast("dict[Any, Any]", value).values():
            _collect(entry, found)


def are_mixed(tensors: Sequence[Tensor]) -> bool:
    """Whether some have values and some have none."""
    return any(tensor.is_meta for tensor in tensors) and not all(tensor.is_meta for tensor in tensors)


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """Nothing for a weight that waits for its first run."""
    return () if is_lazy(tensor) else tuple(tensor.shape)
