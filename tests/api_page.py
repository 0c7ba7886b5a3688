"""docs/api.md: the names that `archcost` has for others, made from the code: what each is, takes, has and raises."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import archcost
import archcost.hardware
import archcost.pytorch
import archcost.testing

PAGE = Path(__file__).parents[1] / "docs" / "api.md"

HEAD = """\
# The names in Python

Made by `make docs` from the code. Every value is frozen. Every function raises `ArchcostError`, or a kind of it, for
what it cannot take, and says where, what was expected, what was found, and what to do. Sizes are elements, amounts of
memory bytes, times seconds, rates FLOP/s and B/s, unless a line says otherwise. Layer classes are in
[the pages of the layers](layers/index.md), by their names: `archcost.layers.Conv2d(out_channels=64, kernel_size=3)`.
"""

PARTS = {
    "archcost": archcost,
    "archcost.testing": archcost.testing,
    "archcost.hardware": archcost.hardware,
    "archcost.pytorch": archcost.pytorch,
}


def page() -> str:
    return HEAD + "".join(_part(name, module) for name, module in PARTS.items())


def _part(prefix: str, module: Any) -> str:
    found = {name: getattr(module, name) for name in module.__all__ if not name.startswith("_")}
    functions = [_function(f"{prefix}.{name}", each) for name, each in found.items() if inspect.isfunction(each)]
    classes = [_class(f"{prefix}.{name}", each) for name, each in found.items() if inspect.isclass(each)]
    return f"\n## {prefix}\n\n" + "\n".join([*functions, *classes])


def _function(name: str, function: Any) -> str:
    return f"### {name}\n\n```py\n{name}{_signature(function)}\n```\n\n{_paragraphs(function)}\n"


def _signature(function: Any) -> str:
    """As it is written, over several lines where it is long."""
    signature = inspect.signature(function)
    text = str(signature).replace("'", "")
    if len(text) < 90:
        return text
    parameters = list(signature.parameters.values())
    written = [str(each).replace("'", "") for each in parameters]
    named = next((place for place, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY), None)
    if named is not None:
        written.insert(named, "*")
    return "(\n" + "".join(f"    {each},\n" for each in written) + f"){text.rpartition(')')[2]}"


def _paragraphs(thing: Any) -> str:
    return inspect.cleandoc(inspect.getdoc(thing) or "")


def _class(name: str, kind: Any) -> str:
    text = f"### {name}\n\n{_paragraphs(kind)}\n"
    fields = list(_fields(kind))
    if fields:
        text += "\n| name | type | what it is |\n| --- | --- | --- |\n"
        text += "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in fields)
    return text


def _fields(kind: Any) -> Iterator[tuple[str, str, str]]:
    """Fields with the text that stands under each, then properties and methods with the first sentence of theirs."""
    named = _written(kind)
    for name, (type_, said) in named.items():
        if not name.startswith("_") and not type_.startswith("ClassVar"):
            yield f"`{name}`", f"`{type_}`", said
    for name, member in sorted(vars(kind).items()):
        if name.startswith("_") or name in named or not inspect.getdoc(member):
            continue
        if isinstance(member, property):
            returned = str(getattr(member.fget, "__annotations__", {}).get("return", ""))
            yield f"`{name}`", f"`{_short(returned)}`", _first(member)
        elif inspect.isfunction(member):
            arguments = str(inspect.signature(member)).replace("(self, ", "(").replace("(self)", "()")
            yield f"`{name}{_short(arguments)}`", "", _first(member)


def _short(type_: str) -> str:
    return re.sub(r"\b(?:archcost|typing|collections\.abc|pathlib)(?:\.\w+)*\.(\w+)", r"\1", type_).replace("'", "")


def _first(thing: Any) -> str:
    return " ".join((inspect.getdoc(thing) or "").split("\n\n")[0].split())


def _written(kind: Any) -> dict[str, tuple[str, str]]:
    """By field its type as the source has it, and the text that stands under it."""
    try:
        tree = ast.parse(inspect.cleandoc(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    found: dict[str, tuple[str, str]] = {}
    for field, after in pairwise([*body, ast.Pass()]):
        match field:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation):
                found[name] = (ast.unparse(annotation), _text(after))
            case _:
                pass
    return found


def _text(node: ast.AST) -> str:
    match node:
        case ast.Expr(value=ast.Constant(value=str(said))):
            return " ".join(said.split())
        case _:
            return ""


def renew(text: str) -> str:
    return page()
