"""The table of docs/what_is_kept.md, made from the rules: what each layer keeps for its backward.

`python -m tests.generate` writes it; tests/test_what_is_kept.py compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from archcost.layers import LAYERS, Layer
from archcost.layers.rules import Call
from archcost.passes.storages import ask
from archcost.tensors import TensorType, format_shape
from archcost.terms.autograd import Device, Input, Output, Own, Saved, Setting, Stored
from archcost.terms.memory_format import Layout, row_major
from archcost.terms.torch_releases import Torch
from archcost.work import Operand
from tests.layers import every_row
from tests.layers.cuda_witness import reason_to_read
from tests.layers.keeping_variants import VARIANTS
from tests.layers.rows import Row

PAGE = Path(__file__).parents[1] / "docs" / "what_is_kept.md"
BEGIN, END = "<!-- begin: made by python -m tests.generate -->\n", "<!-- end -->"
SHOWN: Torch = "2.13"
"""The release that the tables tell of; another's differences are a table of their own (tests/releases.py)."""

HEAD = (
    "layer",
    "for example",
    "on",
    "result",
    "keeps",
    "in evaluation",
    "weights frozen",
    "weights alone",
    "on CUDA",
    "if permuted",
)

ON_CUDA = HEAD.index("on CUDA") - HEAD.index("keeps")
"""Among the cells of what is kept."""


def renew(text: str) -> str:
    """The page with the table as the code has it now."""
    return replaced(text, BEGIN, table())


def replaced(text: str, begin: str, table: str) -> str:
    before, rest = text.split(begin)
    return f"{before}{begin}\n{table}\n{rest[rest.index(END) :]}"


def table() -> str:
    """The first row of each type, and one for each other way of keeping that it knows."""
    lines = [HEAD, ("---",) * len(HEAD)]
    rows = (*every_row(), *VARIANTS)
    for type_ in LAYERS:
        ways: dict[tuple[str, ...], Line] = {}
        for row in rows:
            if row.layer.type == type_ and has_gradient(row):
                line = _line(row)
                ways.setdefault(line.words, line)
        lines += [line.cells for line in ways.values()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def has_gradient(row: Row) -> bool:
    """Integers have none."""
    return any(tensor.is_floating for tensor in row.input_types) or bool(row.layer.weights(row.input_types))


class Line(NamedTuple):
    words: tuple[str, ...]
    cells: tuple[str, ...]


def _line(row: Row) -> Line:
    inputs = frozenset[Operand](index for index, tensor in enumerate(row.input_types) if tensor.is_floating)
    named = [weight.name for weight in row.layer.weights(row.input_types) if not weight.is_buffer]
    every = inputs | frozenset[Operand](named)
    said = [_told(row, every)]
    said.append(_told(row, every, training=False))
    said.append(_told(row, inputs) if named else said[0])
    said.append(_told(row, frozenset(named)) if named else said[0])
    said.append(_told(row, every, device="cuda"))
    said.append(_told(row, every, permuted=True))
    words, cells = zip(*said, strict=True)
    result = _result(row, every)
    shown = [cells[0], *("" if cell == cells[0] else cell for cell in cells[1:])]
    if reason_to_read(row):
        shown[ON_CUDA] = f"{shown[ON_CUDA]} (read)".strip()
    shapes = ", ".join(str(tensor) for tensor in row.input_types)
    return Line((result, *words), (f"`{row.layer.type}`", example(row.layer), shapes, result, *shown))


def _told(
    row: Row,
    needs: frozenset[Operand],
    training: bool = True,
    device: Device = "cpu",
    permuted: bool = False,
) -> tuple[str, str]:
    layouts: tuple[Layout, ...] = tuple(turned(tensor.shape) for tensor in row.input_types) if permuted else ()
    return told(row, Setting(needs, training, device, layouts, torch=SHOWN))


def told(row: Row, setting: Setting) -> tuple[str, str]:
    """What is kept, in words alone, and in words with elements."""
    saved = ask(row.layer, Call(row.input_types, row.layer.output_types(row.input_types), setting)).saved
    several = len(row.input_types) > 1
    words = [_word(reference, several) for reference in saved]
    cells = [f"{word}{_elements(reference)}" for word, reference in zip(words, saved, strict=True)]
    return ", ".join(words) or "nothing", ", ".join(cells) or "nothing"


def turned(shape: tuple[int, ...]) -> Layout:
    """Axes 1 and the last changed places, as a permutation leaves them."""
    if len(shape) < 3:
        return None
    turned = list(shape)
    turned[1], turned[-1] = turned[-1], turned[1]
    strides = list(row_major(tuple(turned)))
    strides[1], strides[-1] = strides[-1], strides[1]
    return tuple(strides)


def _word(reference: Saved, several: bool) -> str:
    match reference:
        case Input(index):
            return f"input {index + 1}" if several else "input"
        case Output(index):
            return "output" if index == 0 else f"output {index + 1}"
        case Stored(name):
            return name
        case Own(what, _):
            return f"**{what}**"


def _elements(reference: Saved) -> str:
    if not isinstance(reference, Own):
        return ""
    return f" ({sized(reference.tensor)})"


def sized(tensor: TensorType) -> str:
    """`2×3 = 6 int64`."""
    dtype = "" if tensor.dtype == "float32" else f" {tensor.dtype}"
    shape = f"{format_shape(tensor.shape)} = {tensor.numel:,}" if tensor.rank > 1 else f"{tensor.numel:,}"
    return f"{shape}{dtype}"


def _result(row: Row, needs: frozenset[Operand]) -> str:
    """Where the output lies; in evaluation and permuted, if that differs."""
    outputs = row.layer.output_types(row.input_types)
    settings = {
        "": Setting(needs, torch=SHOWN),
        "in evaluation ": Setting(needs, training=False, torch=SHOWN),
        "if permuted ": Setting(needs, layouts=tuple(turned(tensor.shape) for tensor in row.input_types), torch=SHOWN),
    }
    places = {
        when: "new" if set(ask(row.layer, Call(row.input_types, outputs, setting)).aliases) == {None} else "the input's"
        for when, setting in settings.items()
    }
    return "; ".join(when + place for when, place in places.items() if not when or place != places[""])


def example(layer: Layer) -> str:
    fields = layer.model_dump(exclude_defaults=True, exclude={"type"}, mode="json")
    return ", ".join(f"`{key}: {json.dumps(value)}`" for key, value in fields.items())
