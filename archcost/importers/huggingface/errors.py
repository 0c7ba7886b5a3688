"""What is said of a config that we cannot make a network of."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.importers.huggingface.families import FAMILIES
from archcost.importers.huggingface.rules import UnsuitedError


def has_transformers() -> bool:
    return find_spec("transformers") is not None


def unknown_kind(kind: str, file: Path) -> ArchcostError:
    """A network that neither we nor an installed transformers know."""
    return ArchcostError(
        f"{file}: the architecture {shorten(kind)} is not known",
        expected=listing([*FAMILIES], 40) + ", or one that an installed transformers has",
        found=shorten(kind),
        hint=nearest(kind, FAMILIES) or (None if has_transformers() else "pip install transformers"),
    )


def unsuited(kind: str, file: Path, error: UnsuitedError) -> ArchcostError:
    """A value that our own family has no layers for."""
    return ArchcostError(
        f"{file}: {error.key} of this {kind} is what our own family has no layers for",
        expected=error.expected,
        found=shorten(error.found),
        hint="pip install transformers, which then makes the network",
    )
