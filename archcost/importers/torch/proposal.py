"""What a call of torch becomes: the words of the tables in this folder.

A rule takes what torch returned and the call's own arguments, and says which layer that is; None where it is no layer
as it was called. Who asks holds the answer against the shapes that torch made, so a rule need not check them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from itertools import takewhile
from typing import Any, cast

from torch import Tensor

from archcost.layers.base import Declared, Layer

SAMPLES = 1009
"""The batch that a module is run with: a prime, so that a size that is a multiple of it comes from the batch."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A layer of `type` with `fields`, what it reads, and the tensors that are its weights, by their names in it.

    `sized` says that it also reads an input of the network, for its batch alone. `spared` are further inputs that the
    layer does without where all of them are constants.
    """

    type: str
    inputs: Sequence[Tensor]
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    weights: Mapping[str, Tensor | None] = field(default_factory=dict[str, Tensor | None])
    sized: bool = False
    spared: Sequence[Tensor] = ()


RuleFunction = Callable[..., Proposal | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule, and whether it can be told that the call writes into its first argument."""

    function: RuleFunction
    takes_inplace: bool


RULES: dict[str, Rule] = {}
"""By the name of a function, a method or an operator of torch."""

Composite = Callable[..., Any]
COMPOSITES: dict[str, Composite] = {}
"""Calls that are others, one after the other: functions to run in their place."""


def rule_for(*names: str) -> Callable[[RuleFunction], RuleFunction]:
    """Registers a rule under the names of the calls that it is for."""

    def register(function: RuleFunction) -> RuleFunction:
        entry = Rule(function, "inplace" in signature(function).parameters)
        RULES.update(dict.fromkeys(names, entry))
        return function

    return register


def rule_of(kind: type[Layer]) -> Rule:
    """For calls whose arguments are tensors first, and then the layer's fields in the same order, `inplace` last."""
    without = {*Declared.model_fields, "trainable", "given", "inplace"}
    names = [name for name in kind.model_fields if name not in without]
    floats = {name for name in names if str(kind.model_fields[name].annotation) in ("<class 'float'>", "float | None")}

    def function(result: Any, *arguments: Any, inplace: bool = False, **named: Any) -> Proposal | None:
        tensors = tuple(takewhile(is_tensor, arguments))
        least, most = kind.arity
        given = dict(zip(names, arguments[len(tensors) :], strict=False)) | named
        if len(tensors) < least or (most is not None and len(tensors) > most) or not given.keys() <= {*names}:
            return None
        fields = {name: float(value) if name in floats and is_number(value) else value for name, value in given.items()}
        if any(isinstance(value, Tensor) for value in fields.values()):
            return None
        return Proposal(kind.model_fields["type"].default, tensors, {**fields, **overwriting(inplace)})

    return Rule(function, "inplace" in kind.model_fields)


def is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def composite(*names: str) -> Callable[[Composite], Composite]:
    """Registers a function to run in place of the calls of these names."""

    def register(function: Composite) -> Composite:
        COMPOSITES.update(dict.fromkeys(names, function))
        return function

    return register


def one(sizes: Any) -> Any:
    """Torch's shorthand: one integer where all are the same."""
    if isinstance(sizes, (list, tuple)):
        entries = tuple(cast("Sequence[Any]", sizes))
        return entries[0] if entries and all(entry == entries[0] for entry in entries) else list(entries)
    return sizes


def listed(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes given one by one, or as one list."""
    if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)):
        return tuple(cast("Sequence[Any]", sizes[0]))
    return tuple(sizes)


def samples_in(size: int) -> int:
    """How many times the batch a size is; 0 where it does not come from the batch."""
    return size // SAMPLES if size and size % SAMPLES == 0 else 0


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def finite(number: float) -> float:
    """What is put somewhere: no cost depends on it, and a spec holds no infinity."""
    return max(min(float(number), 3e38), -3e38)


def overwriting(inplace: bool) -> dict[str, Any]:
    """The field of a layer that writes into its first input."""
    return {"inplace": True} if inplace else {}


def named_dtype(dtype: Any) -> dict[str, Any]:
    """The dtype that a call names for its result, if one."""
    return {} if dtype is None else {"dtype": str(dtype).removeprefix("torch.")}
