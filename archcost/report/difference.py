"""What has changed between two networks: each number with its difference, and the layers that make it."""

from __future__ import annotations

from archcost.guarding.amounts import shown
from archcost.guarding.difference import Change, Difference, Held, LayerChange
from archcost.report.document import Cell, Column, Document, Part, Table, one_line
from archcost.report.settings import settings
from archcost.units import count, lower_bound

LAYERS = ("layer", "change", "parameters", "", "MACs", "")


def document(difference: Difference) -> Document:
    old, new = one_line(difference.old.label), one_line(difference.new.label)
    columns = (Column(""), Column(f"old: {old}", "right"), Column(f"new: {new}", "right"))
    totals = Table(
        (*columns, Column("difference", "right"), Column("%", "right")), tuple(map(_row, difference.changes))
    )
    parts: list[Part] = [totals, _summary(difference)]
    if difference.layers:
        aligned = [Column(name, "left" if index < 2 else "right") for index, name in enumerate(LAYERS)]
        parts.append(Table(tuple(aligned), tuple(map(_layer_row, difference.layers))))
    return Document(f"{old} → {new}, {_setting(difference)}", tuple(parts), _data(difference))


def _setting(difference: Difference) -> str:
    batch, step = f"batch {difference.new.cost.batch:,}", difference.new.estimate
    return batch if step is None else f"{batch}, on {step.hardware.name}, {settings(step.line)}"


def _row(change: Change) -> tuple[Cell, ...]:
    old, new = (_amount(change, amount) for amount in (change.old, change.new))
    return change.words, old, new, _signed(change), _percent(change.percent)


def _amount(change: Change, amount: int | float | str | None) -> str:
    if change.is_bound and change.kind == "count" and isinstance(amount, int):
        return lower_bound(amount)
    return shown(change.kind, amount)


def _signed(change: Change) -> str:
    found = change.difference
    if found is None:
        return (
            "" if change.old == change.new and not change.is_bound else "?" if change.kind != "verdict" else "changed"
        )
    sign = "+" if found > 0 else "-" if found < 0 else ""
    return f"{sign}{shown(change.kind, abs(found))}" if found else "0"


def _percent(percent: float | None) -> str | None:
    """To a tenth; what is less and not nothing says so."""
    if percent is None:
        return None
    if 0 < abs(percent) < 0.05:
        return "< +0.1" if percent > 0 else "> -0.1"
    return f"{percent:+,.1f}" if percent else "0"


def _summary(difference: Difference) -> str:
    differing = len(difference.comparison.differing)
    how = "name" if difference.comparison.aligned_by == "name" else "what they are, as few of their names are shared"
    if not differing:
        return f"All {difference.comparison.same:,} layers are the same in type, output shape, parameters and MACs."
    layers = "1 layer differs" if differing == 1 else f"{differing:,} layers differ"
    return f"{layers}, {difference.comparison.same:,} are the same; aligned by {how}."


def _layer_row(layer: LayerChange) -> tuple[Cell, ...]:
    pairs = [(held and held.parameters, held and held.macs) for held in (layer.old, layer.new)]
    parameters, macs = zip(*pairs, strict=True)
    return (
        one_line(layer.name),
        layer.what,
        *_pair(layer, parameters[0], parameters[1]),
        *_pair(layer, macs[0], macs[1]),
    )


def _pair(layer: LayerChange, old: int | None, new: int | None) -> tuple[str, str]:
    """`1,792 → 3,584` and `+1,792`; of a layer that is there once what it has, and of nothing nothing."""
    before, after = _had(layer.old, old), _had(layer.new, new)
    known = (old is not None or layer.old is None) and (new is not None or layer.new is None)
    change = f"{(new or 0) - (old or 0):+,}" if known else "?"
    told = " → ".join(filter(None, (before, after))) if before != after else after
    return told, "" if change == "+0" else change


def _had(held: Held | None, number: int | None) -> str:
    return "" if held is None else count(number)


def _data(difference: Difference) -> Table:
    names = ("name", "change", "layers", "old_parameters", "new_parameters", "old_macs", "new_macs")
    rows: list[tuple[Cell, ...]] = []
    for layer in difference.layers:
        pairs = [(held and held.parameters, held and held.macs) for held in (layer.old, layer.new)]
        parameters, macs = zip(*pairs, strict=True)
        rows.append((layer.name, layer.what, layer.layers, *parameters, *macs))
    return Table(tuple(map(Column, names)), tuple(rows))
