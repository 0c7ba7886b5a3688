"""A NETWORK (name, or path to YAML or JSON) → `ModelSpec`, with every mistake told at its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archcost.errors import Place, SpecError, nearest, shorten
from archcost.layers import LAYERS
from archcost.spec import zoo
from archcost.spec.model import Mark, ModelSpec, Source
from archcost.spec.reading import parse, read_text

SUFFIXES = (".yaml", ".yml", ".json")
DEEPEST_FAMILY = 8


def load(network: str | Path) -> ModelSpec:
    """The spec of a shipped network by its name, or of a file by its path. Raises SpecError."""
    path = find(network)
    tree, marks = _read_family(path, ())
    return from_tree(tree, Source(str(path), marks))


def find(network: str | Path) -> Path:
    """The file that NETWORK means."""
    text = str(network)
    if text.endswith(SUFFIXES):
        return Path(network)
    names = zoo.names()
    if text in names:
        return zoo.path(text)
    if text.endswith(".onnx") or ":" in text:
        raise SpecError(
            f"{shorten(text)} cannot be imported by this version",
            expected="a shipped name, or a path to .yaml, .yml or .json",
            found="an ONNX file" if text.endswith(".onnx") else "a Python callable",
        )
    near = nearest(text, names)
    raise SpecError(
        f"unknown network {shorten(text)}",
        expected="a shipped name, or a path to .yaml, .yml or .json",
        found=shorten(text),
        hint=near or "archcost list",
    )


def loads(text: str, file: str = "<text>") -> ModelSpec:
    """The spec of YAML or JSON text that stands alone (no `extends`)."""
    tree, marks = parse(text, file)
    return from_tree(_mapping(tree, Place(file, 1, 1)), Source(file, marks))


def _read_family(path: Path, above: tuple[Path, ...]) -> tuple[dict[str, Any], dict[tuple[str | int, ...], Mark]]:
    """A file laid over the one it `extends`: `parameters` and `blocks` key by key, everything else whole.

    Published figures are not inherited: they are those of the network that states them.
    """
    raw, marks = parse(read_text(path), str(path))
    tree = _mapping(raw, Place(str(path), 1, 1))
    if "extends" not in tree:
        return tree, marks
    base_name = tree.pop("extends")
    place = Place(*marks[("extends",)])
    base_path = _family_path(base_name, path, place)
    if base_path.resolve() in {seen.resolve() for seen in (*above, path)} or len(above) >= DEEPEST_FAMILY:
        raise SpecError("extends goes round in a circle", found=shorten(base_name), place=place)
    base, base_marks = _read_family(base_path, (*above, path))
    merged, merged_marks = {key: value for key, value in base.items() if key != "published"}, dict(base_marks)
    for key, value in tree.items():
        if key in ("parameters", "blocks") and isinstance(value, dict) and isinstance(base.get(key), dict):
            inner: dict[str, Any] = value
            merged[key] = {**base[key], **inner}
            replaced = [(key, name) for name in inner]
        else:
            merged[key] = value
            replaced = [(key,)]
        for prefix in replaced:
            merged_marks = {at: mark for at, mark in merged_marks.items() if at[: len(prefix)] != prefix}
    return merged, {**merged_marks, **marks}


def _family_path(name: Any, path: Path, place: Place) -> Path:
    """`extends` names a shipped network, or a file beside or below this one."""
    if isinstance(name, str) and name in zoo.names():
        return zoo.path(name)
    if (
        isinstance(name, str)
        and name.endswith(SUFFIXES)
        and not Path(name).is_absolute()
        and ".." not in Path(name).parts
    ):
        if (path.parent / name).is_file():
            return path.parent / name
        raise SpecError("extends a file that does not exist", found=shorten(name), place=place)
    raise SpecError(
        "extends what cannot be read",
        expected="a shipped network, or a .yaml or .json file in this folder or below",
        found=shorten(name),
        hint=nearest(name, zoo.names()) if isinstance(name, str) else None,
        place=place,
    )


def _mapping(tree: Any, place: Place) -> dict[str, Any]:
    if not isinstance(tree, dict):
        raise SpecError("a spec is a mapping", expected="name, input and layers", found=shorten(tree), place=place)
    return tree  # pyright: ignore[reportUnknownVariableType]


def from_tree(tree: Mapping[str, Any], source: Source) -> ModelSpec:
    """Validate plain values. The first mistake in the file is raised as a SpecError at its place."""
    try:
        spec = ModelSpec.model_validate(tree)
    except ValidationError as error:
        raise explain_first(error, tree, source) from None
    return spec.with_source(source)


@dataclass(frozen=True, slots=True)
class _Mistake:
    path: tuple[str | int, ...]
    kind: str
    message: str
    found: Any
    context: Mapping[str, Any]


def explain_first(error: ValidationError, tree: Any, source: Source, prefix: tuple[str | int, ...] = ()) -> SpecError:
    """Pydantic's report as one message, for the mistake that stands first in the file."""
    mistakes = [
        _Mistake((*prefix, *real_path(e["loc"], tree)), e["type"], e["msg"], e.get("input"), e.get("ctx", {}))
        for e in error.errors(include_url=False)
    ]
    first = min(mistakes, key=lambda mistake: _order(source, mistake.path))
    place = source.place(first.path) or (Place(source.file, 1, 1) if source.file else None)
    layer = layer_at(tree, first.path[len(prefix) :])
    return _phrase(first, tree, prefix).at(layer=layer, place=place)


def _order(source: Source, path: tuple[str | int, ...]) -> tuple[int, int]:
    place = source.place(path)
    return (place.line, place.column) if place else (0, 0)


def real_path(loc: tuple[str | int, ...], tree: Any) -> tuple[str | int, ...]:
    """Pydantic's location without the branch names it adds for unions and keys; the last part may be missing."""
    path: list[str | int] = []
    value = tree
    for index, step in enumerate(loc):
        if (isinstance(value, dict) and step in value) or (
            isinstance(value, (list, tuple)) and isinstance(step, int) and step < len(value)
        ):
            value = value[step]  # pyright: ignore[reportUnknownVariableType]
        elif index < len(loc) - 1 or not isinstance(step, str) or "[" in step or not isinstance(value, dict):
            continue
        path.append(step)
    return tuple(path)


def layer_at(tree: Any, path: tuple[str | int, ...]) -> str | None:
    """The dotted name of the entry a path leads into, as far as the file names it."""
    names: list[str] = []
    value = tree
    for index, step in enumerate(path):
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
        if index >= 1 and path[index - 1] == "blocks":
            names.append(str(step))
        elif isinstance(step, int) and isinstance(value, dict):
            entry: dict[str, Any] = value
            label = next((entry[key] for key in ("name", "type", "block") if isinstance(entry.get(key), str)), None)
            if label is not None or "repeat" not in entry:
                names.append(label or f"layers[{step}]")
    return shorten_name(".".join(names)) or None


def shorten_name(name: str) -> str:
    return name if len(name) <= 100 else name[:100] + "…"


def _phrase(mistake: _Mistake, tree: Any, prefix: tuple[str | int, ...]) -> SpecError:
    field = str(mistake.path[-1]) if mistake.path else "the file"
    match mistake.kind:
        case "layer_type":
            found = mistake.found.get("type") if isinstance(mistake.found, dict) else mistake.found  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            hint = nearest(found, LAYERS) if isinstance(found, str) else None  # pyright: ignore[reportUnknownArgumentType]
            return SpecError(
                "unknown layer type",
                expected="a layer type, as archcost schema lists them",
                found=shorten(found),  # pyright: ignore[reportUnknownArgumentType]
                hint=hint,
            )
        case "extra_forbidden" | "extra_field":
            known = _known_fields(tree, mistake.path[len(prefix) : -1])
            return SpecError(
                f"unknown field {shorten(field)}",
                expected=", ".join(known) or None,
                found=shorten(field),
                hint=nearest(field, known),
            )
        case "missing":
            return SpecError(f"field {field!r} is missing", expected=f"{field}: …", found="nothing")
        case _:
            expected = mistake.message.removeprefix("Input should be ").removeprefix("Input should ")
            found = mistake.found if not isinstance(mistake.found, dict) else "a mapping"  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            return SpecError(f"wrong value for {field!r}", expected=expected, found=shorten(found))  # pyright: ignore[reportUnknownArgumentType]


def _known_fields(tree: Any, path: tuple[str | int, ...]) -> list[str]:
    """The fields allowed where an unknown one was found."""
    from archcost.spec.model import Block, InputSpec, Published, Repeat

    value = tree
    for step in path:
        value = value[step] if isinstance(value, (dict, list)) else None  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict) and value.get("type") in LAYERS:  # pyright: ignore[reportUnknownMemberType]
        return [name for name in LAYERS[value["type"]].model_fields]  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, dict) and "repeat" in value:
        return list(Repeat.model_fields)
    if not path:
        return ["input", "extends", *ModelSpec.model_fields]
    by_section = {"published": Published, "inputs": InputSpec, "blocks": Block}
    section = by_section.get(str(path[0]))
    return list(section.model_fields) if section else []
