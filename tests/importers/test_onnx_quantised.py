"""Quantised files of a few operators: products of integers, and what is scaled to them and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import archcost
from archcost.costs import ModelCost
from archcost.errors import ArchcostError
from archcost.tensors import TensorType
from tests.importers.onnx_files import FLOAT, imported, model_of, node, weight

MICROSOFT = "com.microsoft"
INT8, UINT8, INT32 = TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32

IMAGE: Mapping[str, Sequence[int | str]] = {"x": ["N", 3, 5, 7]}
ROWS: Mapping[str, Sequence[int | str]] = {"x": ["N", 5]}


def one(name: str, dtype: int = FLOAT) -> onnx.TensorProto:
    """A scale or a zero point of a tensor as a whole."""
    return helper.make_tensor(name, dtype, [], [1])


ONES = (one("s"), one("z", UINT8))


@dataclass
class Case:
    """Numbers of a sample: MACs, and of them those of integers; values of the weights and their bytes."""

    nodes: Sequence[onnx.NodeProto]
    held: Sequence[onnx.TensorProto]
    macs: int
    integer_macs: int
    parameters: int
    stored: int
    inputs: Mapping[str, Sequence[int | str]] = field(default_factory=lambda: IMAGE)
    dtypes: Mapping[str, int] = field(default_factory=dict[str, int])


CASES = {
    "a convolution of what is quantised on the way": Case(
        [node("DynamicQuantizeLinear", "x", "q s z"), node("ConvInteger", "q w z", "y")],
        [weight("w", 11, 3, 3, 3, dtype=UINT8)],
        macs=11 * 3 * 5 * 27,
        integer_macs=11 * 3 * 5 * 27,
        parameters=11 * 27,
        stored=11 * 27,
    ),
    "a convolution with scales for each channel": Case(
        [
            node("QuantizeLinear", "x s z", "q"),
            node("QLinearConv", "q s z w ws wz s z b", "i", pads=[1, 1, 1, 1]),
            node("DequantizeLinear", "i s z", "y"),
        ],
        [
            *ONES,
            weight("w", 11, 3, 3, 3, dtype=INT8),
            weight("ws", 11),
            weight("wz", 11, dtype=INT8),
            weight("b", 11, dtype=INT32),
        ],
        macs=11 * 5 * 7 * 27,
        integer_macs=11 * 5 * 7 * 27,
        parameters=11 * 27 + 3 * 11,
        stored=11 * 27 + 11 * (4 + 1 + 4),
    ),
    "padded more at the end": Case(
        [node("ConvInteger", "x w", "y", pads=[0, 0, 1, 1], strides=[2, 2])],
        [weight("w", 11, 3, 3, 3, dtype=INT8)],
        macs=11 * 2 * 3 * 27,
        integer_macs=11 * 2 * 3 * 27,
        parameters=11 * 27,
        stored=11 * 27,
        dtypes={"x": UINT8},
    ),
    "a matrix of weights": Case(
        [node("MatMulInteger", "x w", "y")],
        [weight("w", 5, 7, dtype=INT8)],
        macs=35,
        integer_macs=35,
        parameters=35,
        stored=35,
        inputs=ROWS,
        dtypes={"x": UINT8},
    ),
    "scales for each column": Case(
        [node("QuantizeLinear", "x s z", "q"), node("QLinearMatMul", "q s z w ws wz s z", "y")],
        [*ONES, weight("w", 5, 7, dtype=INT8), weight("ws", 7), weight("wz", 7, dtype=INT8)],
        macs=35,
        integer_macs=35,
        parameters=35 + 14,
        stored=35 + 7 * 5,
        inputs=ROWS,
    ),
    "two tensors": Case(
        [
            node("DynamicQuantizeLinear", "x", "q s z"),
            node("Transpose", "q", "t", perm=[0, 1, 3, 2]),
            node("MatMulInteger", "q t z z", "y"),
        ],
        [],
        macs=3 * 5 * 5 * 7,
        integer_macs=3 * 5 * 5 * 7,
        parameters=0,
        stored=0,
    ),
    "weights scaled back": Case(
        [
            node("DequantizeLinear", "w s", "v", axis=0),
            node("DequantizeLinear", "b s", "c", axis=0),
            node("Conv", "x v c", "y"),
        ],
        [weight("w", 11, 3, 3, 3, dtype=INT8), weight("s", 11), weight("b", 11, dtype=INT32)],
        macs=11 * 3 * 5 * 27,
        integer_macs=0,
        parameters=11 * 27 + 11 + 11,
        stored=11 * 27 + 4 * 11 + 4 * 11,
    ),
    "a matrix of four bits in blocks, turned": Case(
        [
            node("DequantizeLinear", "w s z", "v", axis=1, block_size=2),
            node("Transpose", "v", "t"),
            node("MatMul", "x t", "y"),
        ],
        [weight("w", 7, 5, dtype=TensorProto.INT4), weight("s", 7, 3), weight("z", 7, 3, dtype=TensorProto.INT4)],
        macs=35,
        integer_macs=0,
        parameters=35 + 21 + 21,
        stored=18 + 4 * 21 + 11,  # two values a byte
        inputs=ROWS,
    ),
    "weights of four bits, two a byte": Case(
        [node("MatMulNBits", "x w s z", "y", MICROSOFT, K=64, N=7, bits=4, block_size=32)],
        [weight("w", 7, 2, 16, dtype=UINT8), weight("s", 14), weight("z", 7, dtype=UINT8)],
        macs=7 * 64,
        integer_macs=0,
        parameters=7 * 64 + 14 + 14,
        stored=7 * 32 + 4 * 14 + 7,
        inputs={"x": ["N", 64]},
    ),
    "rows of which the last block is not full": Case(
        [node("MatMulNBits", "x w s", "y", MICROSOFT, K=24, N=7, bits=8, block_size=16)],
        [weight("w", 7, 2, 16, dtype=UINT8), weight("s", 7, 2)],
        macs=7 * 24,
        integer_macs=0,
        parameters=7 * 24 + 14,
        stored=7 * 32 + 4 * 14,
        inputs={"x": ["N", 24]},
    ),
    "four bits that name numbers": Case(
        [node("MatMulBnb4", "x w s", "y", MICROSOFT, K=64, N=7, quant_type=1, block_size=32)],
        [weight("w", 7 * 32, dtype=UINT8), weight("s", 14)],
        macs=7 * 64,
        integer_macs=0,
        parameters=7 * 64 + 14,
        stored=7 * 32 + 4 * 14,
        inputs={"x": ["N", 64]},
    ),
    "rows of a packed table": Case(
        [node("GatherBlockQuantized", "w x s", "y", MICROSOFT, bits=4, block_size=16)],
        [weight("w", 50, 32, dtype=UINT8), weight("s", 50, 4)],
        macs=0,
        integer_macs=0,
        parameters=50 * 64 + 200,
        stored=50 * 32 + 800,
        inputs={"x": ["N", 5]},
        dtypes={"x": TensorProto.INT64},
    ),
    "rows of a table in eight bits": Case(
        [node("Gather", "w x", "r"), node("DequantizeLinear", "r s z", "y")],
        [*ONES, weight("w", 50, 7, dtype=UINT8)],
        macs=0,
        integer_macs=0,
        parameters=50 * 7,
        stored=50 * 7,
        inputs={"x": ["N", 5]},
        dtypes={"x": TensorProto.INT64},
    ),
    "floats that are quantised as they are multiplied": Case(
        [node("DynamicQuantizeMatMul", "x w s z b", "y", MICROSOFT)],
        [weight("w", 5, 7, dtype=INT8), weight("s", 7), weight("z", 7, dtype=INT8), weight("b", 7)],
        macs=35,
        integer_macs=35,
        parameters=35 + 21,
        stored=35 + 4 * 14 + 7,
        inputs=ROWS,
    ),
    "integers whose sums are floats": Case(
        [node("MatMulIntegerToFloat", "x w s s z z b", "y", MICROSOFT)],
        [*ONES, weight("w", 5, 7, dtype=UINT8), weight("b", 7)],
        macs=35,
        integer_macs=35,
        parameters=42,
        stored=35 + 28,
        inputs=ROWS,
        dtypes={"x": UINT8},
    ),
    "a product with a bias": Case(
        [node("QGemm", "x s z w s z b s z", "y", MICROSOFT, transB=1)],
        [*ONES, weight("w", 7, 5, dtype=UINT8), weight("b", 7, dtype=INT32)],
        macs=35,
        integer_macs=35,
        parameters=42,
        stored=35 + 28,
        inputs=ROWS,
        dtypes={"x": UINT8},
    ),
    "attention behind a projection of integers": Case(
        [
            node("DynamicQuantizeLinear", "x", "q s z"),
            node("QAttention", "q w b s v _ z u", "y", MICROSOFT, num_heads=2),
        ],
        [one("v"), one("u", INT8), weight("w", 16, 48, dtype=INT8), weight("b", 48)],
        macs=5 * 16 * 48 + 2 * 5 * 5 * 16,
        integer_macs=5 * 16 * 48,
        parameters=16 * 48 + 48,
        stored=16 * 48 + 4 * 48,
        inputs={"x": ["N", 5, 16]},
    ),
    "an lstm": Case(
        [
            node("Transpose", "x", "t", perm=[1, 0, 2]),
            node("DynamicQuantizeLSTM", "t w r b _ _ _ _ s z s z", "h", MICROSOFT, hidden_size=6),
            node("Transpose", "h", "y", perm=[2, 0, 1, 3]),
        ],
        [*ONES, weight("w", 1, 5, 24, dtype=UINT8), weight("r", 1, 6, 24, dtype=UINT8), weight("b", 1, 48)],
        macs=7 * 24 * (5 + 6),
        integer_macs=0,
        parameters=24 * (5 + 6) + 48,
        stored=24 * (5 + 6) + 4 * 48,
        inputs={"x": ["N", 7, 5]},
    ),
    "words, positions and a norm": Case(
        [node("QEmbedLayerNormalization", "x _ w p _ g b _ s s _ s s z z _ z z", "y c", MICROSOFT)],
        [
            *ONES,
            *(weight(name, rows, 16, dtype=UINT8) for name, rows in (("w", 50), ("p", 20))),
            *(weight(name, 16, dtype=UINT8) for name in "gb"),
        ],
        macs=0,
        integer_macs=0,
        parameters=70 * 16 + 32,
        stored=70 * 16 + 32,
        inputs={"x": ["N", 5]},
        dtypes={"x": INT32},
    ),
    "weights scaled back by a cast and a product": Case(
        [
            node("Cast", "w", "f", to=FLOAT),
            node("Sub", "f t", "g"),
            node("Mul", "g s", "v"),
            node("MatMul", "x v", "y"),
        ],
        [weight("w", 5, 7, dtype=UINT8), weight("t", 1, 7), weight("s", 1, 7)],
        macs=35,
        integer_macs=0,
        parameters=35 + 14,
        stored=35 + 4 * 14,
        inputs=ROWS,
    ),
    "eight-bit floats": Case(
        [
            node("QuantizeLinear", "x s z", "q"),
            node("DequantizeLinear", "q s z", "d"),
            node("DequantizeLinear", "w s", "v"),
            node("MatMul", "d v", "y"),
        ],
        [
            one("s"),
            one("z", TensorProto.FLOAT8E4M3FN),
            weight("w", 5, 7, dtype=TensorProto.FLOAT8E4M3FN),
        ],
        macs=35,
        integer_macs=0,
        parameters=35,
        stored=35,
        inputs=ROWS,
    ),
}


PAIR = "x s z"
"""A tensor of the network with its scale and zero point."""

VALUE_BY_VALUE = {
    "QLinearAdd": (f"{PAIR} {PAIR} s z", {}, (3, 5, 7)),
    "QLinearMul": (f"{PAIR} {PAIR} s z", {}, (3, 5, 7)),
    "QLinearSigmoid": (f"{PAIR} s z", {}, (3, 5, 7)),
    "QLinearLeakyRelu": (f"{PAIR} s z", {"alpha": 0.2}, (3, 5, 7)),
    "QLinearSoftmax": (f"{PAIR} s z", {"axis": 1, "opset": 13}, (3, 5, 7)),
    "QLinearAveragePool": (f"{PAIR} s z", {"kernel_shape": [2, 2]}, (3, 4, 6)),
    "QLinearGlobalAveragePool": (f"{PAIR} s z", {}, (3, 1, 1)),
    "QLinearReduceMean": (f"{PAIR} s z", {"axes": [2, 3], "keepdims": 0}, (3,)),
    "QLinearConcat": (f"s z {PAIR} {PAIR}", {"axis": 1}, (6, 5, 7)),
}


@pytest.mark.parametrize("kind", VALUE_BY_VALUE)
def test_operators_of_onnxruntime_are_those_of_the_floats(kind: str, tmp_path: Path) -> None:
    """Scaled back before, and quantised after."""
    words, attributes, shape = VALUE_BY_VALUE[kind]
    made = node(kind, words, "y", MICROSOFT, **attributes)
    spec = imported(tmp_path, model_of([made], IMAGE, ONES, opset=21, dtypes={"x": UINT8}))
    graph = archcost.build(spec, 2)
    assert graph.returned == (TensorType((2, *shape), "uint8"),)
    assert graph.unknown == ()
    cost: ModelCost = archcost.cost(graph)
    assert cost.flops.forward.elementwise > 0
    assert cost.macs == 0


@pytest.mark.parametrize("fixed", [False, True], ids=["any batch", "a batch of 2"])
@pytest.mark.parametrize("name", CASES)
def test_counts(name: str, fixed: bool, tmp_path: Path) -> None:
    case = CASES[name]
    inputs = {key: [2, *sizes[1:]] if fixed else sizes for key, sizes in case.inputs.items()}
    spec = imported(tmp_path, model_of(case.nodes, inputs, case.held, opset=21, dtypes=case.dtypes))
    cost: ModelCost = archcost.cost(archcost.build(spec, 2))
    assert (cost.macs, cost.integer_macs) == (2 * case.macs, 2 * case.integer_macs)
    assert cost.parameters == case.parameters
    assert cost.unknown == ()
    line = archcost.timeline(archcost.build(spec, 2), archcost.Run(mode="infer"), "cpu")
    roles = line.moments[0].by_role
    assert roles["weights"] + roles["buffers"] == case.stored


REFUSED = {
    "fewer bytes than values need": (
        [node("Flatten", "x", "f"), node("MatMulNBits", "f w s", "y", MICROSOFT, K=105, N=7, bits=4, block_size=32)],
        [weight("w", 7, 2, 16, dtype=UINT8), weight("s", 28)],
        "packed values do not fit",
    ),
    "a block of nothing": (
        [node("Flatten", "x", "f"), node("MatMulNBits", "f w s", "y", MICROSOFT, K=105, N=7, bits=4, block_size=0)],
        [weight("w", 7, 4, 16, dtype=UINT8), weight("s", 28)],
        "sizes below 1",
    ),
    "another depth than arrives": (
        [node("MatMulNBits", "x w s", "y", MICROSOFT, K=64, N=7, bits=4, block_size=32)],
        [weight("w", 7, 2, 16, dtype=UINT8), weight("s", 14)],
        "K is another size",
    ),
    "scales of another length": (
        [node("DequantizeLinear", "w s", "v", axis=0), node("Conv", "x v", "y")],
        [weight("w", 11, 3, 3, 3, dtype=INT8), weight("s", 7)],
        "scales do not fit",
    ),
    "scales of another length than there are channels": (
        [node("QuantizeLinear", "x s z", "q"), node("QLinearConv", "q s z w ws z s z", "y")],
        [*ONES, weight("w", 11, 3, 3, 3, dtype=UINT8), weight("ws", 7)],
        "scales do not fit",
    ),
    "an axis that is not there": (
        [node("QuantizeLinear", "x s", "y", axis=4)],
        [weight("s", 3)],
        "axis is out of range",
    ),
    "blocks that do not come out": (
        [node("DequantizeLinear", "w s", "v", axis=1, block_size=2), node("Conv", "x v", "y")],
        [weight("w", 11, 3, 3, 3, dtype=INT8), weight("s", 11, 1, 3, 3)],
        "scales do not fit",
    ),
    "a block of a negative size": (
        [node("DequantizeLinear", "w s", "v", axis=1, block_size=-2), node("Conv", "x v", "y")],
        [weight("w", 11, 3, 3, 3, dtype=INT8), weight("s", 11, 2, 3, 3)],
        "a block of a negative size",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_contradictions_are_told(name: str, tmp_path: Path) -> None:
    nodes, held, problem = REFUSED[name]
    with pytest.raises(ArchcostError, match=problem):
        imported(tmp_path, model_of(nodes, IMAGE, held, opset=21))


def test_a_summary_tells_integers_apart(tmp_path: Path) -> None:
    """A column where there are any, and keys of the JSON."""
    case = CASES["a matrix of weights"]
    spec = imported(tmp_path, model_of(case.nodes, case.inputs, case.held, dtypes=case.dtypes))
    cost: ModelCost = archcost.cost(archcost.build(spec, 1))
    assert "integer MACs" in str(cost)
    told = cost.to_dict()
    assert told["totals"]["integer_macs"] == 35
    assert told["layers"][-1]["macs_dtype"] == "uint8"
    floats: ModelCost = archcost.cost(archcost.build(archcost.load("lenet5"), 1))
    assert "integer" not in str(floats)
    assert "integer_macs" not in floats.to_dict()["totals"]


def test_an_estimate_names_the_rate_of_integers(tmp_path: Path) -> None:
    case = CASES["a matrix of weights"]
    spec = imported(tmp_path, model_of(case.nodes, case.inputs, case.held, dtypes=case.dtypes))
    told = archcost.estimate(spec, hardware="nvidia-rtx-4090", mode="infer")
    assert told.to_dict()["integer_macs"] == 35
    assert any("products of integers" in note for note in told.time_notes)
