"""What an ONNX file is refused for before its operators are read."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.errors import ArchcostError, shorten
from archcost.graph.size import MOST_LAYERS
from archcost.importers.onnx_model import Function, Graph, Model, Node
from archcost.importers.onnx_values import from_batch

DEEPEST = 32
"""Functions in functions, and branches in branches."""


def require_readable(model: Model) -> None:
    """Raises ArchcostError for too many operators, and for sizes that could not be told from the batch."""
    _require_few_operators(model)
    _require_no_batch(model.graph)
    for function in model.functions.values():
        _require_no_batch(function)


def _require_few_operators(model: Model) -> None:
    """Those of functions are counted at each call."""
    counts: dict[str, int] = {}

    def count(nodes: Sequence[Node], within: tuple[str, ...]) -> int:
        return sum(1 + called(node.kind, within) + inside(node, within) for node in nodes)

    def inside(node: Node, within: tuple[str, ...]) -> int:
        return sum(count(graph.nodes, within) for graph in node.bodies)

    def called(kind: str, within: tuple[str, ...]) -> int:
        if kind not in model.functions:
            return 0
        if kind in within or len(within) == DEEPEST:
            raise ArchcostError(
                "functions call one another in a circle, or too deep",
                expected=f"at most {DEEPEST} one in another",
                found=shorten(kind).strip("'"),
            )
        if kind not in counts:
            counts[kind] = count(model.functions[kind].nodes, (*within, kind))
        return counts[kind]

    total = count(model.graph.nodes, ())
    if total > MOST_LAYERS:
        raise ArchcostError("too many operators", expected=f"at most {MOST_LAYERS:,}", found=f"{total:,}")


def _require_no_batch(owner: Graph | Function) -> None:
    for name, held in owner.held.items():
        if from_batch(held.tensor.shape):
            raise ArchcostError(
                "a size cannot be told from the batch, for which a large prime stands while the file is read",
                expected="another size",
                found=f"{shorten(name)} {held.tensor}",
            )
    for node in owner.nodes:
        for graph in node.bodies:
            _require_no_batch(graph)
