"""The layer types: `LAYERS` maps each `type` to its class, and `archcost.layers.Exp` is a class by its name.

A class is imported when it is asked for, so that a command pays for the layers that its network names. Where each lies
stands in `index.txt`, which `python -m tests.generate` writes from the classes. What is not in the index is looked for
in all modules before it is refused, so a new layer needs no line in it.

Types that others have registered (`archcost.register_layer`, archcost/layers/own.py) are found by `LAYERS["type"]` as
ours are. They are not listed: whoever lists types asks `own.registered()` as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import TypeVar

from archcost.layers.base import Composite, Declared, Layer, Weight, WeightedLayer
from archcost.layers.listed import INDEX, Place, index

__all__ = [
    "COMPOSITES",
    "INDEX",
    "LAYERS",
    "TYPES",
    "ByType",
    "Composite",
    "Declared",
    "Layer",
    "Place",
    "Weight",
    "WeightedLayer",
    "index",
]

Kind = TypeVar("Kind", bound=Declared)


@cache
def declared() -> dict[str, type[Declared]]:
    """By type all classes that there are, in order of their modules and types. Imports every module of layers."""
    from pkgutil import walk_packages

    for module in walk_packages(__path__, f"{__name__}."):
        import_module(module.name)
    ours = [kind for kind in _below(Declared) if kind.__module__.startswith(f"{__name__}.")]
    named = {kind.model_fields["type"].default: kind for kind in ours}
    types = [type_ for type_ in named if isinstance(type_, str)]  # a class that others build on has no type of its own
    return {type_: named[type_] for type_ in sorted(types, key=lambda type_: (named[type_].__module__, type_))}


def _below(kind: type[Declared]) -> Iterator[type[Declared]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _below(each)


def _of_others(type_: str) -> type[Declared] | None:
    from archcost.layers.own import find  # most commands name ours alone, and need not know how others register theirs

    return find(type_)


class Types(Mapping[str, type[Kind]]):
    """Classes by type. How many and which types there are is read from the index; a class is imported when it is asked
    for.
    """

    def __init__(self, base: type[Kind], listed: Mapping[str, Place]) -> None:
        self._base = base
        self._listed = listed
        self._found: dict[str, type[Kind]] = {}

    def __getitem__(self, type_: str) -> type[Kind]:
        if type_ in self._found:
            return self._found[type_]
        place = self._listed.get(type_)
        ours = place.load() if place else None
        kind = ours or _of_others(type_) or declared().get(type_)
        if kind is None or not issubclass(kind, self._base):
            raise KeyError(type_)
        if kind.__module__.startswith(f"{__name__}."):  # another's may be registered anew
            self._found[type_] = kind
        return kind

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


LAYERS = Types(Layer, {type_: place for type_, place in index().items() if not place.is_composite})

COMPOSITES = Types(Composite, {type_: place for type_, place in index().items() if place.is_composite})
"""Types that stand for several layers."""

TYPES = Types(Declared, index())
"""All that a spec can name."""


Derived = TypeVar("Derived")


class ByType(Mapping[str, Derived]):
    """What follows from a layer's class, by type: worked out when it is asked for, of registered classes as of ours."""

    def __init__(self, of_class: Callable[[type[Layer]], Derived]) -> None:
        self._of_class = of_class
        self._known: dict[type[Layer], Derived] = {}

    def __getitem__(self, type_: str) -> Derived:
        kind = LAYERS[type_]
        if kind not in self._known:
            self._known[kind] = self._of_class(kind)
        return self._known[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(LAYERS)

    def __len__(self) -> int:
        return len(LAYERS)


def __getattr__(name: str) -> type[Declared]:
    if name[:1].isupper():  # else a module, or what Python asks any package for
        named = [TYPES[type_] for type_, place in index().items() if place.name == name]
        for kind in named or declared().values():
            if kind.__name__ == name:
                return kind
        from archcost.layers.foreign_names import class_named  # only a mistake needs it

        hint = class_named(name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}" + (f": try {hint}" if hint else ""))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(place.name for place in index().values())])
