"""The trace of a run: every call of torch that the module made, in order. A second run is compared with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.parameter import is_lazy

from archcost.importers.recorded import Ref

Kind = Literal["made", "passed", "set", "cast", "composite", "into", "over", "free", "called", "composed"]
"""How a call was handled. made: it makes a constant; passed: it returned its argument; set: an assignment to an index;
cast; composite: other calls were made in its place; into, over: its `out` is a new tensor, or one that is written over;
free: all its arguments are constants; called: a layer, or its operators; composed: a Python function whose own calls
were recorded.
"""


class CallResult(NamedTuple):
    """A tensor that a call returned: its reference, where it is recorded, its shape and its dtype."""

    ref: Ref | None
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(slots=True)
class RecordedCast:
    """A cast, by the number of its entry: to a dtype that is named in the code (`is_named`), or to that of `like`."""

    entry: int
    is_named: bool
    like: Ref | None
    is_sure: bool
    """Whether the code shows that the dtype is that of `like`; else `like` was the last to be asked."""


class ConstantRead(NamedTuple):
    """An argument, by its place, that was recorded as a constant: its entry, and the tensor that gave the dtype."""

    place: int
    entry: int
    like: Ref | None


@dataclass(slots=True)
class Step:
    """One call. Its entries, with those of calls within it, are numbered from `first` up to `end`."""

    name: str
    first: int
    kind: Kind = "called"
    end: int = 0
    results: tuple[CallResult, ...] = ()
    drops_values: bool = False
    """Whether arguments with values, scalars too, were replaced by meta tensors."""
    same_shape: bool = False
    """Whether it returned one new meta tensor, whose shape follows from the shapes of its arguments."""
    cast: RecordedCast | None = None
    constants: tuple[ConstantRead, ...] = ()
    locals: tuple[tuple[Ref, int], ...] = ()
    """Tensors that variables of an operator of C++ hold, each until the entry of that number is done."""


_SHAPED = """
conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d linear matmul bmm scaled_dot_product_attention
batch_norm layer_norm group_norm relu gelu silu sigmoid tanh softmax dropout add sub mul div
max_pool2d avg_pool2d adaptive_avg_pool2d embedding
"""
SHAPE_FOLLOWS = frozenset(_SHAPED.split())
"""Calls whose result has a shape that follows from those of the arguments, so that a second run can skip them."""


@dataclass(slots=True)
class Trace:
    steps: list[Step] = field(default_factory=list[Step])
    asks_for_dtypes: bool = False
    makes_floats: bool = False
    """Whether floating constants were read by a layer."""

    @property
    def has_to_do_with_dtypes(self) -> bool:
        """Whether the module casts, reads floating constants or asks for dtypes, so that another dtype may matter."""
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
    """Whether some are on the meta device, and some have values."""
    return any(tensor.is_meta for tensor in tensors) and not all(tensor.is_meta for tensor in tensors)


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """The shape; () for a lazy parameter, which has none yet."""
    return () if is_lazy(tensor) else tuple(tensor.shape)
