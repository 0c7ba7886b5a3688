"""The index of the layer types, and what a type checker reads in its place; both are made from the classes."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import archcost.layers
from archcost.layers import INDEX, Composite, Declared, declared

STUB = INDEX.with_name("__init__.pyi")

HEAD = '''\
"""Made by `python -m tests.generate` from the classes, which `__init__.py` imports only when they are asked for."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, TypeVar

from archcost.layers.base import Composite as Composite
from archcost.layers.base import Declared as Declared
from archcost.layers.base import Layer as Layer
from archcost.layers.base import Weight as Weight
from archcost.layers.base import WeightedLayer as WeightedLayer
from archcost.layers.listed import Place as Place
from archcost.layers.listed import index as index
'''

TAIL = """
INDEX: Path
LAYERS: Mapping[str, type[Layer]]
COMPOSITES: Mapping[str, type[Composite]]
TYPES: Mapping[str, type[Declared]]

def declared() -> dict[str, type[Declared]]: ...

_Derived = TypeVar("_Derived")

class ByType(Mapping[str, _Derived]):
    def __init__(self, of_class: Callable[[type[Layer]], _Derived]) -> None: ...
    def __getitem__(self, type_: str) -> _Derived: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...
"""


def index() -> str:
    """A line for each type: its module, its class, and whether it stands for several layers."""
    return "".join(f"{type_} {_module(kind)} {kind.__name__}{_word(kind)}\n" for type_, kind in declared().items())


def _module(kind: type[Declared]) -> str:
    return kind.__module__.removeprefix(f"{archcost.layers.__name__}.")


def _word(kind: type[Declared]) -> str:
    return " composite" * issubclass(kind, Composite)


def stub() -> str:
    """Classes that stand in the source are imported; one that is made of a row, or takes fields without their names, is
    declared by what it builds on.
    """
    written, made = [], []
    for kind in declared().values():
        if kind.positional:
            base = next(base for base in kind.__mro__ if base.__name__ in _classes(base.__module__))
            written.append(f"from {base.__module__} import {base.__name__} as _{base.__name__}\n")
            made.append(f"class {kind.__name__}(_{base.__name__}):{_fields(kind, base)}{_init(kind)}\n")
        elif kind.__name__ in _classes(kind.__module__):
            written.append(f"from {kind.__module__} import {kind.__name__} as {kind.__name__}\n")
        else:
            base = next(base for base in kind.__mro__[1:] if base.__name__ in _classes(base.__module__))
            written.append(f"from {base.__module__} import {base.__name__} as _{base.__name__}\n")
            made.append(f"class {kind.__name__}(_{base.__name__}):{_fields(kind, base) or ' ...'}\n")
    return HEAD + "".join(dict.fromkeys(written)) + TAIL + "".join(f"\n{line}" for line in made)


def _fields(kind: type[Declared], base: type[Declared]) -> str:
    """Those of its own, by the names of their types."""
    own = {name: field for name, field in kind.model_fields.items() if name not in base.model_fields}
    lines: list[str] = []
    for name, field in own.items():
        word = getattr(field.annotation, "__name__", field.annotation)
        lines.append(f"\n    {name}: {word}{'' if field.is_required() else ' = ...'}")
    return "".join(lines)


def _init(kind: type[Declared]) -> str:
    """How a class is called of which some fields may be given without their names."""
    fields = {name: field for name, field in kind.model_fields.items() if name != "type"}
    order = [*kind.positional, *(name for name in fields if name not in kind.positional)]
    arguments = [
        f"{name}: {_type(fields[name].annotation)}{'' if fields[name].is_required() else ' = ...'}" for name in order
    ]
    arguments.insert(len(kind.positional), "*")
    return f"\n    def __init__(self, {', '.join(arguments)}) -> None: ..."


def _type(annotation: Any) -> str:
    """As a stub has it, without what only pydantic reads."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin in (Union, UnionType):
        return " | ".join(map(_type, inner))
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, inner))}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_type, inner))}]"
    return {NoneType: "None", Ellipsis: "..."}.get(annotation) or annotation.__name__


def _classes(module: str) -> set[str]:
    tree = ast.parse(Path(str(inspect.getsourcefile(import_module(module)))).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


def renew() -> None:
    INDEX.write_text(index(), encoding="utf-8")
    STUB.write_text(stub(), encoding="utf-8")
