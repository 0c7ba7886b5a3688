"""The second table of docs/what_is_kept.md, made from the rules: what is handed on, and what is made and dropped."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.layers import LAYERS
from archcost.layers.rules import Call
from archcost.passes.storages import ask
from archcost.terms.autograd import Gradient, Handed, Own, Scratch, Setting
from archcost.work import Operand
from tests import keeping
from tests.keeping import SHOWN, example, has_gradient, replaced, sized
from tests.layers import every_row
from tests.layers.keeping_variants import VARIANTS
from tests.layers.rows import Row

BEGIN = "<!-- begin: made by python -m tests.generate, made and dropped -->\n"
HEAD = ("layer", "for example", "on", "hands on", "forward", "without gradients", "backward")


def renew(text: str) -> str:
    """The page with both tables as the code has them now."""
    return replaced(keeping.renew(text), BEGIN, table())


def table() -> str:
    """Of each type one row for each way that differs from a new tensor for every input and nothing made and dropped."""
    lines = [HEAD, ("---",) * len(HEAD)]
    rows = (*every_row(), *VARIANTS)
    for type_ in LAYERS:
        ways: dict[tuple[str, ...], tuple[str, ...]] = {}
        for row in rows:
            if row.layer.type == type_ and has_gradient(row):
                words, cells = _ways(row)
                if any(words):
                    shapes = ", ".join(str(tensor) for tensor in row.input_types)
                    ways.setdefault(words, (f"`{type_}`", example(row.layer), shapes, *cells))
        lines += ways.values()
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _ways(row: Row) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """In words alone, and in words with elements."""
    every = frozenset[Operand](index for index, tensor in enumerate(row.input_types) if tensor.is_floating)
    every |= {weight.name for weight in row.layer.weights(row.input_types) if not weight.is_buffer}
    trained = scratch(row, Setting(every, torch=SHOWN))
    alone = scratch(row, Setting(frozenset(), training=False, torch=SHOWN))
    made = (trained.forward, alone.forward, trained.backward)
    handed = _handed(row, Setting(every, torch=SHOWN))
    words = tuple(", ".join(own.what for own in tensors) for tensors in made)
    return (handed, *words), (handed, *(elements(tensors) for tensors in made))


def scratch(row: Row, setting: Setting) -> Scratch:
    return ask(row.layer, Call(row.input_types, row.layer.output_types(row.input_types), setting)).passing.scratch


def _handed(row: Row, setting: Setting) -> str:
    """`input 2: a view`; of a single input only what it is."""
    outputs = row.layer.output_types(row.input_types)
    gradients = ask(row.layer, Call(row.input_types, outputs, setting)).passing.gradients
    words = [_word(gradient) for gradient in gradients]
    if not any(words) or len(words) == 1:
        return words[0] if words else ""
    if len(set(words)) == 1:
        return f"to all {words[0]}"
    return ", ".join(f"input {index}: {word or 'new'}" for index, word in enumerate(words, 1))


def _word(gradient: Gradient) -> str:
    if isinstance(gradient, Handed):
        return "a view" if gradient.is_view else "itself"
    return ""


def elements(tensors: Sequence[Own]) -> str:
    return ", ".join(f"{own.what} ({sized(own.tensor)})" for own in tensors)
