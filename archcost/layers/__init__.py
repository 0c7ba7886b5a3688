"""The layer types: `LAYERS` maps each `type` to its class, and `archcost.layers.Exp` is a class by its name.

A class is imported when it is asked for, so that a command pays for the layers that its network names. Where each lies
stands in `index.txt`, which `python -m tests.generate` writes from the classes. What is not in the index is looked for
in all modules before it is refused, so a new layer needs no line in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, TypeVar

from archcost.layers.base import Composite, Declared, Layer, Weight, WeightedLayer

__all__ = ["COMPOSITES", "INDEX", "LAYERS", "TYPES", "Composite", "Declared", "Layer", "Weight", "WeightedLayer"]

INDEX = Path(__file__).with_name("index.txt")

Kind = TypeVar("Kind", bound=Declared)


class Place(NamedTuple):
    """Where a class lies: a module of this package, and the class's name in it."""

    module: str
    name: str
    is_composite: bool

    def load(self) -> type[Declared] | None:
        """The class; None where the index is older than the classes and it lies elsewhere."""
        try:
            return getattr(import_module(f"{__name__}.{self.module}"), self.name)
        except (ModuleNotFoundError, AttributeError):
            return None


@cache
def index() -> dict[str, Place]:
    """By type, as the index has it: lines of type, module and class, and of one word more for a composite."""
    lines = [line.split() for line in INDEX.read_text(encoding="utf-8").splitlines()]
    return {type_: Place(module, name, bool(more)) for type_, module, name, *more in lines}


@cache
def declared() -> dict[str, type[Declared]]:
    """By type all classes that there are, in order of their modules and types. Imports every module of layers."""
    from pkgutil import walk_packages

    for module in walk_packages(__path__, f"{__name__}."):
        import_module(module.name)
    named = {
        kind.model_fields["type"].default: kind for kind in _below(Declared) if kind.__module__.startswith(__name__)
    }
    types = [type_ for type_ in named if isinstance(type_, str)]  # a class that others build on has no type of its own
    return {type_: named[type_] for type_ in sorted(types, key=lambda type_: (named[type_].__module__, type_))}


def _below(kind: type[Declared]) -> Iterator[type[Declared]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _below(each)


class Types(Mapping[str, type[Kind]]):
    """Classes by type. How many and which types there are is read from the index; a class is imported when it is asked
    for.
    """

    def __init__(self, base: type[Kind], listed: Mapping[str, Place]) -> None:
        self._base = base
        self._listed = listed
        self._found: dict[str, type[Kind]] = {}

    def __getitem__(self, type_: str) -> type[Kind]:
        if type_ not in self._found:
            place = self._listed.get(type_)
            kind = (place and place.load()) or declared().get(type_)
            if kind is None or not issubclass(kind, self._base):
                raise KeyError(type_)
            self._found[type_] = kind
        return self._found[type_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


LAYERS = Types(Layer, {type_: place for type_, place in index().items() if not place.is_composite})

COMPOSITES = Types(Composite, {type_: place for type_, place in index().items() if place.is_composite})
"""Types that stand for several layers."""

TYPES = Types(Declared, index())
"""All that a spec can name."""


def __getattr__(name: str) -> type[Declared]:
    if name[:1].isupper():  # else a module, or what Python asks any package for
        named = [TYPES[type_] for type_, place in index().items() if place.name == name]
        for kind in named or declared().values():
            if kind.__name__ == name:
                return kind
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
