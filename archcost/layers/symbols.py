"""The letters that `explain` uses, the same in every layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archcost.terms.expressions import Step

AXES = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
"""Names of the spatial axes, outermost first."""


def left_over(span: int, stride: int) -> str:
    """What to say when a stride does not divide: the last positions of the padded input are never looked at."""
    rest = span % stride
    return f"a stride of {stride} leaves the last {rest} of the padded input unread" if rest else ""


def asked_for(sizes: Sequence[int], note: str) -> tuple[Step, ...]:
    """Output sizes that a field of the layer gives outright."""
    return tuple(Step(f"output {axis}", f"m_{axis}", {f"m_{axis}": size}, note) for axis, size in _named(sizes))


def _named(sizes: Sequence[int]) -> Iterable[tuple[str, int]]:
    return zip(AXES[len(sizes)], sizes, strict=True)


def product(letter: str, ndim: int, suffix: str = "") -> str:
    """`k_H*k_W` for letter k; `H_out*W_out` for no letter and a suffix."""
    return "*".join(f"{letter}_{axis}" if letter else f"{axis}{suffix}" for axis in AXES[ndim])
