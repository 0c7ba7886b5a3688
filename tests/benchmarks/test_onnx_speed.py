"""How long an ONNX file takes to read, beside onnx itself; skipped in the ordinary suite."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import archcost
from archcost.exporters import onnx_bytes

NETWORK = "mobilenet_v2"
"""Of 14 MB."""


def file_with_weights(name: str, folder: Path) -> Path:
    """A network that ships, its weights as initializers with values."""
    model = onnx.ModelProto()
    model.ParseFromString(onnx_bytes(archcost.load(name)))
    is_weight = [any(entry.key == "archcost.weight" for entry in value.metadata_props) for value in model.graph.input]
    chance = np.random.default_rng(0)
    for value, held in zip(model.graph.input, is_weight, strict=True):
        if held:
            shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
            values = chance.standard_normal(shape).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, value.name))
    inputs = [value for value, held in zip(model.graph.input, is_weight, strict=True) if not held]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


def by_onnx(path: Path) -> onnx.ModelProto:
    return onnx.shape_inference.infer_shapes(onnx.load(path))


TOOLS: dict[str, Callable[[Path], object]] = {
    "onnx.load and onnx's shape inference": by_onnx,
    "archcost.from_onnx": archcost.from_onnx,
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.benchmark(group="reading an ONNX file")
def test_reading_a_file(benchmark: Any, tool: str, tmp_path: Path) -> None:
    benchmark.extra_info["tool"] = tool
    path = file_with_weights(NETWORK, tmp_path)
    benchmark.pedantic(TOOLS[tool], args=(path,), rounds=15, warmup_rounds=2)


def chain(count: int, folder: Path) -> Path:
    """Convolutions and activations, `count` operators in a row."""
    nodes: list[onnx.NodeProto] = []
    held: list[onnx.TensorProto] = []
    for number in range(count // 2):
        held.append(numpy_helper.from_array(np.ones((8, 8, 1, 1), np.float32), f"w{number}"))
        nodes.append(helper.make_node("Conv", [f"a{number}", f"w{number}"], [f"c{number}"]))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"a{number + 1}"]))
    ends = [helper.make_tensor_value_info(name, 1, ["N", 8, 8, 8]) for name in ("a0", f"a{count // 2}")]
    graph = helper.make_graph(nodes, "chain", ends[:1], ends[1:], held)
    path = folder / "chain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.mark.parametrize("operators", [1_000, 10_000, 20_000])
@pytest.mark.benchmark(group="reading a chain of ONNX operators")
def test_reading_a_chain(benchmark: Any, operators: int, tmp_path: Path) -> None:
    """Linear: twice as many take at most 2.3 times as long."""
    benchmark.extra_info["tool"] = str(operators)
    benchmark.pedantic(archcost.from_onnx, args=(chain(operators, tmp_path),), rounds=3, warmup_rounds=1)
