"""The tables of docs/what_is_kept.md: how CUDA's column is known, and what differs by release of torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from archcost.costs.layer_types import Example, sized, turned
from archcost.layers import LAYERS
from archcost.report.layer_types import fields, shapes
from archcost.terms.autograd import Own, Setting
from archcost.terms.memory_format import Layout, channels_last
from archcost.terms.torch_releases import RELEASES
from tests.documents import refresh
from tests.layers import every_row
from tests.layers.cuda_witness import READ, WITNESSED_BY
from tests.layers.keeping_variants import VARIANTS

PAGE = Path(__file__).parents[1] / "docs" / "what_is_kept.md"
END = "<!-- end -->"
CUDA_BEGIN = "<!-- begin: made by python -m tests.generate, CUDA -->\n"
BEGIN = "<!-- begin: made by python -m tests.generate, releases -->\n"
HEAD = ("layer", "for example", "on", "what differs", *(f"torch {release}" for release in RELEASES))


def renew(text: str) -> str:
    """The page with both tables, and its commands, as the code has them now."""
    return refresh(_replaced(_replaced(text, CUDA_BEGIN, cuda_table()), BEGIN, table()))


def _replaced(text: str, begin: str, table: str) -> str:
    before, rest = text.split(begin)
    return f"{before}{begin}\n{table}\n{rest[rest.index(END) :]}"


def cuda_table() -> str:
    lines = [("layer", "known by", "why"), ("---",) * 3, ("all others", f"fake tensors, torch {WITNESSED_BY}", "")]
    lines += [(f"`{type_}`", "torch's source", reason) for type_, reason in READ.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def table() -> str:
    """Of each type the first row that shows it, for each thing that differs."""
    lines: list[tuple[str, ...]] = [HEAD, ("---",) * len(HEAD)]
    rows = [Example(row.layer, row.input_types) for row in (*every_row(), *VARIANTS)]
    for type_ in LAYERS:
        shown: set[str] = set()
        for example in rows:
            if example.layer.type != type_ or not example.has_gradient:
                continue
            for what, cells in _differing(example):
                if what not in shown:
                    shown.add(what)
                    given = fields(example)
                    lines.append((f"`{type_}`", f"`{given}`" * bool(given), shapes(example), what, *cells))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _differing(example: Example) -> Iterator[tuple[str, list[str]]]:
    orders: dict[str, tuple[Layout, ...]] = {
        "": (),
        ", if permuted": tuple(turned(tensor.shape) for tensor in example.inputs),
        ", channels last": tuple(channels_last(tensor.shape) if tensor.rank > 2 else None for tensor in example.inputs),
    }
    for what, said in SAID.items():
        for order, layouts in orders.items():
            settings = [Setting(example.every.needs, layouts=layouts, torch=release) for release in RELEASES]
            cells = [said(example, setting) for setting in settings]
            if len(set(cells)) > 1:
                yield what + order, cells
                break  # one order tells it


def _keeps(example: Example, setting: Setting) -> str:
    return example.kept(setting)[1]


def _is_view(example: Example, setting: Setting) -> str:
    return "a view" if example.answers(setting).is_view else "no view"


def _views(example: Example, setting: Setting) -> str:
    viewed = example.answers(setting).passing.viewed
    return ", ".join(f"input {index + 1}" for index, is_view in enumerate(viewed) if is_view) or "none"


def _made_forward(example: Example, setting: Setting) -> str:
    return _elements(example.answers(setting).passing.scratch.forward)


def _made_backward(example: Example, setting: Setting) -> str:
    return _elements(example.answers(setting).passing.scratch.backward)


def _elements(tensors: Sequence[Own]) -> str:
    return ", ".join(f"{own.what} ({sized(own.tensor)})" for own in tensors) or "nothing"


SAID: dict[str, Callable[[Example, Setting], str]] = {
    "keeps": _keeps,
    "made and dropped in forward": _made_forward,
    "made and dropped in backward": _made_backward,
    "the result is": _is_view,
    "gradients that are views": _views,
}
