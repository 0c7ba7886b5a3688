"""The words of the command line, before they are parsed."""

from __future__ import annotations

from collections.abc import Sequence


def one_device_each(argv: Sequence[str]) -> list[str]:
    """`--hardware A B` as `--hardware A --hardware B`: a name of a device that follows a device is one more."""
    apart: list[str] = []
    for word in argv:
        if len(apart) > 1 and apart[-2] == "--hardware" and not word.startswith("-"):
            from archcost.hardware import may_be_device

            apart += ["--hardware"] * may_be_device(word)
        apart.append(word)
    return apart
