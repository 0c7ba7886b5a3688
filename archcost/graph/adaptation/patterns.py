"""Patterns of layers' names, as `freeze`, `train` and the targets of adapters are written."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from fnmatch import translate
from functools import lru_cache

from archcost.errors import SpecError, nearest


@lru_cache(maxsize=1000)
def _expression(pattern: str, within: bool) -> re.Pattern[str]:
    body = re.sub(r"\\[Zz]$", "", translate(pattern))
    return re.compile(rf"(?:.*\.)?{body}" + (r"(?:\..*)?" if within else ""))


def names(pattern: str, name: str) -> bool:
    """Whether a pattern means this layer: `q_proj` is `layers.0.attn.q_proj`, as PEFT compares names from their end."""
    return _expression(pattern, False).fullmatch(name) is not None


def covers(pattern: str, name: str) -> bool:
    """Whether a pattern means this layer or a block around it: `layers.0` and `attn` are all layers in there."""
    return _expression(pattern, True).fullmatch(name) is not None


def has_wildcard(pattern: str) -> bool:
    return any(sign in pattern for sign in "*?[")


def words_of(known: Iterable[str]) -> Iterator[str]:
    """What a pattern could have been: full names, and their last parts."""
    for name in known:
        yield name
        yield name.rpartition(".")[2]


def no_match(what: str, pattern: str, known: Collection[str], expected: str) -> SpecError:
    """The message about a pattern that means nothing."""
    last = dict.fromkeys(name.rpartition(".")[2] for name in known)
    hint = nearest(pattern, last) or nearest(pattern.rpartition(".")[2], last) or nearest(pattern, words_of(known))
    shown = ", ".join([*last][:8]) + (", …" if len(last) > 8 else "")
    return SpecError(
        f"{what} means nothing", expected=f"{expected}: {shown}" if last else expected, found=pattern, hint=hint
    )
