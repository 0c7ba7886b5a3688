"""Networks of floats as ONNX files, whose costs are known by hand: what onnxruntime then quantises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from tests.importers.onnx_files import node

WIDTH, WORDS, HEADS = 32, 6, 4


@dataclass(frozen=True)
class Network:
    """MACs of a sample, and values of all weights, by arithmetic. `sizes` are shapes and the like, as lists."""

    nodes: Sequence[NodeProto]
    inputs: Mapping[str, Sequence[int]]
    outputs: Mapping[str, Sequence[int]]
    weights: Mapping[str, Sequence[int]]
    macs: int
    parameters: int
    sizes: Mapping[str, Sequence[int]] = field(default_factory=dict[str, Sequence[int]])
    of_words: bool = False


def _projections(letters: str) -> Iterator[NodeProto]:
    for letter in letters:
        yield node("MatMul", f"n1 w{letter}", f"m{letter}")
        yield node("Add", f"m{letter} b{letter}", f"a{letter}")
        yield node("Reshape", f"a{letter} heads", f"r{letter}")
        yield node("Transpose", f"r{letter}", f"t{letter}", perm=[0, 2, 3, 1] if letter == "k" else [0, 2, 1, 3])


NETWORKS: Mapping[str, Network] = {
    "convolutions": Network(
        [
            node("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1]),
            node("Relu", "c1", "r1"),
            node("MaxPool", "r1", "p1", kernel_shape=[2, 2], strides=[2, 2]),
            node("Conv", "p1 w2 b2", "c2", strides=[2, 2]),
            node("Relu", "c2", "r2"),
            node("Flatten", "r2", "f"),
            node("Gemm", "f w3 b3", "y", transB=1),
        ],
        {"x": (3, 18, 18)},
        {"y": (10,)},
        {"w1": (16, 3, 3, 3), "b1": (16,), "w2": (32, 16, 3, 3), "b2": (32,), "w3": (10, 512), "b3": (10,)},
        macs=18 * 18 * 16 * 27 + 4 * 4 * 32 * 16 * 9 + 512 * 10,
        parameters=16 * 27 + 16 + 32 * 16 * 9 + 32 + 512 * 10 + 10,
    ),
    "residual": Network(
        [
            node("Conv", "x w1 b1", "c1", pads=[1, 1, 1, 1]),
            node("Relu", "c1", "r1"),
            node("Conv", "r1 w2 b2", "c2", pads=[1, 1, 1, 1], group=8),
            node("Relu", "c2", "r2"),
            node("Conv", "r2 w3", "c3"),
            node("Add", "r1 c3", "a"),
            node("Relu", "a", "r3"),
            node("GlobalAveragePool", "r3", "g"),
            node("Flatten", "g", "f"),
            node("MatMul", "f w4", "m"),
            node("Add", "m b4", "y"),
        ],
        {"x": (3, 8, 8)},
        {"y": (7,)},
        {
            "w1": (16, 3, 3, 3),
            "b1": (16,),
            "w2": (16, 2, 3, 3),
            "b2": (16,),
            "w3": (16, 16, 1, 1),
            "w4": (16, 7),
            "b4": (7,),
        },
        macs=8 * 8 * (16 * 27 + 16 * 2 * 9 + 16 * 16) + 16 * 7,
        parameters=16 * 27 + 16 + 16 * 2 * 9 + 16 + 16 * 16 + 16 * 7 + 7,
    ),
    "attention": Network(
        [
            node("LayerNormalization", "x g1 h1", "n1", axis=-1),
            *_projections("qkv"),
            node("MatMul", "tq tk", "s"),
            node("Softmax", "s", "p", axis=-1),
            node("MatMul", "p tv", "o"),
            node("Transpose", "o", "ot", perm=[0, 2, 1, 3]),
            node("Reshape", "ot flat", "of"),
            node("MatMul", "of wo", "mo"),
            node("Add", "mo bo", "ao"),
            node("Add", "x ao", "x2"),
            node("LayerNormalization", "x2 g2 h2", "n2", axis=-1),
            node("MatMul", "n2 wu", "mu"),
            node("Add", "mu bu", "au"),
            node("Gelu", "au", "ge"),
            node("MatMul", "ge wd", "md"),
            node("Add", "md bd", "ad"),
            node("Add", "x2 ad", "y"),
        ],
        {"x": (WORDS, WIDTH)},
        {"y": (WORDS, WIDTH)},
        {
            **dict.fromkeys(("g1", "h1", "g2", "h2"), (WIDTH,)),
            **{f"w{letter}": (WIDTH, WIDTH) for letter in "qkvo"},
            **{f"b{letter}": (WIDTH,) for letter in "qkvo"},
            "wu": (WIDTH, 4 * WIDTH),
            "bu": (4 * WIDTH,),
            "wd": (4 * WIDTH, WIDTH),
            "bd": (WIDTH,),
        },
        # four projections, scores and means, up and down
        macs=4 * 6 * 32 * 32 + 2 * 6 * 6 * 32 + 2 * 6 * 32 * 128,
        parameters=4 * 32 + 4 * (32 * 32 + 32) + 32 * 128 + 128 + 128 * 32 + 32,
        sizes={"heads": (0, WORDS, HEADS, WIDTH // HEADS), "flat": (0, WORDS, WIDTH)},
    ),
    "lstm": Network(
        [
            node("Transpose", "x", "t", perm=[1, 0, 2]),
            node("LSTM", "t w r b", "h hl", hidden_size=12, direction="bidirectional"),
            node("Transpose", "hl", "u", perm=[1, 0, 2]),
            node("Reshape", "u to", "f"),
            node("MatMul", "f w2", "m"),
            node("Add", "m b2", "y"),
        ],
        {"x": (7, 16)},
        {"y": (5,)},
        {"w": (2, 48, 16), "r": (2, 48, 12), "b": (2, 96), "w2": (24, 5), "b2": (5,)},
        # two directions, seven steps, four gates of 12 that read 16 and 12 values
        macs=2 * 7 * 4 * 12 * (16 + 12) + 24 * 5,
        parameters=2 * 48 * (16 + 12) + 2 * 96 + 24 * 5 + 5,
        sizes={"to": (0, 24)},
    ),
    "words": Network(
        [
            node("Gather", "table x", "e"),
            node("MatMul", "e w1", "m"),
            node("Relu", "m", "r"),
            node("MatMul", "r w2", "y"),
        ],
        {"x": (5,)},
        {"y": (5, 64)},
        {"table": (64, 32), "w1": (32, 64), "w2": (64, 64)},
        macs=5 * (32 * 64 + 64 * 64),
        parameters=64 * 32 + 32 * 64 + 64 * 64,
        of_words=True,
    ),
}


def write(folder: Path) -> None:
    """Each for any batch, and for two samples: `NAME.float.onnx` and `NAME-of-2.float.onnx`."""
    for name, network in NETWORKS.items():
        for stem, batch in ((name, "batch"), (f"{name}-of-2", 2)):
            onnx.save(model_of(network, batch), folder / f"{stem}.float.onnx")


def model_of(network: Network, batch: str | int) -> onnx.ModelProto:
    random = np.random.default_rng(1)
    kind = TensorProto.INT64 if network.of_words else TensorProto.FLOAT
    held = [
        numpy_helper.from_array((0.2 * random.standard_normal(shape)).astype(np.float32), name)
        for name, shape in network.weights.items()
    ]
    held += [numpy_helper.from_array(np.array(sizes, np.int64), name) for name, sizes in network.sizes.items()]
    graph = helper.make_graph(
        list(network.nodes),
        "network",
        [helper.make_tensor_value_info(name, kind, [batch, *shape]) for name, shape in network.inputs.items()],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *shape])
            for name, shape in network.outputs.items()
        ],
        held,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(made, full_check=True)
    return made
