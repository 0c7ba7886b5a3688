"""`Document` → markdown, LaTeX, HTML and csv."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archcost.report.document import Document, Drawing, Facts, Part, Table, joined, shown


def markdown(document: Document) -> str:
    return joined([f"## {markdown_escape(document.title)}", *(_markdown_part(part) for part in document.parts)])


def latex(document: Document) -> str:
    """A fragment for a document that uses the package booktabs."""
    title = f"\\noindent\\textbf{{{latex_escape(document.title)}}}"
    return joined([title, *(_latex_part(part) for part in document.parts)])


def html_fragment(document: Document) -> str:
    """A fragment: a notebook cell or the body of a page."""
    import html

    return joined([f"<h3>{html.escape(document.title)}</h3>", *(_html_part(part) for part in document.parts)])


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


def _markdown_part(part: Part) -> str:
    match part:
        case str():
            return markdown_escape(part)
        case Facts(items=items):
            return "\n".join(f"- {markdown_escape(name)}: {markdown_escape(value)}" for name, value in items)
        case Table():
            rows = [[markdown_escape(cell) for cell in row] for row in shown(part)]
            return _tabulate(part, rows, "pipe")
        case Drawing(otherwise=parts):
            return joined([_markdown_part(each) for each in parts])


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
            return joined([_latex_part(each) for each in parts])


def _latex_table(table: Table) -> str:
    lines = latex_symbols(_tabulate(table, shown(table), "latex_booktabs")).splitlines()
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
            return _tabulate(part, shown(part), "html")
        case Drawing(svg=svg):
            return svg


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
