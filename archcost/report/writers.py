"""`Document` → text, markdown, LaTeX, HTML and csv. Tables go through tabulate."""

from __future__ import annotations

import csv
import html
import io
import re
import textwrap
from collections.abc import Sequence

from tabulate import SEPARATING_LINE, DataRow, Line, TableFormat, tabulate

from archcost.report.document import Document, Drawing, Facts, Part, Table, show

WIDTH = 120
"""Prose is broken, and a wider table pressed together, to fit a screen of this many columns."""


def _ruled(gap: str) -> TableFormat:
    """Columns a gap apart, rules of dashes where they are asked for."""
    row = DataRow("", gap, "")
    return TableFormat(None, Line("", "-", gap, ""), None, None, row, row, 0, None)


def text(document: Document) -> str:
    return _joined([_text_part(part) for part in (document.title, *document.parts)])


def markdown(document: Document) -> str:
    return _joined([f"## {markdown_escape(document.title)}", *(_markdown_part(part) for part in document.parts)])


def latex(document: Document) -> str:
    """A fragment for a document that uses the package booktabs."""
    title = f"\\noindent\\textbf{{{latex_escape(document.title)}}}"
    return _joined([title, *(_latex_part(part) for part in document.parts)])


def html_fragment(document: Document) -> str:
    """A fragment: a notebook cell or the body of a page."""
    return _joined([f"<h3>{html.escape(document.title)}</h3>", *(_html_part(part) for part in document.parts)])


def csv_rows(document: Document) -> str:
    return csv_table(document.data)


def csv_table(table: Table) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.headers)
    writer.writerows(table.rows)
    return stream.getvalue()


def _joined(blocks: list[str]) -> str:
    return "\n\n".join(block.rstrip("\n") for block in blocks if block) + "\n"


def _text_part(part: Part) -> str:
    match part:
        case str():
            return "\n".join(_filled(line, 2) for line in part.splitlines())
        case Facts(items=items):
            width = max((len(name) for name, _ in items), default=0)
            return "\n".join(_filled(f"{name.ljust(width)}  {value}", width + 2) for name, value in items)
        case Table():
            return _text_table(part)
        case Drawing(otherwise=parts):
            return _joined([_text_part(each) for each in parts])


def _text_table(table: Table) -> str:
    """The headers are rows like any other, since tabulate would make their columns two wider than they need be."""
    rows = [table.headers, SEPARATING_LINE, *_shown(table)]
    if table.total is not None:
        rows.insert(-1, SEPARATING_LINE)
    aligned = [column.align for column in table.columns]

    def spaced(gap: str) -> str:
        return tabulate(rows, tablefmt=_ruled(gap), colalign=aligned, disable_numparse=True)

    wide = spaced("  ")
    return wide if wide.find("\n") <= WIDTH else spaced(" ")


def _filled(line: str, indent: int) -> str:
    return textwrap.fill(line, WIDTH, subsequent_indent=" " * indent, drop_whitespace=True)


def _markdown_part(part: Part) -> str:
    match part:
        case str():
            return markdown_escape(part)
        case Facts(items=items):
            return "\n".join(f"- {markdown_escape(name)}: {markdown_escape(value)}" for name, value in items)
        case Table():
            rows = [[markdown_escape(cell) for cell in row] for row in _shown(part)]
            return _tabulate(part, rows, "pipe")
        case Drawing(otherwise=parts):
            return _joined([_markdown_part(each) for each in parts])


def _latex_part(part: Part) -> str:
    match part:
        case str():
            return latex_escape(part)
        case Facts(items=items):
            lines = [f"  \\item {latex_escape(name)}: {latex_escape(value)}" for name, value in items]
            return "\n".join(["\\begin{itemize}", *lines, "\\end{itemize}"])
        case Table():
            return _latex_table(part)
        case Drawing(otherwise=parts):
            return _joined([_latex_part(each) for each in parts])


def _latex_table(table: Table) -> str:
    lines = latex_symbols(_tabulate(table, _shown(table), "latex_booktabs")).splitlines()
    if table.total is not None:
        last = lines.index("\\bottomrule") - 1
        lines.insert(last, "\\midrule")
    return "\n".join(lines)


def _html_part(part: Part) -> str:
    match part:
        case str():
            return f"<p>{html.escape(part)}</p>"
        case Facts(items=items):
            lines = [f"<li>{html.escape(name)}: {html.escape(value)}</li>" for name, value in items]
            return "\n".join(["<ul>", *lines, "</ul>"])
        case Table():
            return _tabulate(part, _shown(part), "html")
        case Drawing(svg=svg):
            return svg


def _shown(table: Table) -> list[list[str]]:
    return [[show(cell) for cell in row] for row in table.all_rows]


def _tabulate(table: Table, rows: Sequence[list[str] | str], style: str) -> str:
    aligned = [column.align for column in table.columns]
    return tabulate(rows, headers=table.headers, tablefmt=style, colalign=aligned, disable_numparse=True)


def markdown_escape(text: str) -> str:
    return re.sub(r"([\\|<*`\[])", r"\\\1", text)


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
} | {character: "\\" + character for character in "&%$#_{}"}
_SYMBOLS = {"×": r"$\times$", "·": r"$\cdot$", "→": r"$\rightarrow$", "−": r"$-$", "…": r"\dots{}", "–": "--"}
_BARS = {"█": 1.5, "▒": 1.0, "░": 0.5}
"""Heights in ex of what a bar is drawn with."""


def latex_escape(text: str) -> str:
    return latex_symbols("".join(_LATEX.get(character, character) for character in text))


def latex_symbols(text: str) -> str:
    text = re.sub(r"(>|\\ensuremath\{>\}|\\textgreater\{\})=", r"$\\ge$", text)
    text = re.sub("█+|▒+|░+", _latex_bar, text)
    return "".join(_SYMBOLS.get(character, character) for character in text)


def _latex_bar(run: re.Match[str]) -> str:
    characters = run.group()
    return rf"\rule{{{len(characters) * 0.3:.1f}em}}{{{_BARS[characters[0]]}ex}}"
