"""The table of docs/conventions.md, made from the layers themselves: what each counts for a value, both ways.

`python -m tests.generate` writes it; tests/test_conventions.py compares.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path

from archcost.layers import LAYERS, Layer
from archcost.tensors import Tensors
from archcost.work import Contraction, Shared, Work
from tests.layers import every_row
from tests.layers.rows import Row

PAGE = Path(__file__).parents[1] / "docs" / "conventions.md"
BEGIN, END = "<!-- begin: made by python -m tests.generate -->\n", "<!-- end -->"
HEAD = ("layer", "for example", "work", "each", "forward", "input gradient", "weight gradients", "how it comes about")


def renew(text: str) -> str:
    """The page with the table as the code has it now."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n{rest[rest.index(END) :]}"


def table() -> str:
    rows = every_row()
    lines = [HEAD, ("---",) * len(HEAD)]
    for type_ in LAYERS:
        # The first row of a type, and one for each other kind of arithmetic it knows.
        kinds = {_kind(row.layer): row for row in reversed(rows) if row.layer.type == type_}
        for row in sorted(kinds.values(), key=rows.index):
            lines += _lines(row)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _kind(layer: Layer) -> str:
    """What decides which formula a layer works by."""
    mode = layer.type == "upsample" and getattr(layer, "mode", None)
    return str((getattr(layer, "approximate", None), mode, getattr(layer, "training", True)))


def _lines(row: Row) -> list[tuple[str, ...]]:
    """One line for each piece of work; the layer is named in the first."""
    inputs, layer = row.input_types, row.layer
    outputs = layer.output_types(inputs)
    works = [_columns(part, outputs) for part in layer.work(inputs, outputs)]
    if layer.is_unknown:
        works = [("not known", "", "?", "?", "")]
    heads = [(f"`{layer.type}`", _example(layer)), *[("", "")] * (len(works) - 1)]
    tails = [_explanation(layer), *[""] * (len(works) - 1)]
    return [(*head, *work, tail) for head, work, tail in zip(heads, works, tails, strict=True)]


def _columns(part: Work, outputs: Tensors) -> tuple[str, ...]:
    if isinstance(part, Contraction):
        by_input = sum(2 for operand in part.operands if isinstance(operand, int))
        by_weight = sum(2 for operand in part.operands if isinstance(operand, str))
        return ("products summed", "MAC", "2", str(by_input), str(by_weight))
    if isinstance(part, Shared):
        each = "MAC" if isinstance(part.part, Contraction) else "value read"
        operations = 2 if isinstance(part.part, Contraction) else part.part.operations
        return (part.what, each, "0", f"{operations}, once", "0")
    by_input = sum(count for operand, count in part.gradients.items() if isinstance(operand, int))
    by_weight = sum(count for operand, count in part.gradients.items() if isinstance(operand, str))
    each = "output value" if part.numel == outputs[0].numel else "value read"
    return (part.what, each, *map(str, (part.operations, by_input, by_weight)))


def _example(layer: Layer) -> str:
    fields = layer.model_dump(exclude_defaults=True, exclude={"type"}, mode="json")
    return ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in fields.items())


def _explanation(layer: Layer) -> str:
    """What `work` says of itself, or else the layer."""
    own = type(layer).work.__doc__
    text = own if own and own != Layer.work.__doc__ else inspect.getdoc(type(layer)) or ""
    return " ".join(inspect.cleandoc(text).split()).replace("|", "\\|")
