"""ONNX graphs by hand, a line an operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import TensorProto, helper

import archcost

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL

Numbers = int | float | bool | Sequence[Any]


def node(kind: str, inputs: str, outputs: str, domain: str = "", **attributes: Any) -> onnx.NodeProto:
    """Inputs and outputs by name, with blanks between; `_` for one that is left out."""
    named = [["" if word == "_" else word for word in words.split()] for words in (inputs, outputs)]
    return helper.make_node(kind, *named, domain=domain, **attributes)


def weight(name: str, *shape: int, dtype: int = FLOAT) -> onnx.TensorProto:
    """Of which the file keeps the values elsewhere."""
    tensor = TensorProto(name=name, dims=shape, data_type=dtype, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="weights.bin")
    return tensor


def numbers(name: str, values: Numbers, dtype: int = INT64) -> onnx.TensorProto:
    """A constant; a single number has no axes."""
    listed = isinstance(values, Sequence)
    return helper.make_tensor(name, dtype, [len(values)] if listed else [], values if listed else [values])


def model_of(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str]],
    held: Sequence[onnx.TensorProto] = (),
    outputs: Sequence[str] = (),
    opset: int = 20,
    dtypes: Mapping[str, int] | None = None,
    **more: Any,
) -> onnx.ModelProto:
    """The last operator's first output is returned unless others are named."""
    wanted = outputs or [nodes[-1].output[0]]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(name, (dtypes or {}).get(name, FLOAT), shape) for name, shape in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in wanted],
        list(held),
        value_info=more.pop("value_info", None),
    )
    opsets = [helper.make_opsetid("", opset), *more.pop("opsets", ())]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, **more)


def imported(folder: Path, model: onnx.ModelProto, *inputs: str) -> archcost.ModelSpec:
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return archcost.from_onnx(path, inputs)


def layers_of(spec: archcost.ModelSpec) -> list[dict[str, Any]]:
    return list(spec.to_dict()["layers"])
