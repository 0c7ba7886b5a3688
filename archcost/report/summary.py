"""The table of a network: what each layer costs, and what it comes to."""

from __future__ import annotations

from archcost.costs import ModelCost
from archcost.costs.model import TrainingFlops
from archcost.errors import listing
from archcost.graph import ModelGraph
from archcost.report.document import Cell, Column, Document, Facts, Part, Table, about, bounded, one_line
from archcost.report.grouping import Folded, Group
from archcost.tensors import format_shape
from archcost.units import count, lower_bound

COLUMNS = (
    Column("layer"),
    Column("type"),
    Column("output shape"),
    Column("parameters", "right"),
    Column("MACs", "right"),
    Column("FLOPs forward", "right"),
    Column("FLOPs backward", "right"),
)
INTEGER_MACS = Column("integer MACs", "right")
"""Behind the MACs of a network that multiplies integers."""

DATA_COLUMNS = (
    "layer",
    "type",
    "inputs",
    "output_shape",
    "parameters",
    "biases",
    "trainable_parameters",
    "buffers",
    "macs",
    "flops_forward_contraction",
    "flops_forward_elementwise",
    "flops_backward_input_contraction",
    "flops_backward_input_elementwise",
    "flops_backward_weight_contraction",
    "flops_backward_weight_elementwise",
    "receptive_field",
)
MEANING = "FLOPs in this table are those of contractions, 2 a MAC. Backward is one step of training."


def document(result: ModelCost | Folded) -> Document:
    folded = result if isinstance(result, Folded) else Folded(result, None)
    cost, groups = folded.cost, folded.groups
    sums = [bounded(number, cost.unknown) for number in (cost.macs, *_contraction(cost.flops))]
    total = ("total", None, None, cost.parameters, *sums)
    table = Table(COLUMNS, tuple(map(_row, groups)), total)
    if cost.integer_macs:
        table = _with_integers(table, cost, groups)
    if folded.estimate is not None:
        from archcost.report import summary_times

        table = summary_times.table(folded, table)
        notes = tuple(summary_times.notes(folded, folded.estimate))
    else:
        notes = (MEANING,)
    return assembled(folded, table, data(folded, groups), notes)


def data(folded: Folded, groups: tuple[Group, ...]) -> Table:
    """What csv holds of these groups."""
    raw = Table(tuple(map(Column, DATA_COLUMNS)), tuple(map(_data_row, groups)))
    if folded.cost.integer_macs:
        raw = _data_with_integers(raw, groups)
    if folded.estimate is not None:
        from archcost.report import summary_times

        raw = summary_times.data(folded, raw)
    return raw


def assembled(folded: Folded, table: Table, data: Table, notes: tuple[Part, ...]) -> Document:
    """The summary of a network around a table of its layers."""
    cost = folded.cost
    parts = (
        *heading(cost),
        table,
        *_unknown(cost),
        *assumption_notes(cost.graph),
        *notes,
        Facts(_facts(cost)),
        _flops_table(cost),
    )
    return Document(title(cost), parts, about(data, network=cost.network))


def _with_integers(table: Table, cost: ModelCost, groups: tuple[Group, ...]) -> Table:
    """A column of those MACs that are products of integers."""
    place = COLUMNS.index(Column("MACs", "right")) + 1

    def wider(row: tuple[Cell, ...], number: int) -> tuple[Cell, ...]:
        return (*row[:place], number or None, *row[place:])

    columns = (*table.columns[:place], INTEGER_MACS, *table.columns[place:])
    rows = [wider(row, group.integer_macs) for row, group in zip(table.rows, groups, strict=True)]
    return Table(columns, tuple(rows), wider(table.total or (), cost.integer_macs))


def _data_with_integers(data: Table, groups: tuple[Group, ...]) -> Table:
    """The same, and the dtypes of what is multiplied."""
    columns = (*data.columns, Column("integer_macs"), Column("macs_dtype"))
    rows = [(*row, group.integer_macs, group.macs_dtype or None) for row, group in zip(data.rows, groups, strict=True)]
    return Table(columns, tuple(rows))


def title(cost: ModelCost) -> str:
    name = cost.graph.spec.title
    return f"{cost.network}, batch {cost.batch:,}" + (f": {one_line(name)}" if name else "")


def heading(cost: ModelCost) -> tuple[str, ...]:
    citation = cost.graph.spec.citation
    return (one_line(citation),) if citation else ()


def shapes(shapes: tuple[tuple[int, ...], ...]) -> str:
    """Shapes of outputs as text; of more than two only the first, since a split may have thousands."""
    return f"{format_shape(shapes[0])}, …" if len(shapes) > 2 else ", ".join(map(format_shape, shapes))


def _row(group: Group) -> tuple[Cell, ...]:
    forward, backward = _contraction(group.flops)
    operations = [known(group, group.macs, True), known(group, forward, True), known(group, backward)]
    return (group.name, group.type, shapes(group.output_shapes), group.parameters, *operations)


def known(group: Group, number: int, is_forward: bool = False) -> Cell:
    """MACs or FLOPs of one row, as far as they are known."""
    if is_forward and not group.is_folded and group.layers[0].knows_forward:
        return count(number)
    if group.has_unknown and not group.is_folded:
        return count(None)
    return bounded(number, group.has_unknown)


def _contraction(flops: TrainingFlops) -> tuple[int, int]:
    return flops.forward.contraction, flops.backward.contraction


def assumption_notes(graph: ModelGraph) -> tuple[str, ...]:
    """What numbers rest on, a sentence each."""
    assumptions = graph.assumptions.items()
    return tuple(f"Assumed{f' for {listing(names, most=3)}' if names else ''}: {text}." for text, names in assumptions)


def _unknown(cost: ModelCost) -> tuple[str, ...]:
    if not cost.unknown:
        return ()
    return (f"Lower bounds: the operations of {', '.join(cost.unknown)} are not known.",)


def _facts(cost: ModelCost) -> tuple[tuple[str, str], ...]:
    weights = cost.parameters - cost.biases
    frozen = cost.parameters - cost.trainable_parameters
    facts = [
        ("parameters", f"{count(cost.parameters)} = {count(weights)} without biases + {count(cost.biases)} biases"),
        ("trainable", f"{count(cost.trainable_parameters)}, and {count(frozen)} frozen"),
        ("buffers", f"{count(cost.buffers)} values kept but never trained"),
        ("MACs", lower_bound(cost.macs) if cost.unknown else count(cost.macs)),
    ]
    if cost.integer_macs:
        dtypes = listing(dict.fromkeys(layer.macs_dtype for layer in cost.layers if layer.macs_dtype))
        facts.append(("integer MACs", f"{count(cost.integer_macs)} of them, of {dtypes}"))
    spatial = [layer for layer in cost.layers if layer.field and any(layer.field.jump)]
    if spatial and (field := spatial[-1].field):
        stride = "×".join(map(str, field.jump))
        padding = "×".join(map(str, field.padding))
        seen = f"{format_shape(field.size)} of {spatial[-1].name} in {field.source}"
        facts.append(("receptive field", f"{seen}, effective stride {stride}, effective padding {padding}"))
    if cost.graph.spec.published is not None:
        published = cost.graph.spec.published
        figures = (
            ("parameters", "", published.parameters),
            ("MACs", "", published.macs),
            ("top-1 error", " %", published.top1_error),
            ("top-5 error", " %", published.top5_error),
        )
        texts = [
            f"{name} {value:,}{unit}" if isinstance(value, int) else f"{name} {value}{unit}"
            for name, unit, value in figures
            if value is not None
        ]
        source = f" ({one_line(published.source)})" if published.source else ""
        facts.append(("published", ", ".join(texts) + source))
    return tuple(facts)


def _flops_table(cost: ModelCost) -> Table:
    flops = cost.flops
    columns = (Column("FLOPs"), Column("contraction", "right"), Column("elementwise", "right"))
    named = (
        ("forward", flops.forward),
        ("backward, input gradients", flops.backward_input),
        ("backward, weight gradients", flops.backward_weight),
        ("one step of training", flops.total),
    )
    rows = [(name, *[bounded(number, cost.unknown) for number in part]) for name, part in named]
    return Table(columns, tuple(rows[:-1]), rows[-1])


def _data_row(group: Group) -> tuple[Cell, ...]:
    values = group.to_dict()
    operations = [values["macs"], *(number for part in values["flops"].values() for number in part.values())]
    if group.has_unknown and group.is_folded:
        operations = [bounded(number, True) for number in operations]
    field = values["receptive_field"]
    return (
        group.name,
        group.type,
        " ".join(values["inputs"]),
        " ".join("x".join(map(str, shape)) for shape in values["output_shapes"]),
        *(values[key] for key in ("parameters", "biases", "trainable_parameters", "buffers")),
        *operations,
        "x".join(map(str, field)) if field else None,
    )
