"""`Document` → text, markdown, LaTeX, HTML and csv."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

from archcost.report.document import Document, Drawing, Facts, Part, Table, show

WIDTH = 120
"""Prose is broken, and a wider table pressed together, to fit a screen of this many columns."""


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
    import html

    return _joined([f"<h3>{html.escape(document.title)}</h3>", *(_html_part(part) for part in document.parts)])


def csv_rows(document: Document) -> str:
    return csv_table(document.data)


def csv_table(table: Table) -> str:
    import csv
    import io

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
    """Columns two spaces apart, or one where the headers would be too wide for a screen."""
    rows = [[cell.strip() for cell in row] for row in (table.headers, *_shown(table))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rules = {1, len(rows) - (table.total is not None)}

    def line(row: list[str], gap: str) -> str:
        cells = zip(row, widths, table.columns, strict=True)
        return gap.join(
            cell.rjust(w) if column.align == "right" else cell.ljust(w) for cell, w, column in cells
        ).rstrip()

    gap = "  " if len(line(rows[0], "  ")) <= WIDTH else " "
    lines: list[str] = []
    for index, row in enumerate(rows):
        if index in rules:
            lines.append(gap.join("-" * width for width in widths))
        lines.append(line(row, gap))
    return "\n".join(lines)


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
    import html

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
    from tabulate import tabulate

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
