"""The last two tables of docs/what_is_kept.md: how CUDA's column is known, and what differs by release of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from archcost.layers import LAYERS
from archcost.layers.rules import Call
from archcost.passes.storages import ask
from archcost.terms.autograd import Setting
from archcost.terms.memory_format import Layout, channels_last
from archcost.terms.torch_releases import RELEASES
from archcost.work import Operand
from tests import passing
from tests.keeping import example, has_gradient, replaced, told, turned
from tests.layers import every_row
from tests.layers.cuda_witness import READ, WITNESSED_BY
from tests.layers.keeping_variants import VARIANTS
from tests.layers.rows import Row

CUDA_BEGIN = "<!-- begin: made by python -m tests.generate, CUDA -->\n"
BEGIN = "<!-- begin: made by python -m tests.generate, releases -->\n"
HEAD = ("layer", "for example", "on", "what differs", *(f"torch {release}" for release in RELEASES))


def renew(text: str) -> str:
    """The page with its four tables as the code has them now."""
    return replaced(replaced(passing.renew(text), CUDA_BEGIN, cuda_table()), BEGIN, table())


def cuda_table() -> str:
    lines = [("layer", "known by", "why"), ("---",) * 3, ("all others", f"fake tensors, torch {WITNESSED_BY}", "")]
    lines += [(f"`{type_}`", "torch's source", reason) for type_, reason in READ.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def table() -> str:
    """Of each type the first row that shows it, for each thing that differs."""
    lines: list[tuple[str, ...]] = [HEAD, ("---",) * len(HEAD)]
    rows = (*every_row(), *VARIANTS)
    for type_ in LAYERS:
        shown: set[str] = set()
        for row in rows:
            if row.layer.type != type_ or not has_gradient(row):
                continue
            for what, cells in _differing(row):
                if what not in shown:
                    shown.add(what)
                    shapes = ", ".join(str(tensor) for tensor in row.input_types)
                    lines.append((f"`{type_}`", example(row.layer), shapes, what, *cells))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _differing(row: Row) -> Iterator[tuple[str, list[str]]]:
    every = frozenset[Operand](index for index, tensor in enumerate(row.input_types) if tensor.is_floating)
    every |= {weight.name for weight in row.layer.weights(row.input_types) if not weight.is_buffer}
    orders: dict[str, tuple[Layout, ...]] = {
        "": (),
        ", if permuted": tuple(turned(tensor.shape) for tensor in row.input_types),
        ", channels last": tuple(
            channels_last(tensor.shape) if tensor.rank > 2 else None for tensor in row.input_types
        ),
    }
    for what, said in SAID.items():
        for order, layouts in orders.items():
            cells = [said(row, Setting(every, layouts=layouts, torch=release)) for release in RELEASES]
            if len(set(cells)) > 1:
                yield what + order, cells
                break  # one order tells it


def _keeps(row: Row, setting: Setting) -> str:
    return told(row, setting)[1]


def _is_view(row: Row, setting: Setting) -> str:
    outputs = row.layer.output_types(row.input_types)
    return "a view" if ask(row.layer, Call(row.input_types, outputs, setting)).is_view else "no view"


def _views(row: Row, setting: Setting) -> str:
    outputs = row.layer.output_types(row.input_types)
    viewed = ask(row.layer, Call(row.input_types, outputs, setting)).passing.viewed
    return ", ".join(f"input {index + 1}" for index, is_view in enumerate(viewed) if is_view) or "none"


def _made_forward(row: Row, setting: Setting) -> str:
    return passing.elements(passing.scratch(row, setting).forward) or "nothing"


def _made_backward(row: Row, setting: Setting) -> str:
    return passing.elements(passing.scratch(row, setting).backward) or "nothing"


SAID: dict[str, Callable[[Row, Setting], str]] = {
    "keeps": _keeps,
    "made and dropped in forward": _made_forward,
    "made and dropped in backward": _made_backward,
    "the result is": _is_view,
    "gradients that are views": _views,
}
