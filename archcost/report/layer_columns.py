"""A table of chosen layers: its cells, its total, and what csv holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from archcost.report import summary
from archcost.report.chosen_layers import AMOUNTS, MEMORY, TIMES, ChosenLayers, Row
from archcost.report.document import Cell, Column, Document, Part, Table, bounded
from archcost.report.settings import settings
from archcost.units import count, duration, size

HEADERS = {
    "name": "layer",
    "shape": "output shape",
    "waits": "waits for",
    "macs": "MACs",
    "flops": "FLOPs forward",
    "backward": "FLOPs backward",
    "forward-time": "time forward",
    "backward-time": "time backward",
}
DATA = {
    "name": "layer",
    "shape": "output_shape",
    "waits": "waits_for",
    "trainable": "trainable_parameters",
    "flops": "flops_forward_contraction",
    "backward": "flops_backward_contraction",
    MEMORY: "memory_bytes",
    "time": "seconds",
    "forward-time": "forward_seconds",
    "backward-time": "backward_seconds",
}
"""Headers of csv that are other than the word."""

OPERATIONS = ("macs", "flops", "backward")
"""Which may be unknown of a layer."""


def document(chosen: ChosenLayers) -> Document:
    words = chosen.columns
    columns = tuple([Column(_header(word), _align(word)) for word in words])
    rows = tuple([tuple([_cell(chosen, word, row) for word in words]) for row in chosen.rows])
    total = tuple([_total(chosen, word) for word in words])
    if not any(total):
        last = None
    else:
        last = tuple(["total" if word == "name" else cell for word, cell in zip(words, total, strict=True)])
    return summary.assembled(chosen.folded, Table(columns, rows, last), _data(chosen), tuple(_notes(chosen)))


def _header(word: str) -> str:
    name = word.removesuffix("%")
    return HEADERS.get(name, name) if name == word else f"{HEADERS.get(name, name)} %"


def _align(word: str) -> Literal["left", "right"]:
    return "left" if word in ("name", "type", "inputs", "shape", "waits") else "right"


def _cell(chosen: ChosenLayers, word: str, row: Row) -> Cell:
    if word.endswith("%"):
        return _share(chosen, word[:-1], row)
    number = chosen.number(word, row) if word in AMOUNTS or word in TIMES or word == MEMORY else None
    if word in AMOUNTS:
        return _amount(word, row)
    if word == MEMORY:
        return size(int(number)) if number else None
    if word in TIMES:
        return duration(number) if number else None
    return _text(chosen, word, row)


def _amount(word: str, row: Row) -> Cell:
    if row.group is None:
        return None
    number = AMOUNTS[word](row.group)
    return summary.known(row.group, number, word != "backward") if word in OPERATIONS else number


def _text(chosen: ChosenLayers, word: str, row: Row) -> Cell:
    if word == "name":
        return row.name
    if word == "waits":
        return "" if row.is_rest or row.groups[0] not in chosen.seconds else chosen.seconds[row.groups[0]].roof
    if row.group is None or (row.is_rest and word != "type"):
        return None
    if word == "type":
        return row.group.type
    return summary.shapes(row.group.output_shapes) if word == "shape" else " ".join(row.group.to_dict()["inputs"])


def _share(chosen: ChosenLayers, word: str, row: Row) -> Cell:
    """Of a lower bound no share is known."""
    number, whole = chosen.number(word, row), chosen.total(word)
    if word in OPERATIONS and chosen.folded.cost.unknown:
        return count(None)
    return None if number is None or not whole else f"{number / whole:.1%}"


def _total(chosen: ChosenLayers, word: str) -> Cell:
    if word.endswith("%"):
        return "100.0%" if chosen.total(word[:-1]) and not _is_bound(chosen, word[:-1]) else None
    if word in AMOUNTS:
        number = int(chosen.total(word) or 0)
        return bounded(number, chosen.folded.cost.unknown) if word in OPERATIONS else number
    whole = chosen.total(word) if word in TIMES or word == MEMORY else None
    if whole is None:
        return None
    return size(int(whole)) if word == MEMORY else duration(whole)


def _is_bound(chosen: ChosenLayers, word: str) -> bool:
    return word in OPERATIONS and bool(chosen.folded.cost.unknown)


def _notes(chosen: ChosenLayers) -> Iterator[Part]:
    from archcost.report import summary_times

    words = {word.removesuffix("%") for word in chosen.columns}
    if words & set(OPERATIONS[1:]):
        yield summary.MEANING
    if chosen.line is not None and MEMORY in words:
        where = f"{settings(chosen.line)}, at {chosen.line.highest}"
        yield f"Memory is what of a layer is alive at the peak of {where}: {size(chosen.line.peak)} in all."
    if chosen.folded.estimate is not None:
        yield from summary_times.notes(chosen.folded, chosen.folded.estimate)


def _data(chosen: ChosenLayers) -> Table:
    """Raw numbers of the same columns; without columns, all those of the summary."""
    shown = chosen.groups[: chosen.choice.top]
    if not chosen.choice.columns:
        plain = summary.data(chosen.folded, shown)
        if chosen.line is None:
            return plain
        rows = tuple([(*row, chosen.memory.get(group.name, 0)) for row, group in zip(plain.rows, shown, strict=True)])
        return Table((*plain.columns, Column(DATA[MEMORY])), rows)
    columns = tuple([Column(_data_header(word)) for word in chosen.columns])
    rows = tuple([tuple([_raw(chosen, word, row) for word in chosen.columns]) for row in chosen.rows[: len(shown)]])
    return Table(columns, rows)


def _data_header(word: str) -> str:
    name = DATA.get(word.removesuffix("%"), word.removesuffix("%"))
    return name if not word.endswith("%") else f"{name}_share"


def _raw(chosen: ChosenLayers, word: str, row: Row) -> Cell:
    if word.endswith("%"):
        number, whole = chosen.number(word[:-1], row), chosen.total(word[:-1])
        return None if number is None or not whole or _is_bound(chosen, word[:-1]) else number / whole
    if word == MEMORY or word in TIMES:
        return chosen.number(word, row)
    if word in AMOUNTS and row.group is not None:
        number = AMOUNTS[word](row.group)
        if word not in OPERATIONS or not row.group.has_unknown:
            return number
        return bounded(number, True) if row.group.is_folded else None
    shown = _text(chosen, word, row)
    return shown if word != "shape" else str(shown).replace("×", "x").replace(",", "")
