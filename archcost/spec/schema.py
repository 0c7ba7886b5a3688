"""JSON Schema (draft 2020-12) of the spec format, so that an editor completes and checks a file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, cast

from archcost.layers import TYPES, own
from archcost.layers.base import WeightedLayer
from archcost.layers.fields import MAX_SIZE
from archcost.spec.model import BlockUse, ModelSpec

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EXPRESSION: Schema = {"$ref": "#/$defs/expression"}
ENTRIES: Schema = {"type": "array", "items": {"$ref": "#/$defs/entry"}}
NAME: Schema = {"$ref": "#/$defs/entry_name"}
INPUTS: Schema = {"$ref": "#/$defs/entry_inputs"}
GIVEN: Schema = {"$ref": "#/$defs/layer_given"}
WIRING: Schema = {"name": NAME, "inputs": INPUTS, "given": GIVEN}
"""Fields of layers that say what they read, and cannot be `$expressions`."""


WIDTH = 160
"""Of a line, where what it holds can be broken: nearly every field of a layer is one line."""


def schema_text() -> str:
    """The schema as text: definitions in order of names, and a line for each field, so that diffs are short."""
    return _text(schema(), "") + "\n"


def _text(value: Any, indent: str) -> str:
    short = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(short) <= WIDTH or not isinstance(value, (dict, list)):
        return short
    deeper = indent + " "
    if isinstance(value, list):
        return f"[\n{_listed([_text(each, deeper) for each in cast('list[Any]', value)], deeper)}\n{indent}]"
    pairs = cast("dict[str, Any]", value).items()
    lines = [f"{json.dumps(key, ensure_ascii=False)}: {_text(inner, deeper)}" for key, inner in pairs]
    return f"{{\n{_listed(lines, deeper)}\n{indent}}}"


def _listed(lines: Sequence[str], indent: str) -> str:
    return ",\n".join([indent + line for line in lines])


def schema() -> Schema:
    """The JSON Schema of a whole file, with the `input` shorthand and `extends`."""
    model = _plain(ModelSpec.model_json_schema())
    shape = model["$defs"]["InputSpec"]["properties"]["shape"]
    return {
        "$schema": DIALECT,
        "title": "archcost network",
        "description": model["description"],
        "type": "object",
        "properties": {
            "extends": {
                "type": "string",
                "description": "A shipped network, or a file in this folder or below, that this one is laid over.",
            },
            **model["properties"],
            "input": {**shape, "description": "Shape of one sample of the only input; the batch is added."},
            "inputs": _inputs(model["properties"]["inputs"], shape),
            "sequence": {
                **model["properties"]["sequence"],
                "anyOf": _word_or(model["properties"]["sequence"]["anyOf"]),
            },
            "layers": ENTRIES,
        },
        "additionalProperties": False,
        "not": {"required": ["input", "inputs"]},
        "anyOf": [
            {"required": ["extends"]},
            {"required": ["name", "layers", "input"]},
            {"required": ["name", "layers", "inputs"]},
        ],
        "$defs": _definitions(model["$defs"]),
    }


def _word_or(choices: list[Schema]) -> list[Schema]:
    """What stands for a mapping with that word alone."""
    return [{"type": "string"}, *choices]


def _inputs(given: Schema, shape: Schema) -> Schema:
    return {
        **given,
        "description": "Inputs by name; a bare shape stands for a float32 input.",
        "patternProperties": {
            pattern: {"anyOf": [shape, named]} for pattern, named in given["patternProperties"].items()
        },
        "additionalProperties": False,
    }


def _definitions(given: Schema) -> Schema:
    """All definitions of the schema, by name: pydantic's, and those of entries and layers."""
    entry = _plain(BlockUse.model_json_schema())["properties"]
    block = given["Block"]
    return {
        **given,
        "Block": {**block, "properties": {**block["properties"], "layers": ENTRIES}},
        "expression": {
            "type": "string",
            "pattern": "\\$",
            "description": "Integer arithmetic over parameters: $width, $width * 2.",
        },
        "entry": _entry(),
        "entry_name": entry["name"],
        "entry_inputs": entry["inputs"],
        "layer_given": {
            **_plain(WeightedLayer.model_json_schema())["properties"]["given"],
            "additionalProperties": False,
            "description": "Weights that are none of the layer's own: by name, which output before it each is.",
        },
        "repeat": _repeat(),
        "block_use": _block_use(),
        **{f"layer_{type_}": _layer(type_) for type_ in _types()},
    }


def _types() -> list[str]:
    """Ours, and those that packages have registered."""
    return sorted([*TYPES, *own.registered()])


def _entry() -> Schema:
    """A layer, the use of a block, or a repeat. Conditions, not alternatives, so that a mistake is told where it is."""
    types = _types()
    layers = [{"if": _with("type", {"const": type_}), "then": {"$ref": f"#/$defs/layer_{type_}"}} for type_ in types]
    return {
        "type": "object",
        "properties": {"type": {"enum": types}},
        "oneOf": [{"required": ["type"]}, {"required": ["block"]}, {"required": ["repeat"]}],
        "allOf": [
            {"if": {"required": ["block"]}, "then": {"$ref": "#/$defs/block_use"}},
            {"if": {"required": ["repeat"]}, "then": {"$ref": "#/$defs/repeat"}},
            *layers,
        ],
    }


def _with(key: str, value: Schema) -> Schema:
    return {"properties": {key: value}, "required": [key]}


def _repeat() -> Schema:
    rounds = {"anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_SIZE}, EXPRESSION]}
    return {
        "description": "Entries put in place several times; with a name, each time in a scope of its own.",
        "type": "object",
        "properties": {"repeat": rounds, "name": NAME, "layers": ENTRIES},
        "required": ["repeat", "layers"],
        "additionalProperties": False,
    }


def _block_use() -> Schema:
    """Other keys are the block's parameters, which only the file itself can know."""
    return {
        "description": "A block put in place; other keys are its parameters.",
        "type": "object",
        "properties": {**_plain(BlockUse.model_json_schema())["properties"], "name": NAME, "inputs": INPUTS},
        "required": ["block"],
    }


def _layer(type_: str) -> Schema:
    """A layer's own schema, in which any field of its own may be an expression."""
    given = _plain(TYPES[type_].model_json_schema())
    own = {key: value for key, value in given["properties"].items() if key != "type"}
    fields = {
        "type": {"const": type_},
        **{key: WIRING[key] if key in WIRING else _or_expression(value) for key, value in own.items()},
    }
    return {
        "description": inspect.getdoc(TYPES[type_]),
        "type": "object",
        "properties": fields,
        "required": ["type", *given.get("required", ())],
        "additionalProperties": False,
    }


def _or_expression(value: Schema) -> Schema:
    """What was allowed, or an expression, or a list with expressions among its entries."""
    about = {key: value[key] for key in ("default", "description") if key in value}
    bare = {key: inner for key, inner in value.items() if key not in about}
    choices: list[Schema] = bare.get("anyOf", [bare])
    widened = [
        {**choice, "items": {"anyOf": [choice["items"], EXPRESSION]}} if "items" in choice else choice
        for choice in choices
    ]
    return {"anyOf": [*widened, EXPRESSION], **about}


def _plain(node: Any) -> Any:
    """Pydantic's schema without the titles it makes from names."""
    if isinstance(node, list):
        return [_plain(inner) for inner in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    mapping = cast("dict[str, Any]", node)
    return {key: _plain(inner) for key, inner in mapping.items() if key != "title" or isinstance(inner, dict)}
