"""JSON Schema (draft 2020-12) of the spec format, so that an editor completes and checks a file."""

from __future__ import annotations

import inspect
import json
from typing import Any, cast

from archcost.layers import TYPES
from archcost.layers.base import MAX_SIZE, WeightedLayer
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


def schema_text() -> str:
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """Of a whole file, with the `input` shorthand and `extends`."""
    model = _plain(ModelSpec.model_json_schema())
    definitions = model["$defs"]
    entry = _plain(BlockUse.model_json_schema())["properties"]
    definitions["Block"]["properties"]["layers"] = ENTRIES
    shape = definitions["InputSpec"]["properties"]["shape"]
    inputs = {
        **model["properties"]["inputs"],
        "description": "Inputs by name; a bare shape stands for a float32 input.",
        "patternProperties": {
            pattern: {"anyOf": [shape, named]}
            for pattern, named in model["properties"]["inputs"]["patternProperties"].items()
        },
        "additionalProperties": False,
    }
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
            "inputs": inputs,
            "layers": ENTRIES,
        },
        "additionalProperties": False,
        "not": {"required": ["input", "inputs"]},
        "anyOf": [
            {"required": ["extends"]},
            {"required": ["name", "layers", "input"]},
            {"required": ["name", "layers", "inputs"]},
        ],
        "$defs": {
            **definitions,
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
            **{f"layer_{type_}": _layer(type_) for type_ in TYPES},
        },
    }


def _entry() -> Schema:
    """A layer, the use of a block, or a repeat. Conditions, not alternatives, so that a mistake is told where it is."""
    layers = [{"if": _with("type", {"const": type_}), "then": {"$ref": f"#/$defs/layer_{type_}"}} for type_ in TYPES]
    return {
        "type": "object",
        "properties": {"type": {"enum": list(TYPES)}},
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
