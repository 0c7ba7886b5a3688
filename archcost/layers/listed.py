"""Where the classes of our own types lie, as `index.txt` has it, so that none is imported to be looked up."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from archcost.layers.base import Declared

INDEX = Path(__file__).with_name("index.txt")

PACKAGE = "archcost.layers"


class Place(NamedTuple):
    """Where a class lies: a module of this package, and the class's name in it."""

    module: str
    name: str
    is_composite: bool

    def load(self) -> type[Declared] | None:
        """The class; None where the index is older than the classes and it lies elsewhere."""
        try:
            return getattr(import_module(f"{PACKAGE}.{self.module}"), self.name)
        except (ModuleNotFoundError, AttributeError):
            return None


@cache
def index() -> dict[str, Place]:
    """By type, as the index has it: lines of type, module and class, and of one word more for a composite."""
    lines = [line.split() for line in INDEX.read_text(encoding="utf-8").splitlines()]
    return {type_: Place(module, name, bool(more)) for type_, module, name, *more in lines}
