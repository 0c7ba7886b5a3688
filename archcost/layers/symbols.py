"""The letters that `explain` uses, the same in every layer."""

from __future__ import annotations

AXES = {1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
"""Names of the spatial axes, outermost first."""


def product(letter: str, ndim: int, suffix: str = "") -> str:
    """`k_H*k_W` for letter k; `H_out*W_out` for no letter and a suffix."""
    return "*".join(f"{letter}_{axis}" if letter else f"{axis}{suffix}" for axis in AXES[ndim])
