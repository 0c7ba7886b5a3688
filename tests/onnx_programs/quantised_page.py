"""docs/onnx_quantised.md, from what the last run of `quantised` found."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from tests.documents import ROOT
from tests.onnx_programs.quantised import REQUIREMENTS, RESULTS, Finding

PAGE = ROOT / "docs" / "onnx_quantised.md"

HEAD = """# Quantised ONNX files

Written by `python -m tests.onnx_programs.quantised` (`make onnx-quantised`). Small networks of floats (convolutions, a
residual block, attention, an LSTM in both directions, a table of words), for any batch and for a batch of their own,
are quantised by onnxruntime in every way that it has; some of the files are then rewritten by its optimiser. Each is
read, and compared with what is so:

- **MACs** with those of the float network, worked out by hand. Whether any are told as MACs of **integers** is held
  against the operators of the file. An LSTM's products are counted as those of floats.
- **Weights** with those of the float network: quantised or not, each value is one. Scales and zero points of which
  there are several are parameters too, and are taken off before.
- **Bytes** of weights with those of the tensors that the file holds, packed as they are."""


def results() -> list[Finding]:
    with RESULTS.open(newline="", encoding="utf-8") as stream:
        _, *rows = csv.reader(stream)
    return [Finding(*row) for row in rows]


def page() -> str:
    return "\n".join(_lines(results())) + "\n"


def _lines(found: list[Finding]) -> Iterator[str]:
    made = [each for each in found if each.is_made]
    yield from HEAD.splitlines()
    yield ""
    yield f"Packages: {', '.join(REQUIREMENTS[:3])}."
    yield ""
    yield "| made by | files | MACs | integers | weights | bytes | nothing unknown |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for way in dict.fromkeys(each.way for each in made):
        yield _line(way, [each for each in made if each.way == way])
    yield _line("together", made)
    for title, rows in (
        ("Not exact", [each for each in made if not each.is_exact]),
        ("Not made by onnxruntime", [each for each in found if not each.is_made]),
    ):
        if rows:
            yield from ("", f"## {title}", "", "| network | batch | made by | why |", "|---|---|---|---|")
            yield from (f"| {row.network} | {row.batch} | {row.way} | {_why(row)} |" for row in rows)


def _line(name: str, rows: list[Finding]) -> str:
    exact = [sum(row[place] == row[place + 1] for row in rows) for place in (3, 5, 7, 9)]
    known = sum(not row.problem for row in rows)
    return f"| {name} | {len(rows)} | {' | '.join(map(str, exact))} | {known} |"


def _why(row: Finding) -> str:
    if row.problem:
        return row.problem.replace("|", "/")
    names = zip(Finding._fields[3:11:2], row[3:11:2], row[4:11:2], strict=True)
    return "; ".join(f"{name}: {told} for {so}" for name, told, so in names if told != so)
