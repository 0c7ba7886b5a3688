"""Proposals: which layer a call of torch is, and the registry of the rules that say so.

A rule gets what torch returned and the arguments of the call, and returns a `Proposal`, or None where no layer does
what was called. `Recorder.write` checks a proposal against the shapes that torch made, so a rule need not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from itertools import takewhile
from typing import Any, TypeVar, cast

from torch import Tensor

from archcost.layers.base import Declared, Layer

SAMPLES = 1009
"""The batch that a module is run with: a prime, so that a size that is a multiple of it comes from the batch."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A layer: its type, its fields, the tensors that it reads, and those that are its weights, by name.

    With `sized` it also reads an input of the network, for the size of the batch. `spared` are inputs that the layer
    needs only where one of them is no constant. `outputs` says how many of the results, the first ones, are the
    layer's: an operator may hand out what it keeps for its backward.
    """

    type: str
    inputs: Sequence[Tensor]
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    weights: Mapping[str, Tensor | None] = field(default_factory=dict[str, Tensor | None])
    sized: bool = False
    spared: Sequence[Tensor] = ()
    outputs: int | None = None


RuleFunction = Callable[..., Proposal | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule. `takes_inplace`: the function has an argument that says that the call writes into its first one."""

    function: RuleFunction
    takes_inplace: bool


RULES: dict[str, Rule] = {}
"""By the name of a function, a method or an operator of torch."""

Composite = Callable[..., Any]
COMPOSITES: dict[str, Composite] = {}
"""Calls of torch that amount to several others: functions that make those, by the name of the call."""


Written = TypeVar("Written", bound=RuleFunction)


def rule_for(*names: str) -> Callable[[Written], Written]:
    """Registers a rule under the names of the calls that it is for."""

    def register(function: Written) -> Written:
        entry = Rule(function, "inplace" in signature(function).parameters)
        RULES.update(dict.fromkeys(names, entry))
        return function

    return register


def rule_of(kind: type[Layer]) -> Rule:
    """For calls whose arguments are tensors first, the last of them perhaps by its name, and then the layer's fields in
    the same order, `inplace` last. Torch's empty list of sizes is a field that is left out.
    """
    without = {*Declared.model_fields, "trainable", "given", "inplace"}
    names = [name for name in kind.model_fields if name not in without]
    sizes = {name for name in names if "int | tuple[int, ...]" in str(kind.model_fields[name].annotation)}
    floats = {name for name in names if str(kind.model_fields[name].annotation) in ("<class 'float'>", "float | None")}

    def function(result: Any, *arguments: Any, inplace: bool = False, **named: Any) -> Proposal | None:
        first = tuple(takewhile(is_tensor, arguments))
        last = tuple(filter(is_tensor, named.values()))
        tensors, (least, most) = (*first, *last), kind.arity
        given = dict(zip(names, arguments[len(first) :], strict=False))
        given |= {name: value for name, value in named.items() if not is_tensor(value)}
        if len(last) > 1 or len(tensors) < least or (most is not None and len(tensors) > most):
            return None
        if not given.keys() <= {*names}:
            return None
        given = {name: one(value) if name in sizes else value for name, value in given.items()}
        fields = {
            name: float(value) if name in floats and is_number(value) else value
            for name, value in given.items()
            if not (name in sizes and value == [])
        }
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
    """One integer where all sizes are the same, as torch lets them be written; else a list."""
    if isinstance(sizes, (list, tuple)):
        entries = tuple(cast("Sequence[Any]", sizes))
        return entries[0] if entries and all(entry == entries[0] for entry in entries) else list(entries)
    return sizes


def listed(sizes: Sequence[Any]) -> tuple[Any, ...]:
    """Sizes that were passed one by one or as one list, as a tuple."""
    if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)):
        return tuple(cast("Sequence[Any]", sizes[0]))
    return tuple(sizes)


def samples_in(size: int) -> int:
    """A size divided by SAMPLES; 0 where it is no multiple of it, so that it does not come from the batch."""
    return size // SAMPLES if size and size % SAMPLES == 0 else 0


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def finite(number: float) -> float:
    """A filling value within what a spec can write: no infinity. No cost depends on it."""
    return max(min(float(number), 3e38), -3e38)


def overwriting(inplace: bool) -> dict[str, Any]:
    """The field of a layer that writes into its first input."""
    return {"inplace": True} if inplace else {}


def named_dtype(dtype: Any) -> dict[str, Any]:
    """The dtype that a call names for its result, if one."""
    return {} if dtype is None else {"dtype": str(dtype).removeprefix("torch.")}
