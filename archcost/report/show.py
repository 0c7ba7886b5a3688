"""A network's spec, beneath what can be changed of it. As text it is a spec again: what is said stands in comments."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.graph.sequence import longest
from archcost.report import text_writer, writers
from archcost.report.document import Cell, Column, Document, Part, Table
from archcost.spec import ModelSpec
from archcost.spec.sequence import SequenceSpec
from archcost.spec.shown import Shown, Told
from archcost.units import count


def text(shown: Shown) -> str:
    told = text_writer.text(_document(shown)).rstrip("\n")
    commented = "".join(f"# {line}".rstrip() + "\n" for line in told.splitlines())
    return f"{commented}\n{shown.spec.to_yaml()}"


def markdown(shown: Shown) -> str:
    return f"{writers.markdown(_document(shown))}\n```yaml\n{shown.spec.to_yaml()}```\n"


def html(shown: Shown) -> str:
    """A fragment, for a notebook."""
    from html import escape

    return f"{writers.html_fragment(_document(shown))}<pre>{escape(shown.spec.to_yaml())}</pre>\n"


def data(shown: Shown) -> Table:
    """What goes in, a row each."""
    return _inputs(shown)


def _document(shown: Shown) -> Document:
    parts = tuple(_parts(shown))
    return Document(f"{shown.spec.label}: {shown.spec.title or shown.spec.name}", parts, _inputs(shown))


def _parts(shown: Shown) -> Iterator[Part]:
    yield _inputs(shown)
    yield _sequence(shown)
    if shown.parameters:
        yield "Parameters, which --set NAME=VALUE changes:"
        yield _table(shown.parameters)
    for name, block in shown.blocks.items():
        if block:
            yield f"Those of the block {name}, as --set {name}.NAME=VALUE:"
            yield _table(block)


def _inputs(shown: Shown) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, given in shown.inputs.items():
        declared = "×".join(map(str, shown.spec.declared_inputs[name].shape)) or "a single value"
        sizes = "×".join(map(str, given.sizes))
        rows.append((name, declared, sizes if sizes != declared else "", given.dtype))
    return Table(tuple(map(Column, ("input", "of a sample", "which is", "dtype"))), tuple(rows))


def _sequence(shown: Shown) -> str:
    parameter, declared = shown.spec.sequence_parameter, shown.spec.sequence
    if parameter is None:
        return "It has no sequence that --sequence could set."
    inputs = " and ".join(shown.lengthened)
    follows = f", the length of the input{'s' * (len(shown.lengthened) > 1)} {inputs}" if inputs else ""
    return f"--sequence N sets the parameter {parameter}{follows}{_limit(shown.spec, declared)}."


def _limit(spec: ModelSpec, declared: SequenceSpec | None) -> str:
    if declared is None or declared.most is None:
        return ""
    most = longest(spec)
    number = str(declared.most) if most is None else count(most)
    formula = f" ({declared.most})" if number != str(declared.most) and not isinstance(declared.most, int) else ""
    table = f", the rows of the table {declared.table}" if declared.table else ""
    return f"; at most {number}{formula}{table}"


def _table(parameters: tuple[Told, ...]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for told in parameters:
        comes_to = "" if told.comes_to == told.value else _word(told.comes_to)
        rows.append((told.name, _word(told.value), comes_to, told.meaning))
    return Table(tuple(map(Column, ("parameter", "value", "which is", "meaning"))), tuple(rows))


def _word(value: object) -> str:
    if value is None:
        return "to be given"
    if isinstance(value, bool):
        return str(value).lower()
    return "[" + ", ".join(map(_word, value)) + "]" if isinstance(value, tuple) else str(value)  # pyright: ignore
