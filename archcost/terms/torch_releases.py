"""The releases of torch whose rules differ, and which of them is installed here; torch itself is not imported."""

from __future__ import annotations

import re
from functools import cache
from typing import Literal, get_args

Torch = Literal["2.13", "2.14"]
"""By whose rules a layer keeps and makes its tensors, the oldest first."""

RELEASES: tuple[Torch, ...] = get_args(Torch)


@cache
def version_here() -> str | None:
    """The version of the installed torch, such as `2.13.0+cpu`."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("torch")
    except PackageNotFoundError:
        return None


def installed() -> Torch:
    """The rules of the torch that is installed, or where none is those of the newest."""
    here = version_here()
    return RELEASES[-1] if here is None else rules_of(here)


def rules_of(version: str) -> Torch:
    """`2.13.0+cpu` → 2.13. A release between two known ones has the older's rules; an older one those of the oldest,
    and what is no version those of the newest.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        return RELEASES[-1]
    number = tuple(map(int, found.groups()))
    known: list[Torch] = [release for release in RELEASES if tuple(map(int, release.split("."))) <= number]
    return known[-1] if known else RELEASES[0]
