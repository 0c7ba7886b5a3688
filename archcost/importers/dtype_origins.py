"""Of which tensor the code has a dtype, as far as it was seen to ask."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from archcost.importers.casts import DtypeSource, RequestedCast, Variable, dtype_source, variable_assigned
from archcost.importers.recorded import Ref
from archcost.importers.recorder import Recorder


class AskedDtype(NamedTuple):
    """The tensor that a dtype was asked of, if any; whether the dtype has a name; whether the tensor is sure."""

    tensor: Tensor | None
    is_named: bool
    is_sure: bool


class DtypeOrigins:
    """Of one run of a module."""

    def __init__(self, record: Recorder) -> None:
        self.record = record
        self.last_queried: dict[torch.dtype, Tensor] = {}
        """The tensor that was last asked for its dtype, by that dtype."""
        self.variables: dict[Variable, Tensor] = {}
        """Local variables that hold a dtype, and the tensor that it was asked of."""
        self.of_constants: dict[int, Ref] = {}
        """The tensor whose dtype a constant was given, by the identity of the constant, as long as it lives."""

    def release(self) -> None:
        self.last_queried.clear()
        self.variables.clear()

    def queried(self, tensor: Tensor) -> None:
        self.last_queried[tensor.dtype] = tensor
        variable = variable_assigned()
        if variable is not None:
            self.variables[variable] = tensor

    def note(self, result: Tensor, source: Tensor) -> None:
        """A constant was made with the dtype of a tensor."""
        ref = self.record.find(source) or self.of_constants.get(id(source))
        if ref is not None and result.is_floating_point() and result.dtype == source.dtype:
            self._remember(result, ref)

    def noted(self, constant: Any, dtype: torch.dtype | None, like: Tensor | None = None) -> Any:
        """A new constant, when it is noted of which tensor its dtype was asked, if of any."""
        asked = like if like is not None else self.last_queried.get(dtype) if dtype is not None else None
        if isinstance(constant, Tensor) and asked is not None:
            self.note(constant, asked)
        return constant

    def hand_on(self, given: Sequence[Tensor], result: Any) -> None:
        """From constants to what is made of them."""
        known = [self.of_constants[id(tensor)] for tensor in given if id(tensor) in self.of_constants]
        if known and isinstance(result, Tensor) and result.is_floating_point():
            self._remember(result, known[0])

    def asked_for(self, cast: RequestedCast, dtype: torch.dtype) -> AskedDtype:
        """Of a cast to that dtype, which is about to be made."""
        how = dtype_source() if cast.like is None and cast.dtype is not None and not cast.is_named else DtypeSource()
        known = cast.like if cast.like is not None else self.variables.get(how.variable) if how.variable else None
        asked = known if known is not None else self.last_queried.get(dtype)
        return AskedDtype(asked, cast.is_named or how.by_name, known is not None or how.by_question)

    def _remember(self, constant: Tensor, like: Ref) -> None:
        key = id(constant)
        self.of_constants[key] = like
        weakref.finalize(constant, self.of_constants.pop, key, None)
