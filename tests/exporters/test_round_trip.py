"""Written as ONNX and read again: the same parameters, MACs and shapes, for every layer and every network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest

import archcost
from archcost.costs import ModelCost
from archcost.exporters import onnx_bytes
from archcost.graph import ModelGraph
from archcost.spec import zoo
from tests.exporters.exportable import ROWS, for_one_batch
from tests.layers.networks import batch_of, network_of
from tests.layers.rows import Row
from tests.specs.variants import shortened


def again(spec: archcost.ModelSpec, batch: int | None, folder: Path) -> archcost.ModelSpec:
    path = folder / "net.onnx"
    archcost.to_onnx(spec, path, batch)
    return archcost.from_onnx(path)


def numbers(spec: archcost.ModelSpec, batch: int) -> tuple[Any, ...]:
    graph: ModelGraph = archcost.build(spec, batch)
    cost: ModelCost = archcost.cost(graph)
    return cost.parameters, cost.macs, graph.returned


FEW = {row.layer.type: row for row in ROWS}.values()
"""One for each layer type."""


def has_idle_inputs(row: Row) -> bool:
    """Whether nothing of an input is in the file: of its dtype alone, or of backward."""
    return row.layer.type in ("cast_like", "function")


@pytest.mark.parametrize("row", [row for row in ROWS if not for_one_batch(row) and not has_idle_inputs(row)], ids=str)
def test_rows_for_any_batch(row: Row, tmp_path: Path) -> None:
    """And the file is valid by onnx's own check."""
    spec = network_of(row)
    assert numbers(again(spec, None, tmp_path), batch_of(row)) == numbers(spec, batch_of(row))
    onnx.checker.check_model(onnx.load(tmp_path / "net.onnx"), full_check=True)


@pytest.mark.parametrize("row", [row for row in FEW if not for_one_batch(row)], ids=str)
def test_rows_for_their_batch(row: Row, tmp_path: Path) -> None:
    """Read for any batch again, although the file names one."""
    spec = network_of(row)
    assert numbers(again(spec, batch_of(row), tmp_path), batch_of(row)) == numbers(spec, batch_of(row))


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_every_shape_is_told(row: Row) -> None:
    """Of the tensors inside a layer too, and for a batch as the row has it."""
    graph = onnx.load_from_string(onnx_bytes(network_of(row), batch_of(row))).graph
    told = {value.name: value for value in (*graph.input, *graph.value_info, *graph.output)}
    assert {name for node in graph.node for name in node.output} <= told.keys()
    sizes = [tuple(axis.dim_value for axis in value.type.tensor_type.shape.dim) for value in graph.output]
    assert sizes == list(row.outputs)


COMPLEX = {"deepseek_v2_lite"}
"""Networks that multiply complex numbers, for which ONNX has no operator."""


@pytest.mark.parametrize("name", [name for name in zoo.names() if name not in COMPLEX])
def test_networks(name: str, tmp_path: Path) -> None:
    spec = shortened(name)
    assert numbers(again(spec, None, tmp_path), 3) == numbers(spec, 3)
