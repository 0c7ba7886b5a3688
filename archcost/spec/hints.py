"""What to try in place of what is wrong: the slips of YAML, misspelt words, and the words of other libraries."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from archcost.errors import nearest
from archcost.files.values import Path, as_list, as_mapping, spell, value_at
from archcost.layers import TYPES, foreign
from archcost.layers.foreign_names import ADVICE, INFERRED, squash

SIZES = re.compile(r"\(?\s*(\d{1,9}(?:\s*[x×*,]\s*\d{1,9})+)\s*\)?")
"""`3x224x224`, `(2, 2)`: several sizes as text."""


def value_hint(path: Path, found: object, expected: str, words: Sequence[str]) -> str | None:
    """For a value that is wrong."""
    takes_shape = "shape" in expected or "list" in expected
    if path in (("input",), ("inputs", "input")) and type(found) is int:
        return f"[{found}]"
    if (path and path[-1] == "weights") or not isinstance(found, str):
        return None
    if takes_shape and (sizes := SIZES.fullmatch(found)):
        return f"[{', '.join(re.findall(r'[0-9]+', sizes[1]))}]"
    if takes_shape and found.startswith("("):
        return "a list in square brackets, as in [2, 2]"
    if path and path[-1] == "name" and (name := re.sub(r"\W+", "_", found).strip("_")):
        return name[:100]
    if path and path[-1] == "repeat" and re.fullmatch(r"[A-Za-z_]\w{0,60}", found):
        return f"${found}, if that is a parameter"
    if expected == "true or false" and found.lower() in ("yes", "no", "on", "off"):
        return f"{'true' if found.lower() in ('yes', 'on') else 'false'}: in YAML 1.2, {found} is a word"
    if re.fullmatch(r"-?[0-9]{1,20}", found) and ("integer" in expected or "number" in expected):
        return f"{found} without quotes"
    if expected == "a list" and re.fullmatch(r"[\w.:]{1,60}", found):
        return f"[{found}]"
    return nearest(found, words)


def entry_hint(found: object, tree: object) -> str | None:
    """For a word alone, `conv2d: {…}`, and a module of torch's."""
    fields = as_mapping(found) or {}
    if hasattr(found, "named_parameters"):
        return "archcost.from_torch(module, *inputs), which makes a spec of it"
    if isinstance(fields.get("class_name"), str):  # Keras' own JSON
        fields = {fields["class_name"]: as_mapping(fields.get("config")) or {}}
    inner = as_mapping(next(iter(fields.values()), None)) if len(fields) == 1 else None
    word = next(iter(fields)) if inner is not None else found
    meant = foreign.meant(word, axes(tree)) if isinstance(word, str) else None
    return foreign.rewritten({"type": word, **(inner or {})}, meant) if meant else None


def type_hint(found: str, entry: Mapping[str, Any], tree: object) -> str | None:
    from archcost.layers import own

    if found in (as_mapping(value_at(tree, ("blocks",))) or {}):
        return f"block: {found}"
    word = squash(found)
    if word in ADVICE:
        return ADVICE[word]
    if word == "activation" and isinstance(entry.get("activation"), str):
        found, entry = entry["activation"], {key: value for key, value in entry.items() if key != "activation"}
    meant = foreign.meant(found, axes(tree))
    if meant is None:
        return nearest(found.lower(), [*TYPES, *own.registered()])
    is_same = squash(meant) == word and all(field in TYPES[meant].model_fields for field in entry)
    return repr(meant) if is_same else foreign.rewritten(entry, meant)


def axes(tree: object) -> int | None:
    """Those of the first input, without batch and channels."""
    inputs = as_mapping(value_at(tree, ("inputs",))) or {"input": value_at(tree, ("input",))}
    first = next(iter(inputs.values()), None)
    shape = as_list((as_mapping(first) or {}).get("shape", first))
    return len(shape) - 1 if shape else None


def section_hint(field: str, value: object, known: Sequence[str]) -> str | None:
    """For a section that a spec does not have."""
    inner = as_mapping(value) or {}
    if "layers" in inner:
        return f"what is in {field[:60]} at the top of the file, without {field[:60]} around it"
    shape = as_list(value)
    if "input" in field.lower() and shape and all(type(size) is int for size in shape):
        is_last = len(shape) == 3 and shape[2] in (1, 3, 4) and shape[0] > 4
        return f"input: {spell([shape[2], *shape[:2]] if is_last else shape)}" + (", channels first" if is_last else "")
    return field_hint(field, known)


def field_hint(field: str, known: Sequence[str]) -> str | None:
    return "leave it out: the input of the layer says it" if field in INFERRED else nearest(field, known)
