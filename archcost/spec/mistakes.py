"""Pydantic's report on a spec → one error with every mistake in it, in the words of the format, in order of place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from archcost.errors import Place, SpecError, listing, shorten, together
from archcost.files.values import Path, as_list, as_mapping, spell, step_into, value_at
from archcost.layers import TYPES, Declared, foreign
from archcost.layers.fields import Name, Reference, WeightReference
from archcost.spec.adapters import KINDS
from archcost.spec.hints import entry_hint, field_hint, section_hint, type_hint, value_hint
from archcost.spec.model import Block, BlockUse, InputSpec, ModelSpec, Published, Repeat
from archcost.spec.sequence import SequenceSpec
from archcost.spec.source import Source

EXAMPLES = {
    "name": "a name for the network",
    "inputs": "input: [3, 224, 224], or inputs: {image: [3, 224, 224]}",
    "layers": "a list of layers",
    "shape": "the shape of one sample, as in [3, 224, 224]",
}

PATTERNS = {
    str(Name): "a name of letters, digits and _, or several joined by dots",
    str(Reference): "the name of a layer, as in conv1, or one of its outputs, as in pool1:1",
    str(WeightReference): "the weight of a layer, as in enc1.weight, or transposed, as in enc1.weight.T",
}


class Mistake(NamedTuple):
    """One of pydantic's errors, with its path in the file. The path of a missing field ends with its name."""

    path: Path
    kind: str
    message: str
    found: Any
    context: Mapping[str, Any]


def explain(
    error: ValidationError,
    tree: object,
    source: Source,
    prefix: Path = (),
    written: Mapping[str, Any] | None = None,
    called: str | None = None,
) -> SpecError:
    """The mistakes in `tree`, which stands at `prefix` in the file, in order of place.

    `written` are the fields of a layer before its `$expressions` were worked out, `called` is what the whole is called.
    """
    told = found(error, tree, source, prefix, written)
    return together([mistake.at(layer=called) for _, mistake in told])


def found(
    error: ValidationError,
    tree: object,
    source: Source,
    prefix: Path = (),
    written: Mapping[str, Any] | None = None,
) -> list[tuple[Path, SpecError]]:
    """Each mistake with its path in `tree`, in order of place."""
    mistakes = [_mistake(details, tree) for details in error.errors(include_url=False)]

    def order(mistake: Mistake) -> tuple[bool, int, int]:
        place = source.place((*prefix, *mistake.path))
        return (place.file != source.file, place.line, place.column) if place else (False, 0, 0)

    groups = _by_place(sorted(mistakes, key=order))
    return [(group[0].path, _told(group, tree, source, prefix, written or {})) for group in groups]


def explain_call(error: ValidationError, fields: Mapping[str, Any], kind: type[BaseModel]) -> SpecError:
    """The mistakes in what a class was called with: a layer, a block, a whole spec."""
    is_layer = issubclass(kind, Declared)
    tree = {"type": kind.model_fields["type"].default, **fields} if is_layer else dict(fields)
    return explain(error, tree, Source(""), called=str(fields.get("name") or kind.__name__))


def _by_place(mistakes: Sequence[Mistake]) -> list[list[Mistake]]:
    """Mistakes that are told as one, of those in order: what a union's branches say of one value, the unknown fields
    of one entry. What may follow from another is left out: a misspelt field is not missing as well.
    """
    misspelt = {mistake.path[:-1] for mistake in mistakes if mistake.kind == "extra_forbidden"}
    brackets = {
        mistake.path[:-1] for mistake in mistakes if isinstance(mistake.found, str) and mistake.found[:1] == "("
    }
    both_inputs = any(mistake.kind == "extra_forbidden" and mistake.path == ("input",) for mistake in mistakes)
    groups: dict[Path, list[Mistake]] = {}
    for mistake in mistakes:
        if mistake.kind == "missing" and mistake.path[:-1] in misspelt:
            continue
        if mistake.path[:-1] in brackets and re.fullmatch(r"[\d ]+\)", str(mistake.path[-1])):
            continue  # `(2, 2)` in YAML's braces ends at the comma
        if both_inputs and mistake.path[:1] == ("inputs",):
            continue
        # In the order of places what is around stands first.
        around = (mistake.path[:length] for length in range(len(mistake.path)))
        head = next((path for path in around if path in groups and path != ()), mistake.path)
        if mistake.kind == "extra_forbidden" and mistake.path != ("input",):
            head = (*mistake.path[:-1], "")
        groups.setdefault(head, []).append(mistake)
    return list(groups.values())


def _told(
    group: Sequence[Mistake], tree: object, source: Source, prefix: Path, written: Mapping[str, Any]
) -> SpecError:
    """The branches of a union each report, the nearest of them from the deepest place."""
    deepest = max(group, key=lambda mistake: len(mistake.path))
    place = source.place((*prefix, *deepest.path)) or (Place(source.file, 1, 1) if source.file else None)
    is_of_fields = deepest.kind == "extra_forbidden"
    same = [mistake for mistake in group if is_of_fields or mistake.path == deepest.path]
    fault = _message_of(same, tree)
    expression = written.get(str(deepest.path[0])) if deepest.path else None
    if isinstance(expression, str) and "$" in expression:
        fault = SpecError(
            fault.problem, expected=fault.expected, found=f"{fault.found}, from {shorten(expression)}", hint=fault.hint
        )
    return fault.at(layer=layer_at(tree, deepest.path), place=place)


def _mistake(details: ErrorDetails, tree: object) -> Mistake:
    context: Mapping[str, Any] = details.get("ctx", {})
    kind, message = details["type"], details["msg"]
    if kind == "told_again":
        kind, message, context = context["kind"], context["message"], context["context"]
    path = real_path(details["loc"], tree, kind)
    return Mistake((*path, "type") if kind == "layer_type" else path, kind, message, details["input"], context)


def real_path(loc: Path, tree: object, kind: str = "") -> Path:
    """Pydantic's location without what it adds to the file's own: branches of unions, `inputs` for `input`, keys."""
    path: list[str | int] = []
    value = tree
    for step in loc:
        there, inner = step_into(value, step)
        if there:
            path.append(step)
            value = inner
    if kind == "missing":
        path.append(loc[-1])
    return tuple(path)


def _message_of(mistakes: Sequence[Mistake], tree: object) -> SpecError:
    """All mistakes are about one place."""
    first = mistakes[0]
    match first.kind:
        case "layer_type":
            return _unknown_type(first.path, tree)
        case "extra_forbidden":
            return _unknown_fields(mistakes, tree)
        case "missing":
            return _missing_field(first, tree)
        case "entry":
            return SpecError(
                "not a layer",
                expected="a mapping with one of type, block and repeat",
                found=_fields_or_value(first.found),
                hint=entry_hint(first.found, tree),
            )
        case "loss":
            told = first.context
            return SpecError(told["problem"], expected=told["expected"], found=spell(first.found), hint=told["hint"])
        case "adapter":
            given = as_mapping(first.found)
            found = spell(first.found if given is None else given.get("type"))
            return SpecError("not an adapter", expected=_expected(first), found=found)
        case "parameter_name":
            return SpecError("wrong name for a parameter", expected=_expected(first), found=spell(first.found))
        case _:
            return _wrong_value(mistakes, tree)


def _wrong_value(mistakes: Sequence[Mistake], tree: object) -> SpecError:
    path, found = mistakes[0].path, mistakes[0].found
    # Where the type was right, only the limit matters, not the other types that would do as well.
    limits = [mistake for mistake in mistakes if not mistake.kind.endswith("_type") and mistake.kind != "none_required"]
    expected = ", or ".join(dict.fromkeys(map(_expected, limits or mistakes)))
    words = [word for mistake in mistakes for word in re.findall(r"\w+", str(mistake.context.get("expected", "")))]
    if "type" in (as_mapping(value_at(tree, path)) or {}):
        return SpecError("fields that do not go together", expected=expected, found=_fields_or_value(found))
    problem = f"wrong value for {_field(path)!r}" if path else "not a spec"
    return SpecError(problem, expected=expected, found=spell(found), hint=value_hint(path, found, expected, words))


def _field(path: Path) -> str:
    """`kernel_size[1]`."""
    indices = list(takewhile(lambda step: isinstance(step, int), reversed(path)))
    word = path[-1 - len(indices)] if len(indices) < len(path) else ""
    return f"{word}{''.join(f'[{index}]' for index in reversed(indices))}"


def _fields_or_value(found: object) -> str:
    fields = as_mapping(found)
    return listing([*fields]) if fields else spell(found)


def _expected(mistake: Mistake) -> str:
    """Pydantic's kind of error in plain words."""
    limit = mistake.context
    match mistake.kind:
        case "int_type" | "int_parsing" | "int_from_float":
            return "an integer"
        case "float_type" | "float_parsing" | "finite_number":
            return "a number"
        case "bool_type":
            return "true or false"
        case "string_type":
            return "text"
        case "tuple_type" | "list_type":
            return "a list"
        case "dict_type" | "model_type" | "model_attributes_type":
            is_input = mistake.path[:1] in (("input",), ("inputs",))
            return "a shape such as [3, 224, 224]" if is_input else "a mapping"
        case "none_required":
            return "null"
        case "greater_than_equal":
            return f"at least {_number(limit['ge'])}"
        case "less_than_equal":
            return f"at most {_number(limit['le'])}"
        case "string_too_long":
            return f"at most {limit['max_length']:,} characters"
        case "too_long":
            return f"at most {limit['max_length']:,} entries"
        case "too_short":
            return f"at least {limit['min_length']:,} entry"
        case "literal_error":
            return str(limit["expected"]).replace("'", "")
        case "string_pattern_mismatch":
            return next(text for schema, text in PATTERNS.items() if repr(limit["pattern"]) in schema)
        case _:
            return mistake.message.removeprefix("Input should ").removeprefix("be ").removeprefix("have ")


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _unknown_type(path: Path, tree: object) -> SpecError:
    """Another library's name has its type as a hint, with the fields of the entry as they are called here."""
    found = value_at(tree, path)
    return SpecError(
        "unknown layer type",
        expected="a layer type, as archcost layers lists them",
        found=spell(found),
        hint=type_hint(found, as_mapping(value_at(tree, path[:-1])) or {}, tree) if isinstance(found, str) else None,
    )


def _unknown_fields(mistakes: Sequence[Mistake], tree: object) -> SpecError:
    """Those of one mapping, together."""
    path = mistakes[0].path
    fields = [str(mistake.path[-1]) for mistake in mistakes]
    known = _fields_at(tree, path[:-1])
    if path == ("input",):
        return SpecError("input and inputs stand together", expected="one of them", found="both")
    entry = as_mapping(value_at(tree, path[:-1])) or {}
    type_ = entry.get("type")
    layer_type = type_ if isinstance(type_, str) and type_ in TYPES else None
    if len(fields) == 1 and fields[0] != "activation":
        meant = foreign.field_meant(fields[0], layer_type) if layer_type else None
        at_top = len(path) == 1
        other = section_hint(fields[0], mistakes[0].found, known) if at_top else field_hint(fields[0], known)
        hint = repr(meant) if meant else other
    elif layer_type and any(foreign.is_foreign(field, layer_type) for field in fields):
        hint = foreign.rewritten(entry, layer_type)
    else:
        told = {field: field_hint(field, known) for field in fields[:10]}
        hint = "; ".join(f"{field[:60]}: {each}" for field, each in told.items() if each) or None
    shown = listing([shorten(field) for field in fields])
    problem = f"unknown field{'s' if len(fields) > 1 else ''} {shown}"
    return SpecError(problem, expected=", ".join(known), found=shown, hint=hint)


def _missing_field(mistake: Mistake, tree: object) -> SpecError:
    field = str(mistake.path[-1])
    around = as_mapping(value_at(tree, mistake.path[:-1])) or {}
    given = around if len(mistake.path) > 1 else [key for key in around if key != "type"]  # a call has none
    shown = "input" if field == "inputs" else field
    return SpecError(
        f"field {shown!r} is missing",
        expected=EXAMPLES.get(field, f"{field}: …"),
        found=f"only {listing([*given])}" if given else "nothing",
    )


def _fields_at(tree: object, path: Path) -> list[str]:
    """The fields that the mapping at a path may have."""
    entry = as_mapping(value_at(tree, path)) or {}
    if isinstance(entry.get("type"), str) and entry["type"] in TYPES:
        return [*TYPES[entry["type"]].model_fields]
    if isinstance(entry.get("type"), str) and entry["type"] in KINDS:
        return [*KINDS[entry["type"]].model_fields]
    if "repeat" in entry:
        return [*Repeat.model_fields]
    match path:
        case ():
            return ["extends", "input", *(field.alias or name for name, field in ModelSpec.model_fields.items())]
        case ("published",):
            return [*Published.model_fields]
        case ("inputs" | "input", *_):
            return [*InputSpec.model_fields]
        case ("sequence",):
            return [*SequenceSpec.model_fields]
        case ("blocks", _):
            return [*Block.model_fields]
        case _:
            return [*BlockUse.model_fields]


def layer_at(tree: object, path: Path) -> str | None:
    """The dotted name of the entry that a path leads into, as far as the file says it before the network is built."""
    names: list[str] = []
    for index, step in enumerate(path):
        if index == 1 and path[0] in ("blocks", "inputs"):
            names.append(str(step))
        elif isinstance(step, int) and index and path[index - 1] == "layers":
            around = as_mapping(value_at(tree, path[: index - 1])) or {}
            is_counted_on = "repeat" in around and "name" not in around
            name = _name_of(as_list(value_at(tree, path[:index])) or (), step, is_counted_on)
            names.extend([name] if name else [])
    return ".".join(names)[:200] or None


def _name_of(entries: Sequence[Any], index: int, is_counted_on: bool) -> str | None:
    """An entry's name, given or to be given; its type where that depends on what repeats come to."""
    entry = as_mapping(entries[index]) or {}
    if isinstance(entry.get("name"), str):
        return entry["name"]
    prefix = _prefix(entry)
    if prefix is None:
        return None if "repeat" in entry else f"layers[{index}]"
    before = [as_mapping(other) or {} for other in entries[:index]]
    if is_counted_on or any("repeat" in other and "name" not in other for other in before):
        return str(entry.get("type") or entry.get("block"))
    unnamed = [other for other in before if "name" not in other and _prefix(other) == prefix]
    return f"{prefix}{len(unnamed) + 1}"


def _prefix(entry: Mapping[str, Any]) -> str | None:
    """What an unnamed entry is called, before its number."""
    block, type_ = entry.get("block"), entry.get("type")
    if isinstance(block, str):
        return block
    return TYPES[type_].prefix if isinstance(type_, str) and type_ in TYPES else None
