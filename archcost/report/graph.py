"""A graph: what goes in, its layers with their shapes and weights, and what comes out."""

from __future__ import annotations

from archcost.graph import ModelGraph, Node
from archcost.report.document import Column, Document, Facts, Table, one_line
from archcost.tensors import Tensors, format_shape

COLUMNS = (
    *(Column("layer"), Column("type"), Column("inputs"), Column("output shape"), Column("parameters", "right")),
    Column("trainable"),
)


def document(graph: ModelGraph) -> Document:
    spec = graph.spec
    facts = Facts(
        (
            ("batch", f"{graph.batch:,}"),
            ("inputs", ", ".join(f"{name} {tensor}" for name, tensor in graph.inputs.items())),
            ("outputs", ", ".join(f"{port} {tensor}" for port, tensor in _returned(graph))),
        )
    )
    rows = tuple([_row(node) for node in graph.nodes])
    headers = tuple(Column(column.header.replace(" ", "_")) for column in COLUMNS)
    title = f"{graph.name}: {one_line(spec.title or spec.name)}, {len(graph.nodes):,} layers"
    shown = tuple([(*row[:-1], "" if row[-1] else "frozen") for row in rows])
    return Document(title, (facts, Table((*COLUMNS[:-1], Column("")), shown)), Table(headers, rows))


def _returned(graph: ModelGraph) -> list[tuple[object, object]]:
    return [*zip(graph.outputs, graph.returned, strict=True)]


def _row(node: Node) -> tuple[str, str, str, str, int, bool]:
    parameters = sum(weight.numel for weight in node.own_weights if not weight.is_buffer)
    inputs = ", ".join(map(str, node.inputs))
    return node.name, node.layer.type, inputs, _shapes(node.output_types), parameters, node.trainable


def _shapes(tensors: Tensors) -> str:
    return ", ".join(format_shape(tensor.shape) for tensor in tensors)
