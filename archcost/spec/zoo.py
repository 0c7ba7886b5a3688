"""The networks that ship with the package: one YAML file each in `specs/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


@cache
def folder() -> Path:
    """`archcost/specs` in an installed wheel, `specs` beside the package in a checkout."""
    installed = _PACKAGE / "specs"
    return installed if installed.is_dir() else _PACKAGE.parent / "specs"


@cache
def names() -> tuple[str, ...]:
    return tuple(sorted(file.stem for file in folder().glob("*.yaml")))


def path(name: str) -> Path:
    return folder() / f"{name}.yaml"
