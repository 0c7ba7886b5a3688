"""MACs and weights of an ONNX file by a run of onnxruntime: `python runtime_count.py FILE SHAPES` prints them as JSON.

Knows nothing of archcost. Every tensor in between is made an output, so the shapes are those that onnxruntime makes of
zeros; products are counted by the textbook formula, weights by what operators read. SHAPES are JSON, by input; `{}`
takes 1 for what is open. A branch is run in place of its `If`, each way through them that the sizes allow.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, product
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime  # pyright: ignore[reportMissingImports]
from onnx import TensorProto, helper, numpy_helper

Shapes = dict[str, tuple[int, ...]]

BRANCHES = ("then_branch", "else_branch")


def inlined(graph: onnx.GraphProto, choice: Iterator[str]) -> tuple[list[onnx.NodeProto], list[onnx.TensorProto]]:
    """Operators and initializers with each `If` replaced by one of its branches, as `choice` says of each in turn."""
    nodes: list[onnx.NodeProto] = []
    held = list(graph.initializer)
    for node in graph.node:
        if node.op_type != "If":
            nodes.append(node)
            continue
        branch = next(choice)
        body = next(entry.g for entry in node.attribute if entry.name == branch)
        inner, more = inlined(body, choice)
        nodes += inner
        held += more
        nodes += [
            helper.make_node("Identity", [made.name], [name])
            for made, name in zip(body.output, node.output, strict=True)
            if name
        ]
    return nodes, held


def run(
    model: onnx.ModelProto,
    nodes: Sequence[onnx.NodeProto],
    held: Sequence[onnx.TensorProto],
    given: dict[str, list[int]],
) -> Shapes:
    """The shape of every tensor of these operators, with inputs of zeros."""
    flat = onnx.ModelProto()
    flat.CopyFrom(model)
    flat.graph.Clear()
    flat.graph.name = "flat"
    flat.graph.node.extend(nodes)
    flat.graph.initializer.extend(held)
    names = {tensor.name for tensor in held}
    flat.graph.input.extend([value for value in model.graph.input if value.name not in names])
    made = [name for node in nodes for name in node.output if name]
    flat.graph.output.extend([helper.make_empty_tensor_value_info(name) for name in made])
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(flat.SerializeToString(), options, providers=["CPUExecutionProvider"])
    feed: dict[str, Any] = {}
    for value in flat.graph.input:
        sizes = [axis.dim_value if axis.dim_value > 0 else 1 for axis in value.type.tensor_type.shape.dim]
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        feed[value.name] = np.zeros(given.get(value.name, sizes), dtype)
    shapes: Shapes = {tensor.name: tuple(tensor.dims) for tensor in held}
    shapes |= {name: array.shape for name, array in feed.items()}
    return shapes | {name: np.shape(result) for name, result in zip(made, session.run(made, feed), strict=True)}


Count = Callable[[onnx.NodeProto, Callable[[int], Sequence[int]], Sequence[int]], int]


def recurrent(gates: int, weight: int = 1, again: int = 2, is_turned: bool = False) -> Count:
    def count(node: onnx.NodeProto, read: Callable[[int], Sequence[int]], made: Sequence[int]) -> int:
        steps, samples, features = read(0)
        directions = read(again)[0]
        hidden = read(again)[1] if is_turned else read(again)[2]
        return steps * samples * directions * gates * hidden * (features + hidden)

    return count


def einsum(node: onnx.NodeProto, read: Callable[[int], Sequence[int]], made: Sequence[int]) -> int:
    equation = next(entry.s.decode() for entry in node.attribute if entry.name == "equation").replace(" ", "")
    terms = equation.partition("->")[0].split(",")
    sizes = {letter: size for index, term in enumerate(terms) for letter, size in zip(term, read(index), strict=True)}
    return prod(sizes.values()) if len(terms) == 2 else 0


def gemm(node: onnx.NodeProto, read: Callable[[int], Sequence[int]], made: Sequence[int]) -> int:
    turned = any(entry.name == "transA" and entry.i for entry in node.attribute)
    return prod(made) * read(0)[0 if turned else 1]


COUNTS: dict[str, Count] = {
    **dict.fromkeys(("Conv", "ConvInteger", "FusedConv"), lambda _, read, made: prod(made) * prod(read(1)[1:])),
    "QLinearConv": lambda _, read, made: prod(made) * prod(read(3)[1:]),
    "ConvTranspose": lambda _, read, made: prod(read(0)) * prod(read(1)[1:]),
    **dict.fromkeys(
        ("MatMul", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QLinearMatMul", "FusedMatMul"),
        lambda _, read, made: prod(made) * read(0)[-1],
    ),
    **dict.fromkeys(("Gemm", "QGemm", "FusedGemm"), gemm),
    "Einsum": einsum,
    "LSTM": recurrent(4),
    "GRU": recurrent(3),
    "RNN": recurrent(1),
    "DynamicQuantizeLSTM": recurrent(4, is_turned=True),
}
"""By the operator's name: of what it reads and makes."""

NO_WEIGHTS: dict[str, tuple[int, ...]] = {
    "Resize": (1, 2, 3),
    "Upsample": (1,),
    "BatchNormalization": (3, 4),
}
"""Inputs that are settings, or statistics of norms."""

INTEGER_WEIGHTS: dict[str, tuple[int, ...]] = {
    "ConvInteger": (1, 3),
    "MatMulInteger": (1, 3),
    "DynamicQuantizeMatMul": (1, 3),
    "MatMulIntegerToFloat": (1, 5),
    "DynamicQuantizeLSTM": (1, 2, 9, 11),
    "QLinearConv": (3, 5, 8),
    "QLinearMatMul": (3, 5),
    "QuantizeLinear": (2,),
    "DequantizeLinear": (0, 2),
    "Gather": (0,),
}
"""Inputs of integers that are weights or their zero points, of which those of several values count, as scales do."""

BIASED = ("Conv", "ConvTranspose", "Gemm")
"""Of which a bias of a single value is a weight, too."""

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)


def constants(nodes: Sequence[onnx.NodeProto]) -> Iterator[tuple[str, onnx.TensorProto]]:
    for node in nodes:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            yield node.output[0], node.attribute[0].t
        elif node.op_type == "Constant" and node.attribute[0].name == "value_floats":
            yield node.output[0], numpy_helper.from_array(np.array(node.attribute[0].floats, np.float32))


def needed(nodes: Sequence[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    wanted, found = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            found.append(node)
    return found[::-1]


def weights(nodes: Sequence[onnx.NodeProto], held: Sequence[onnx.TensorProto]) -> dict[str, int]:
    """Values of each tensor of the file that operators read as a weight: floats of several values, packed integers."""
    tensors = {tensor.name: tensor for tensor in held} | dict(constants(nodes))
    found: dict[str, int] = {}
    for node in nodes:
        for index, name in enumerate(node.input):
            tensor = tensors.get(name)
            if tensor is None or index in NO_WEIGHTS.get(node.op_type, ()):
                continue
            if prod(tensor.dims) < 2 and (index != 2 or node.op_type not in BIASED):
                continue
            is_integer = index in INTEGER_WEIGHTS.get(node.op_type, ()) and (
                node.op_type != "Gather" or tensor.data_type in (TensorProto.INT8, TensorProto.UINT8)
            )
            if tensor.data_type in FLOATS or is_integer:
                found[name] = prod(tensor.dims)
    return found


MOST_CHOICES = 6
"""Branches in a row that are gone through."""


def main(path: str, given: dict[str, list[int]]) -> dict[str, Any]:
    """MACs of each way through the branches that onnxruntime runs, and the weights of all ways."""
    model = onnx.load(path)
    has_branches = any(node.op_type == "If" for node in model.graph.node)
    macs: set[int] = set()
    found: dict[str, int] = {}
    problem = ""
    for way in product(BRANCHES, repeat=MOST_CHOICES) if has_branches else [BRANCHES]:
        nodes, held = inlined(model.graph, cycle(way))
        used = needed(nodes, {value.name for value in model.graph.output})
        found |= weights(used, held)
        try:
            macs.add(macs_of(used, run(model, used, held, given)))
        except Exception as error:  # a way that these sizes do not allow
            problem = str(error)
    if not macs:
        raise ValueError(problem)
    return {"macs": sorted(macs), "weights": sum(found.values()), "runtime": onnxruntime.__version__}


def macs_of(nodes: Sequence[onnx.NodeProto], shapes: Shapes) -> int:
    total = 0
    for node in nodes:
        if node.op_type in COUNTS:
            reads = [shapes.get(name, ()) for name in node.input]
            made = shapes[next(name for name in node.output if name)]
            total += COUNTS[node.op_type](node, reads.__getitem__, made)
    return total


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
