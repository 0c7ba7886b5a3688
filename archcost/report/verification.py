"""What the witnesses said, from the JSON of `verify`: this part never imports the torch half."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archcost.files.result import Result
from archcost.report.document import Cell, Column, Document, Table, about
from archcost.report.summary import shapes
from archcost.units import count, duration

TOTAL = "total"
Check = dict[str, Any]

GROUP_COLUMNS = (
    Column("quantity"),
    Column("archcost", "right"),
    Column("witness", "right"),
    Column("agree", "right"),
    Column("differ", "right"),
    Column("uncounted", "right"),
    Column("counted by"),
)
DIFFERENCE_COLUMNS = (
    Column("quantity"),
    Column("where"),
    Column("archcost", "right"),
    Column("witness", "right"),
    Column("counted by"),
)
EACH = {
    "step_seconds": "phase",
    "role_bytes": "role",
    "peak_tensors": "phase",
    "input_shapes": "input",
    "buffer_bytes": "dtype",
}
"""What the numbers of a quantity without a total are of, where it is no layer."""

DATA_COLUMNS = ("quantity", "scope", "archcost", "witness", "by", "agrees", "reason")


def document(result: Result) -> Document:
    verification = result.to_dict()
    checks: list[Check] = verification["checks"]
    parts = (
        Table(GROUP_COLUMNS, tuple(_group_row(*group) for group in _groups(checks))),
        *_differences(checks),
        *_reasons("Notes on numbers that differ:", [c for c in checks if c["agrees"] is False and c["reason"]]),
        *_reasons("Notes on numbers that agree:", [c for c in checks if c["agrees"] and c["reason"]]),
        *_reasons("Not counted by a witness:", [c for c in checks if c["agrees"] is None]),
        _verdict(checks),
    )
    data = tuple(tuple(_data_cell(check[column]) for column in DATA_COLUMNS) for check in checks)
    title = f"{verification['network']} on {verification['device']}: archcost beside its witnesses (independent counts)"
    table = Table(tuple(map(Column, DATA_COLUMNS)), data)
    return Document(title, parts, about(table, network=verification["network"]))


def _groups(checks: Iterable[Check]) -> list[tuple[str, str, list[Check]]]:
    """Checks of one quantity by one witness, in order."""
    groups: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        groups.setdefault((check["quantity"], check["by"]), []).append(check)
    return [(quantity, by, members) for (quantity, by), members in groups.items()]


def _group_row(quantity: str, by: str, checks: list[Check]) -> tuple[Cell, ...]:
    """The two totals, and how many numbers (total and layers, phases or roles) agree."""
    total = next((check for check in checks if check["scope"] == TOTAL), None)
    agreeing = sum(check["agrees"] is True for check in checks)
    differing = sum(check["agrees"] is False for check in checks)
    each = f"each {EACH.get(quantity, 'layer')}"
    numbers = (_value(total["archcost"]), _value(total["witness"])) if total else (each, each)
    silent = len(checks) - agreeing - differing
    return (_words(quantity), *numbers, f"{agreeing:,} of {len(checks):,}", differing, silent, by)


def _words(quantity: str) -> str:
    return quantity.replace("_", " ").replace("flops", "FLOPs").replace("macs", "MACs")


def _value(value: Any) -> str:
    if value is None:
        return "uncounted"
    if isinstance(value, float):
        return duration(value)
    return count(value) if isinstance(value, int) else shapes(tuple(tuple(shape) for shape in value))


def _differences(checks: Iterable[Check]) -> tuple[str | Table, ...]:
    rows = tuple(
        (_words(c["quantity"]), c["scope"], _value(c["archcost"]), _value(c["witness"]), c["by"])
        for c in checks
        if c["agrees"] is False
    )
    return ("These differ, and nobody knows why:", Table(DIFFERENCE_COLUMNS, rows)) if rows else ()


def _reasons(heading: str, checks: Iterable[Check]) -> tuple[str, ...]:
    """Every reason once, with all that it holds for."""
    quantities: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        quantities.setdefault((check["reason"], check["scope"]), []).append(_words(check["quantity"]))
    scopes: dict[tuple[str, str], list[str]] = {}
    for (reason, scope), named in quantities.items():
        scopes.setdefault((reason, " and ".join(named)), []).append(scope)
    lines = [f"- {named} of {', '.join(where)}: {reason}" for (reason, named), where in scopes.items()]
    return ("\n".join([heading, *lines]),) if lines else ()


def _verdict(checks: list[Check]) -> str:
    differing = sum(check["agrees"] is False for check in checks)
    silent = sum(check["agrees"] is None for check in checks)
    heard = len(checks) - silent
    spoken = f", {silent:,} have no witness" if silent else ""
    if differing:
        return f"{differing:,} of {heard:,} numbers differ{spoken}."
    return f"All {heard:,} numbers that a witness counted agree{spoken}."


def _data_cell(value: Any) -> Cell:
    return " ".join("x".join(map(str, shape)) for shape in value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
