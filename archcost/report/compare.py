"""Networks side by side."""

from __future__ import annotations

from archcost.comparison import Comparison, LayerFacts, LayerRow
from archcost.report.document import Cell, Column, Document, Table
from archcost.report.summary import bounded, shapes
from archcost.units import count

ABSENT = "none"


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
    parts = (side_by_side, _verdict(comparison), *_layers(comparison, names))
    return Document(" and ".join(names), parts, side_by_side)


def _verdict(comparison: Comparison) -> str:
    if not comparison.differing:
        return f"All {comparison.same:,} layers are the same in type, output shape, parameters, MACs and order."
    return (
        f"{len(comparison.differing):,} layers differ in type, output shape, parameters, MACs or place; "
        f"{comparison.same:,} are the same."
    )


def _layers(comparison: Comparison, names: list[str]) -> tuple[Table, ...]:
    """A line for each quantity that is not the same everywhere; a layer that is missing somewhere says so in all."""
    if not comparison.differing:
        return ()
    columns = (Column("layer"), Column("quantity"), *(Column(name, "right") for name in names))
    rows = [row for layer in comparison.differing for row in _layer_rows(layer)]
    return (Table(columns, tuple(rows)),)


def _layer_rows(layer: LayerRow) -> list[tuple[Cell, ...]]:
    described = [(_describe(facts), moved) for facts, moved in zip(layer.facts, layer.moved, strict=True)]
    rows: list[tuple[Cell, ...]] = []
    for index, quantity in enumerate(("type", "output shape", "parameters", "MACs")):
        cells = [texts[index] for texts, _ in described]
        if len(set(cells)) > 1 and set(cells) != {ABSENT, "0"}:
            rows.append((layer.name, quantity, *cells))
    if any(layer.moved):
        rows.append((layer.name, "place", *("another" if moved else None for _, moved in described)))
    return rows


def _describe(facts: LayerFacts | None) -> tuple[str, str, str, str]:
    if facts is None:
        return ABSENT, ABSENT, ABSENT, ABSENT
    return facts.type, shapes(facts.output_shapes), count(facts.parameters), count(facts.macs)
