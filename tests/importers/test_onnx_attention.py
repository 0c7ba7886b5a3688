"""Attention operators of ONNX and of onnxruntime: products by hand, and the shapes that onnxruntime gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import onnx
import pytest
from onnx import TensorProto, helper

import archcost
from tests.importers.onnx_files import INT64, imported, model_of, node, numbers, weight

MICROSOFT = "com.microsoft"
INT32, BOOL = TensorProto.INT32, TensorProto.BOOL


class Counted(NamedTuple):
    """`macs` and `shapes` are for a batch of 2."""

    nodes: Sequence[onnx.NodeProto]
    inputs: Mapping[str, Sequence[int | str]]
    macs: int
    shapes: Sequence[tuple[int, ...]]
    held: Sequence[onnx.TensorProto] = ()
    parameters: int = 0
    dtypes: Mapping[str, int] = {}
    outputs: Sequence[str] = ("y",)


def attention(inputs: str, outputs: str = "y", **attributes: object) -> list[onnx.NodeProto]:
    return [node("Attention", inputs, outputs, **attributes)]


def micro(kind: str, inputs: str, outputs: str = "y", **attributes: object) -> list[onnx.NodeProto]:
    return [node(kind, inputs, outputs, MICROSOFT, **attributes)]


QKV = {"q": ["N", 3, 5, 4], "k": ["N", 3, 7, 4], "v": ["N", 3, 7, 6]}
PAST = {"q": ["N", 3, 5, 4], "k": ["N", 3, 5, 4], "pk": ["N", 3, 2, 4], "pv": ["N", 3, 2, 4]}
ONE = 2 * 3 * 5 * 7 * (4 + 6)  # samples, heads, queries, keys, features of keys and of values: 2,100
LONG = 2 * 3 * 5 * 7 * (4 + 4)  # 5 queries, 2 keys of the past and 5 new ones: 1,680
SELF = 2 * 3 * 5 * 5 * (4 + 4)  # 1,200
TOKENS = {"x": ["N", 5, 12]}
PROJECTED = 2 * 5 * 12 * 36  # (2·5, 12) · (12, 3·12) = 4,320
OWN = [weight("w", 12, 36), weight("b", 36)]

CASES = {
    "with a mask": Counted(attention("q k v m"), {**QKV, "m": [5, 7]}, ONE, [(2, 3, 5, 6)]),
    "with a soft cap": Counted(attention("q k v", softcap=30.0, is_causal=1), QKV, ONE, [(2, 3, 5, 6)]),
    "causal, with a mask": Counted(attention("q k v m", is_causal=1), {**QKV, "m": [5, 7]}, ONE, [(2, 3, 5, 6)]),
    "with its probabilities": Counted(
        attention("q k v", "y _ _ s", qk_matmul_output_mode=3),
        QKV,
        ONE,
        [(2, 3, 5, 6), (2, 3, 5, 7)],
        outputs=("y", "s"),
    ),
    "with a past": Counted(
        attention("q k k _ pk pv", "y a b", is_causal=1),
        PAST,
        LONG,
        [(2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 4)],
        outputs=("y", "a", "b"),
    ),
    "heads side by side, fewer of keys": Counted(
        attention("q k k", q_num_heads=6, kv_num_heads=2),
        {"q": ["N", 5, 24], "k": ["N", 7, 8]},
        2 * 6 * 5 * 7 * (4 + 4),  # 3,360
        [(2, 5, 24)],
    ),
    "some of the keys of a sample": Counted(
        attention("q k v _ _ _ n"), {**QKV, "n": ["N"]}, ONE, [(2, 3, 5, 6)], dtypes={"n": INT64}
    ),
    "a projection": Counted(
        micro("Attention", "x w b", num_heads=3), TOKENS, PROJECTED + SELF, [(2, 5, 12)], OWN, 12 * 36 + 36
    ),
    "a projection, lengths of the samples, one way": Counted(
        micro("Attention", "x w b n", num_heads=3, unidirectional=1),
        {**TOKENS, "n": ["N"]},
        PROJECTED + SELF,
        [(2, 5, 12)],
        OWN,
        468,
        {"n": INT32},
    ),
    "a projection, a mask of the keys, a past": Counted(
        micro("Attention", "x w b m p", "y z", num_heads=3, unidirectional=1),
        {**TOKENS, "m": ["N", 7], "p": [2, "N", 3, 2, 4]},
        PROJECTED + LONG,
        [(2, 5, 12), (2, 2, 3, 7, 4)],
        OWN,
        468,
        {"m": INT32},
        ("y", "z"),
    ),
    # Queries and keys of 18 features, values of 12.
    "a projection to other widths": Counted(
        micro("Attention", "x w b _ _ a", num_heads=3, qkv_hidden_sizes=[18, 18, 12]),
        {**TOKENS, "a": [1, 3, 5, 5]},
        2 * 5 * 12 * 48 + 2 * 3 * 5 * 5 * (6 + 4),  # 5,760 + 1,500
        [(2, 5, 12)],
        [weight("w", 12, 48), weight("b", 48)],
        12 * 48 + 48,
    ),
    "several heads": Counted(
        micro("MultiHeadAttention", "q k v b m", num_heads=3),
        {"q": ["N", 5, 12], "k": ["N", 7, 12], "v": ["N", 7, 18], "m": ["N", 7]},
        2 * 3 * 5 * 7 * (4 + 6),
        [(2, 5, 18)],
        [weight("b", 42)],
        42,
        {"m": INT32},
    ),
    "several heads, with a past": Counted(
        micro("MultiHeadAttention", "q k k _ _ _ pk pv", "y a b", num_heads=3, unidirectional=1),
        {"q": ["N", 5, 12], "k": ["N", 5, 12], "pk": ["N", 3, 2, 4], "pv": ["N", 3, 2, 4]},
        LONG,
        [(2, 5, 12), (2, 3, 7, 4), (2, 3, 7, 4)],
        outputs=("y", "a", "b"),
    ),
    "packed": Counted(micro("MultiHeadAttention", "q", num_heads=3), {"q": ["N", 5, 3, 3, 4]}, SELF, [(2, 5, 12)]),
    "packed keys": Counted(
        micro("MultiHeadAttention", "q k", num_heads=3), {"q": ["N", 5, 12], "k": ["N", 7, 3, 2, 4]}, LONG, [(2, 5, 12)]
    ),
    "keys by heads": Counted(
        micro("MultiHeadAttention", "q k k", num_heads=3),
        {"q": ["N", 5, 12], "k": ["N", 3, 7, 4]},
        LONG,
        [(2, 5, 12)],
    ),
    "of the newest position": Counted(
        micro("DecoderMaskedMultiHeadAttention", "q k k _ _ pk pv", "y a b", num_heads=3),
        {"q": ["N", 1, 12], "k": ["N", 1, 12], "pk": ["N", 3, 6, 4], "pv": ["N", 3, 6, 4]},
        2 * 3 * 1 * 7 * (4 + 4),  # 336
        [(2, 1, 12), (2, 3, 7, 4), (2, 3, 7, 4)],
        outputs=("y", "a", "b"),
    ),
    "groups of queries, turned": Counted(
        micro("GroupQueryAttention", "q k k pk pk n t c s", "y a b", num_heads=6, kv_num_heads=2, do_rotary=1),
        {"q": ["N", 5, 96], "k": ["N", 5, 32], "pk": ["N", 2, 2, 16], "n": ["N"]},
        2 * 6 * 5 * 7 * (16 + 16),  # 13,440
        [(2, 5, 96), (2, 2, 7, 16), (2, 2, 7, 16)],
        [numbers("t", 7, INT32), weight("c", 9, 8), weight("s", 9, 8)],
        0,
        {"n": INT32},
        ("y", "a", "b"),
    ),
    "groups of queries, packed, with a sink": Counted(
        micro("GroupQueryAttention", "q _ _ _ _ n t _ _ _ _ h", num_heads=6, kv_num_heads=2, softcap=50.0),
        {"q": ["N", 5, 80], "n": ["N"]},
        2 * 6 * 5 * 5 * (8 + 8),  # 4,800
        [(2, 5, 48)],
        [numbers("t", 5, INT32), weight("h", 6)],
        6,
        {"n": INT32},
    ),
    # 2·8 tokens, each through 2 of 4 experts: 8 tokens an expert, of 6 features to 10 and back.
    "a mixture of experts": Counted(
        [
            node("Reshape", "x s", "t"),
            node("MatMul", "t r", "p"),
            *micro("MoE", "x p w b v", k=2, activation_type="gelu"),
        ],
        {"x": ["N", 8, 6]},
        16 * 6 * 4 + 4 * 8 * 6 * 10 * 2,  # 384 + 3,840
        [(2, 8, 6)],
        [numbers("s", [-1, 6]), weight("r", 6, 4), weight("w", 4, 10, 6), weight("b", 4, 10), weight("v", 4, 6, 10)],
        6 * 4 + 4 * 10 * 6 + 4 * 10 + 4 * 6 * 10,  # 544
    ),
    "turned": Counted(
        [node("RotaryEmbedding", "x c s p", "y", num_heads=3)],
        {"x": ["N", 5, 12], "p": ["N", 5]},
        0,
        [(2, 5, 12)],
        [weight("c", 9, 2), weight("s", 9, 2)],
        0,
        {"p": INT64},
    ),
    "turned in part, every other feature": Counted(
        [node("RotaryEmbedding", "x c s", "y", interleaved=1, rotary_embedding_dim=4)],
        {"x": ["N", 3, 5, 6], "c": ["N", 5, 2], "s": ["N", 5, 2]},
        0,
        [(2, 3, 5, 6)],
    ),
    "turned from a position on": Counted(
        micro("RotaryEmbedding", "x p c s"),
        {"x": ["N", 5, 12]},
        0,
        [(2, 5, 12)],
        [numbers("p", [3]), weight("c", 9, 2), weight("s", 9, 2)],
        0,
    ),
}


def model(case: Counted) -> onnx.ModelProto:
    domains = [helper.make_opsetid(MICROSOFT, 1)]
    return model_of(case.nodes, case.inputs, case.held, case.outputs, 24, case.dtypes, opsets=domains)


@pytest.mark.parametrize("name", CASES)
def test_multiplies(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    graph = archcost.build(imported(tmp_path, model(case)), 2)
    cost = archcost.cost(graph)
    assert [tensor.shape for tensor in graph.returned] == list(case.shapes)
    assert (cost.macs, cost.parameters, cost.unknown) == (case.macs, case.parameters, ())


REFUSED = {
    "a past of which values say how long it is": (
        micro(
            "DecoderMaskedMultiHeadAttention", "q k k _ _ pk pk n", "y a b", num_heads=3, past_present_share_buffer=1
        ),
        "a past in a buffer of which values say how much is filled",
    ),
    "samples of different lengths": (
        micro("PackedMultiHeadAttention", "q k k _ n n", num_heads=3),
        "samples of different lengths behind one another, which values tell",
    ),
    "integers of a past": (
        micro("GroupQueryAttention", "q k k pk pk n n", num_heads=3, kv_num_heads=3, k_quant_type="PER_TENSOR"),
        "keys and values that are kept in integers",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name: str, tmp_path: Path) -> None:
    nodes, sentence = REFUSED[name]
    inputs = {"q": ["N", 1, 12], "k": ["N", 1, 12], "pk": ["N", 3, 6, 4], "n": ["N"]}
    case = Counted(nodes, inputs, 0, [], dtypes={"n": INT32}, outputs=nodes[0].output)
    with pytest.raises(archcost.ArchcostError, match=sentence):
        imported(tmp_path, model(case))
