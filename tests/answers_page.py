"""docs/json.md: every key of every command's JSON, from the table that the schemas are made of."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.schemas import Keys, key_of, keys, names, parts_of
from tests.documents import ROOT

PAGE = ROOT / "docs" / "json.md"

COMMANDS = {"layer": "layers TYPE", "hardware_list": "hardware list", "hardware": "hardware show H"}
COMMANDS["hardware_check"] = "hardware check FILE"

HEAD = """\
# The JSON of each command

Every command that has `--format json` names the form of its answer first: `"schema": "archcost.estimate/1"`. Keys
keep their meaning within a form; new ones may be added. A form in which a key is gone, or means something else, has the
next number. What is not known is `null`, and is named in `unknown`. Counts and bytes are integers, shapes hold the
batch.

`archcost schema estimate` writes the [JSON Schema](https://json-schema.org) of an answer; `archcost schema` that of
[a network's own file](spec.md). A row without a type is an object; `[]` is a list of such, `{}` an object by names.
"""


def page() -> str:
    return "\n".join([HEAD, *(line for name in names() for line in _answer(name))])


def _answer(name: str) -> Iterator[str]:
    command = COMMANDS.get(name, name)
    yield from (
        f"## `archcost {command}`",
        "",
        f"`archcost.{name}/1`",
        "",
        "| key | type | what it says |",
        "|---|---|---|",
    )
    yield from _rows(keys(name), "")
    yield ""


def _rows(told: Keys, path: str) -> Iterator[str]:
    for text, value in told.items():
        if text == ".":
            continue
        key = key_of(text)
        name = f"{path}{key.name}{'{}' * key.is_map}{'[]' * key.is_list}"
        notes = ["may be missing"] * key.may_be_missing + ["may be null"] * key.may_be_null
        kind, meaning = parts_of(value) if isinstance(value, str) else ("", value.get(".", ""))
        said = "; ".join([*([meaning] if meaning else []), *notes])
        yield f"| `{name}` | {kind} | {said} |"
        if not isinstance(value, str):
            yield from _rows(value, f"{name}.")
