"""`Explanation` → text, markdown and LaTeX: formula = numbers put in = result."""

from __future__ import annotations

from html import escape

from archcost.report.document import Column, Table
from archcost.report.explain import Explanation, LayerWorking, Line, Sum
from archcost.report.formula import LATEX, TEXT, Style, letters, numbers, value
from archcost.report.screen import ANYWHERE, Screen
from archcost.report.summary import heading, title
from archcost.report.writers import latex_escape, markdown_escape
from archcost.units import count


def text(explanation: Explanation, screen: Screen = ANYWHERE) -> str:
    head = "\n".join((screen.heading(title(explanation.cost)), *heading(explanation.cost)))
    blocks = [
        "\n".join(
            [
                screen.heading(_head(layer)),
                *_said(layer, "  "),
                *(_text_line(line, screen.prose) for line in layer.lines),
            ]
        )
        for layer in explanation.layers
    ]
    if explanation.totals:
        sums = [_text_sum(total, screen.prose) for total in explanation.totals]
        blocks.append("\n".join([screen.heading("total, the sum of its parts"), *sums]))
    return "\n\n".join((head, *blocks)) + "\n"


def markdown(explanation: Explanation) -> str:
    head = "\n\n".join(
        (f"## {markdown_escape(title(explanation.cost))}", *map(markdown_escape, heading(explanation.cost)))
    )
    blocks = [
        "\n".join([f"### {markdown_escape(_head(layer))}", "", *_said(layer, "- "), *map(_markdown_line, layer.lines)])
        for layer in explanation.layers
    ]
    if explanation.totals:
        sums = [
            f"- {total.quantity}: {' + '.join(_parts(total))} {_sign(total)} {count(total.result)}"
            for total in explanation.totals
        ]
        blocks.append("\n".join(["### total, the sum of its parts", "", *sums]))
    return "\n\n".join((head, *blocks)) + "\n"


def latex(explanation: Explanation) -> str:
    """A fragment for a document that uses the package amsmath."""
    head = f"\\noindent\\textbf{{{latex_escape(title(explanation.cost))}}}"
    blocks = [
        _latex_block(_head(layer), [*map(_latex_text, _said(layer)), *map(_latex_line, layer.lines)])
        for layer in explanation.layers
    ]
    if explanation.totals:
        blocks.append(_latex_block("total, the sum of its parts", list(map(_latex_sum, explanation.totals))))
    return "\n\n".join((head, *map(latex_escape, heading(explanation.cost)), *blocks)) + "\n"


def html(explanation: Explanation) -> str:
    """A fragment: a notebook cell or the body of a page."""
    blocks = [
        _html_block(_head(layer), [*map(escape, _said(layer)), *map(_html_line, layer.lines)])
        for layer in explanation.layers
    ]
    if explanation.totals:
        sums = [
            f"{escape(total.quantity)}: {escape(' + '.join(_parts(total)))} {_sign(total)} {count(total.result)}"
            for total in explanation.totals
        ]
        blocks.append(_html_block("total, the sum of its parts", sums))
    said = [f"<p>{escape(line)}</p>" for line in heading(explanation.cost)]
    return "\n".join([f"<h3>{escape(title(explanation.cost))}</h3>", *said, *blocks]) + "\n"


def _html_block(head: str, lines: list[str]) -> str:
    return "\n".join([f"<h4>{escape(head)}</h4>", "<ul>", *(f"<li>{line}</li>" for line in lines), "</ul>"])


def _html_line(line: Line) -> str:
    note = f" ({escape(line.note)})" if line.note else ""
    return f"{escape(line.quantity)}: <code>{escape(' = '.join(working(line)))}</code>{note}"


def data(explanation: Explanation) -> Table:
    """A row for each number of the working."""
    rows = [
        (
            layer.name,
            layer.type,
            line.quantity,
            None
            if line.result is None
            else float(line.result)
            if line.result != int(line.result)
            else int(line.result),
            line.formula,
            line.note,
        )
        for layer in explanation.layers
        for line in layer.lines
    ]
    headers = ("layer", "type", "quantity", "result", "formula", "note")
    return Table(tuple(map(Column, headers)), tuple(rows))


def _head(layer: LayerWorking) -> str:
    inputs = ", ".join(f"{name} {tensor}" for name, tensor in zip(layer.inputs, layer.input_types, strict=True))
    return f"{layer.name} ({layer.type}): {inputs} → {', '.join(map(str, layer.output_types))}"


def _said(layer: LayerWorking, before: str = "") -> list[str]:
    """The formula of a function of values, and what the numbers rest on."""
    said = (("computes", layer.formula), ("assumed", layer.assumption))
    return [f"{before}{word}: {text}" for word, text in said if text]


def working(line: Line, style: Style = TEXT) -> list[str]:
    """What is equal to each other: the formula, with numbers put in, the result. Each only if it says something new."""
    if not line.formula:
        return [value(line.result, style)]
    sides = [letters(line.formula, style), numbers(line.formula, line.values, style), value(line.result, style)]
    return list(dict.fromkeys(sides))


def _text_line(line: Line, width: int) -> str:
    note = f"  ({line.note})" if line.note else ""
    return _wrapped(f"  {line.quantity}: ", working(line), " = ", note, width)


def _text_sum(total: Sum, width: int) -> str:
    result = f" {_sign(total)} {count(total.result)}" if total.parts or total.unknown else ""
    return _wrapped(f"  {total.quantity}: ", _parts(total), " + ", result, width)


def _wrapped(head: str, pieces: list[str], sign: str, tail: str, width: int) -> str:
    """The pieces with a sign between them, broken before a sign where a line would be too long."""
    lines = [head + pieces[0]]
    for piece in (*(sign + piece for piece in pieces[1:]), tail):
        if len(lines[-1]) + len(piece) <= width:
            lines[-1] += piece
        elif piece:
            lines.append(f"      {piece.strip()}")
    return "\n".join(lines)


def _parts(total: Sum) -> list[str]:
    known = [f"{name} {count(number)}" for name, number in total.parts]
    return [*known, *(f"{name} {count(None)}" for name in total.unknown)] or ["0"]


def _sign(total: Sum) -> str:
    return ">=" if total.unknown else "="


def _markdown_line(line: Line) -> str:
    note = f" ({markdown_escape(line.note)})" if line.note else ""
    return f"- {line.quantity}: `{' = '.join(working(line))}`{note}"


def _latex_block(head: str, lines: list[str]) -> str:
    rows = " \\\\\n".join(lines)
    return f"\\paragraph{{{latex_escape(head)}}}\n\\begin{{align*}}\n{rows}\n\\end{{align*}}"


def _latex_text(text: str) -> str:
    return f"  &\\text{{{latex_escape(text)}}}"


def _latex_line(line: Line) -> str:
    first, *others = working(line, LATEX)
    note = f" && \\text{{{latex_escape(line.note)}}}" if line.note else ""
    rest = "".join(f" \\\\\n  &= {side}" for side in others)
    return f"  \\text{{{latex_escape(line.quantity)}}} &= {first}{note}{rest}"


def _latex_sum(total: Sum) -> str:
    known = [value(number, LATEX) for _, number in total.parts]
    numbers = " + ".join([*known, *(value(None, LATEX) for _ in total.unknown)]) or "0"
    sign = "\\ge" if total.unknown else "="
    return f"  \\text{{{latex_escape(total.quantity)}}} &= {numbers} \\\\\n  &{sign} {value(total.result, LATEX)}"
