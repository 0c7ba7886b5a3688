#!/usr/bin/env bash
# onnx's shape inference takes a left-out `onesided` of STFT for 0, while the operator's schema has 1 as its default, and
# so has the reference implementation: it infers 16 frequencies where 9 come out. With `onesided` written out it is right.
#
# Seen with onnx 1.23.2, whose own node tests (test_stft) have 9 as well. It fails (exit 1) when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet onnx==1.23.2
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from onnx import TensorProto, helper, shape_inference
from onnx.reference import ReferenceEvaluator

node = helper.make_node("STFT", ["x", "step", "", "length"], ["y"])
graph = helper.make_graph(
    [node],
    "g",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 128, 1])],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
    [helper.make_tensor(name, TensorProto.INT64, [], [value]) for name, value in (("step", 8), ("length", 16))],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
inferred = shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape
shape = [axis.dim_value for axis in inferred.dim]
(result,) = ReferenceEvaluator(model).run(None, {"x": np.zeros((1, 128, 1), np.float32)})
print(f"inferred {shape}, by the reference {list(result.shape)}")
assert shape == [1, 15, 16, 2] and result.shape == (1, 15, 9, 2), "the behaviour has changed"
PY
