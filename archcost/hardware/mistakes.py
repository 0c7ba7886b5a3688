"""Pydantic's report on a profile → one message for the mistake that stands first in the file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from archcost.errors import Place, SpecError, listing, nearest, shorten
from archcost.files.parse import Marks
from archcost.files.values import Path, as_mapping, spell, value_at
from archcost.hardware.figures import Origin
from archcost.hardware.profile import HardwareProfile, Rates

EXAMPLES = {
    "name": "name: nvidia-rtx-4090",
    "title": "title: GeForce RTX 4090",
    "kind": "kind: gpu",
    "year": "year: 2022",
    "verified": "verified: A, B, C or derived",
    "sources": "sources: {page: {text: example.org, date: 2026-11-23, verified: B}}",
    "text": "text: who says so, and what was seen there",
    "source": "source: a key of sources",
    "date": "date: 2022, 2022-10 or 2022-10-12",
    "accumulate": "accumulate: float32 (int32 for int8), the type that sums are kept in",
    "memory": "memory: with type, nominal and bandwidth",
    "rates": "rates: {float32: {value: 82.6 TFLOP/s, accumulate: float32, source: page}}",
    "type": "type: {value: GDDR6X, source: page}",
    "nominal": "nominal: {value: 24 GiB, source: page}",
    "bandwidth": "bandwidth: {value: 1008 GB/s, source: page}",
    "value": "value: a number and a unit, such as 1008 GB/s",
    "devices": "devices: 2",
}
"""What a missing field looks like."""

PATTERNS = {
    "name": "words of a to z and digits, joined by -",
    "source": "a key of sources",
    "date": "a year, a month or a day: 2022, 2022-10, 2022-10-12",
}

SPELLINGS = {
    "fp64": "float64", "double": "float64", "fp32": "float32", "float": "float32", "tfloat32": "tf32",
    "fp16": "float16", "half": "float16", "bf16": "bfloat16", "fp8": "float8",
}  # fmt: skip
"""Of dtypes, elsewhere → here."""


def place(marks: Marks, path: Path, file: str) -> Place:
    """The nearest known place at or above a path."""
    for length in range(len(path), 0, -1):
        if path[:length] in marks:
            return Place(*marks[path[:length]])
    return Place(file, 1, 1)


def explain_first(error: ValidationError, tree: object, marks: Marks, file: str) -> SpecError:
    mistakes = error.errors(include_url=False)
    # A misspelt field is not missing as well.
    misspelt = {_path(mistake)[:-1] for mistake in mistakes if mistake["type"] == "extra_forbidden"}
    mistakes = [m for m in mistakes if m["type"] != "missing" or _path(m)[:-1] not in misspelt]

    def order(mistake: ErrorDetails) -> tuple[int, int]:
        at = place(marks, _path(mistake), file)
        return at.line, at.column

    first = min(mistakes, key=order)
    path = _path(first)
    where = path if first["type"] == "told" else path[:-1]
    return _message_of(first, path, tree).at(layer=dotted(where) or None, place=place(marks, path, file))


def dotted(path: Path) -> str:
    """`memory.bandwidth`: a figure's value and its place in a list go by the figure's name."""
    named = [str(step) for step in path if not isinstance(step, int)]
    return ".".join(named[:-1] if named[-1:] == ["value"] else named)[:200]


def _path(mistake: ErrorDetails) -> Path:
    """Pydantic's location without `[key]`, which it adds where a key itself is wrong."""
    return tuple(step for step in mistake["loc"] if step != "[key]")


def _message_of(mistake: ErrorDetails, path: Path, tree: object) -> SpecError:
    field, found = str(next((step for step in reversed(path) if isinstance(step, str)), "")), mistake["input"]
    context: Mapping[str, Any] = mistake.get("ctx", {})
    match mistake["type"]:
        case "told":
            return SpecError(
                context["problem"],
                expected=context["expected"],
                found=context["found"],
                hint=context.get("hint"),
            )
        case "extra_forbidden":
            return _unknown_field(field, path)
        case "missing":
            given = as_mapping(value_at(tree, path[:-1])) or {}
            return SpecError(
                f"field {field!r} is missing",
                expected=EXAMPLES.get(field, _rough_form(path)),
                found=f"only {listing([*given])}" if given else "nothing",
            )
        case "model_type" | "model_attributes_type" | "dict_type":
            hint = f"{{value: {spell(found)[:60].strip(chr(39))}, source: …}}" if _is_figure(path) else None
            return SpecError(f"wrong value for {field!r}", expected=_rough_form(path), found=spell(found), hint=hint)
        case "literal_error":
            words = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
            hint = nearest(found, words, count=1) if isinstance(found, str) else None
            return SpecError(f"wrong value for {field!r}", expected=listing(words), found=spell(found), hint=hint)
        case "string_pattern_mismatch":
            expected = PATTERNS.get(field, "a key of a to z, digits and _")
            return SpecError(f"wrong value for {field!r}", expected=expected, found=spell(found))
        case "too_short":
            return SpecError(f"wrong value for {field!r}", expected=EXAMPLES[field], found=spell(found))
        case "greater_than_equal" | "less_than_equal":
            limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']:g}"
            return SpecError(f"wrong value for {field!r}", expected=limit, found=spell(found))
        case "int_type":
            hint = f"{found} without quotes" if isinstance(found, str) and found.isdigit() else None
            return SpecError(f"wrong value for {field!r}", expected="an integer", found=spell(found), hint=hint)
        case _:
            expected = mistake["msg"].removeprefix("Input should ").removeprefix("be ").removeprefix("have ")
            return SpecError(f"wrong value for {field!r}", expected=expected, found=spell(found))


def _unknown_field(field: str, path: Path) -> SpecError:
    model = _model_at(path[:-1])
    known = [*model.model_fields]
    hint = SPELLINGS.get(field.lower()) if model is Rates else None
    what = "dtype" if model is Rates else "field"
    return SpecError(
        f"unknown {what} {shorten(field)}",
        expected=listing(known, 30),
        found=shorten(field),
        hint=hint or nearest(field, known, count=1),
    )


def _model_at(path: Path) -> type[BaseModel]:
    """The class of the mapping at a path."""
    model: type[BaseModel] = HardwareProfile
    for step in path:
        if step in model.model_fields:  # else it is a key of sources
            model = _model_in(model.model_fields[str(step)].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def _is_figure(path: Path) -> bool:
    return issubclass(_model_at(path), Origin)


def _rough_form(path: Path) -> str:
    """What stands at a path, in its rough form."""
    model = _model_at(path)
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    if path and path[-1] in EXAMPLES:
        return EXAMPLES[str(path[-1])]
    return f"a mapping with {', '.join(sorted(required, key='value'.__ne__)) or ', '.join(model.model_fields)}"
