"""The optimizers that a run can name, with options behind a colon: `sgd-momentum:nesterov,weight_decay`.

An option stands for any value but 0, which is all that memory and operations depend on; `weight_decay=0.01` says the
same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from math import inf, nan
from typing import Literal, NamedTuple, cast, get_args

from archcost.errors import ArchcostError, nearest, shorten

Optimizer = Literal[
    "none",
    "sgd",
    "sgd-momentum",
    "adam",
    "adamw",
    "adamw-8bit",
    "adafactor",
    "lion",
    "rmsprop",
    "adagrad",
    "adadelta",
    "adamax",
    "rprop",
    "nadam",
    "radam",
    "muon",
    "adam-8bit",
    "lion-8bit",
    "sgd-8bit",
    "rmsprop-8bit",
    "adagrad-8bit",
    "adam-4bit",
    "adamw-4bit",
    "adam-fp8",
    "adamw-fp8",
]
"""Those of 8 bits are bitsandbytes', of 4 bits and fp8 torchao's."""

Option = Literal["nesterov", "weight_decay", "amsgrad", "centered", "momentum", "paged", "torchao"]

OPTIONS: Mapping[Optimizer, tuple[Option, ...]] = {
    "sgd": ("weight_decay",),
    "sgd-momentum": ("nesterov", "weight_decay"),
    "adam": ("amsgrad", "weight_decay", "paged"),
    "adamw": ("amsgrad", "paged"),
    "lion": ("paged",),
    "adam-8bit": ("paged", "torchao"),
    "adamw-8bit": ("paged", "torchao"),
    "lion-8bit": ("paged",),
    "rmsprop": ("centered", "momentum", "weight_decay"),
    "adagrad": ("weight_decay",),
    "adadelta": ("weight_decay",),
    "adamax": ("weight_decay",),
    "nadam": ("weight_decay",),
    "radam": ("weight_decay",),
}
"""Those that change what a step keeps, makes or computes. Others decay the weights themselves, or not at all.

`paged` has bitsandbytes keep states in memory that moves between card and host page by page: of adam, adamw and lion in
32 bits, whatever the weights are in. `torchao` is that library's way to keep 8 bits.
"""

ALONE: tuple[Option, ...] = ("paged", "torchao")
"""Those that are another library's optimizer, which has none of the other options."""


REFUSED = ("lbfgs",)
"""Those of torch.optim that run forward and backward themselves, by a closure."""


class Method(NamedTuple):
    """An optimizer with its options."""

    name: Optimizer
    options: frozenset[Option] = frozenset()


def method(text: object) -> Method:
    """Raises ArchcostError for a word that is none of those known."""
    if not isinstance(text, str):
        raise _unknown(text, None)
    return _method(text)


@cache
def _method(text: str) -> Method:
    word, colon, rest = text.partition(":")
    if word in REFUSED:
        raise ArchcostError(
            f"{word} calls the network as often as its search wants, which no one step is",
            expected=", ".join(get_args(Optimizer)),
            found=shorten(text),
        )
    if word not in get_args(Optimizer):
        raise _unknown(text, nearest(word, get_args(Optimizer)))
    name = cast("Optimizer", word)
    given: dict[Option, bool] = {}
    for each in rest.split(",") if colon else ():
        option, is_on = _option(name, each)
        if option in given:
            raise ArchcostError(f"optimizer option {option} stands twice", expected="once", found=shorten(text))
        given[option] = is_on
    for option in ALONE:
        if given.get(option) and sum(given.values()) > 1:
            others = [each for each, is_on in given.items() if is_on and each != option]
            raise ArchcostError(f"{name}:{option} has no other option", expected=option, found=", ".join(others))
    return Method(name, frozenset([option for option, is_on in given.items() if is_on]))


def _unknown(found: object, hint: str | None) -> ArchcostError:
    expected = ", ".join(get_args(Optimizer))
    return ArchcostError("optimizer is not one of those known", expected=expected, found=shorten(found), hint=hint)


def _option(name: Optimizer, word: str) -> tuple[Option, bool]:
    """And whether it is on: it is no 0."""
    key, equals, value = word.partition("=")
    known = OPTIONS.get(name, ())
    if key not in known:
        raise ArchcostError(
            f"{name} has no such option",
            expected=", ".join(known) or "none",
            found=shorten(word),
            hint=nearest(key, known),
        )
    if not equals:
        return key, True
    try:
        number = float(value)
    except ValueError:
        number = nan
    if not 0 <= number < inf:
        raise ArchcostError(f"optimizer option {key}", expected="a number, 0 or more", found=shorten(value))
    return key, number > 0
