"""Networks side by side."""

from __future__ import annotations

from collections.abc import Iterable

from archcost.comparison.align import LayerFacts
from archcost.comparison.compare import Comparison, LayerRow
from archcost.report.document import Cell, Column, Document, Part, Table, bounded
from archcost.report.summary import shapes
from archcost.units import count

MISSING = "none"
QUANTITIES = ("type", "output shape", "parameters", "MACs")


def document(comparison: Comparison) -> Document:
    networks = comparison.networks
    names = [network.network for network in networks]
    totals: tuple[tuple[Cell, ...], ...] = (
        ("batch", *(n.batch for n in networks)),
        ("layers", *(n.layers for n in networks)),
        ("parameters", *(n.parameters for n in networks)),
        ("MACs", *(bounded(n.macs, n.unknown) for n in networks)),
        ("FLOPs forward", *(bounded(n.flops_forward, n.unknown) for n in networks)),
        ("FLOPs backward", *(bounded(n.flops_backward, n.unknown) for n in networks)),
        ("published top-1 error, %", *(n.top1_error for n in networks)),
        ("published top-5 error, %", *(n.top5_error for n in networks)),
    )
    side_by_side = Table((Column(""), *(Column(name, "right") for name in names)), totals)
    parts = (side_by_side, *_how_aligned(comparison), *_layers(comparison, names))
    return Document(" and ".join(names), parts, side_by_side)


def _how_aligned(comparison: Comparison) -> tuple[str, ...]:
    if comparison.aligned_by == "name":
        return (_summary_by_name(comparison),)
    return (
        "Fewer than half of the layers' names are shared, so layers are aligned by what they are, in the order in "
        "which values flow.",
        _summary_by_structure(comparison),
    )


def _summary_by_name(comparison: Comparison) -> str:
    if not comparison.differing:
        return (
            f"Aligned by name, all {comparison.same:,} layers are the same in type, output shape, parameters, MACs and "
            "order."
        )
    return (
        f"Aligned by name, {len(comparison.differing):,} layers differ in type, output shape, parameters, MACs or "
        f"place; {comparison.same:,} are the same."
    )


def _summary_by_structure(comparison: Comparison) -> str:
    """What is not the same, from what matters most to what matters least."""
    changed = [row for row in comparison.differing if row.changed]
    costly = len(_with_cost(changed, comparison))
    moved = len(comparison.differing) - len(changed)
    found = [f"{_layers_differ(costly)} in type, output shape, parameters or MACs"]
    if len(changed) > costly:
        found.append(f"{len(changed) - costly:,} without either")
    if moved:
        found.append(f"{moved:,} only in the place at which they are executed")
    return f"{'; '.join(found)}; {comparison.same:,} are the same."


def _layers_differ(number: int) -> str:
    if number > 1:
        return f"{number:,} layers with weights or operations differ"
    return f"{'One' if number else 'No'} layer with weights or operations differs"


def _with_cost(rows: Iterable[LayerRow], comparison: Comparison) -> list[LayerRow]:
    return [row for row in rows if row not in comparison.without_cost]


def _layers(comparison: Comparison, names: list[str]) -> tuple[Part, ...]:
    """A line for each quantity that is not the same everywhere; a layer that is missing somewhere says so in all."""
    columns = (Column("layer"), Column("quantity"), *(Column(name, "right") for name in names))
    if comparison.aligned_by == "name":
        rows = [row for layer in comparison.differing for row in _quantities(layer)]
        return (Table(columns, tuple(rows)),) if rows else ()
    costly = _with_cost([row for row in comparison.differing if row.changed], comparison)
    rows = [row for layer in costly for row in (_own_names(layer), *_quantities(layer))]
    differences = (Table(columns, tuple(rows)),) if rows else ()
    return (*differences, "Which layer is which:", _side_by_side(comparison, names))


def _own_names(layer: LayerRow) -> tuple[Cell, ...]:
    return (layer.name, "name", *(name or MISSING for name in layer.names))


def _side_by_side(comparison: Comparison, names: list[str]) -> Table:
    """All layers by the names that each network has for them, and what is not the same."""
    rows = [(*layer.names, _difference(layer, layer in comparison.without_cost)) for layer in comparison.rows]
    return Table((*map(Column, names), Column("difference")), tuple(rows))


def _difference(layer: LayerRow, is_free: bool) -> str | None:
    if not layer.differs:
        return None
    present = [_describe(facts) for facts in layer.facts if facts]
    found = [name for name, texts in zip(QUANTITIES, zip(*present, strict=True), strict=True) if len(set(texts)) > 1]
    if None in layer.facts:
        found.insert(0, "not in all")
    if any(layer.moved):
        found.append("place")
    return ", ".join(found) + (" (no weights, no operations)" if is_free and layer.changed else "")


def _quantities(layer: LayerRow) -> list[tuple[Cell, ...]]:
    described = [(_describe(facts), moved) for facts, moved in zip(layer.facts, layer.moved, strict=True)]
    rows: list[tuple[Cell, ...]] = []
    for index, quantity in enumerate(QUANTITIES):
        cells = [texts[index] for texts, _ in described]
        if len(set(cells)) > 1 and set(cells) != {MISSING, "0"}:
            rows.append((layer.name, quantity, *cells))
    if any(layer.moved):
        rows.append((layer.name, "place", *("another" if moved else None for _, moved in described)))
    return rows


def _describe(facts: LayerFacts | None) -> tuple[str, str, str, str]:
    if facts is None:
        return MISSING, MISSING, MISSING, MISSING
    return facts.type, shapes(facts.output_shapes), count(facts.parameters), count(facts.macs)
