"""Attention: a score for each pair of positions and head, from D products, and a mean of S values for each of Dv."""

from __future__ import annotations

from archcost.layers import ScaledDotProductAttention
from archcost.tensors import TensorType
from tests.layers.rows import Row

QUERY, KEY = (2, 3, 7, 5), (2, 3, 11, 5)

ROWS: tuple[Row, ...] = (
    Row(
        ScaledDotProductAttention(),
        inputs=(QUERY, KEY, KEY),
        outputs=(QUERY,),
        macs=4620,  # 2*3*7*11 * (5 + 5)
        macs_backward_input=11550,  # 2*3*7*11 * (3*5 + 2*5): the scores again, and four gradients
        forward=2772,  # (2*3*7*11) * 6: scaled, softmax
        backward_input=3696,  # (2*3*7*11) * (3 + 5): the scores again; softmax and scale
    ),
    Row(
        ScaledDotProductAttention(backend="math"),
        inputs=(QUERY, KEY, KEY),
        outputs=(QUERY,),
        macs=4620,  # 2*3*7*11 * (5 + 5)
        macs_backward_input=9240,  # 2*3*7*11 * (5 + 5) * 2
        forward=2772,  # (2*3*7*11) * 6
        backward_input=2310,  # (2*3*7*11) * 5
    ),
    Row(
        ScaledDotProductAttention(is_causal=True),
        inputs=(QUERY, KEY, KEY),
        outputs=(QUERY,),
        macs=4620,  # 2*3*7*11 * (5 + 5): what is hidden counts
        macs_backward_input=11550,  # 2*3*7*11 * (3*5 + 2*5)
        forward=2772,  # (2*3*7*11) * 6
        backward_input=3696,  # (2*3*7*11) * (3 + 5)
    ),
    Row(
        ScaledDotProductAttention(is_causal=True, window=3),
        inputs=(KEY, KEY, KEY),
        outputs=(KEY,),
        macs=7260,  # 2*3*11*11 * (5 + 5): what the window hides counts
        macs_backward_input=18150,  # 2*3*11*11 * (3*5 + 2*5)
        forward=4356,  # (2*3*11*11) * 6
        backward_input=5808,  # (2*3*11*11) * (3 + 5)
    ),
    Row(
        ScaledDotProductAttention(),
        inputs=(QUERY, KEY, (2, 3, 11, 13)),
        outputs=((2, 3, 7, 13),),
        macs=8316,  # 2*3*7*11 * (5 + 13)
        macs_backward_input=18942,  # 2*3*7*11 * (3*5 + 2*13)
        forward=2772,  # (2*3*7*11) * 6
        backward_input=3696,  # (2*3*7*11) * (3 + 5)
    ),
    Row(
        ScaledDotProductAttention(enable_gqa=True),
        inputs=((2, 6, 7, 5), (2, 2, 11, 5), (2, 2, 11, 5)),
        outputs=((2, 6, 7, 5),),
        macs=9240,  # 2*6*7*11 * (5 + 5): each of two serves three
        macs_backward_input=23100,  # 2*6*7*11 * (3*5 + 2*5)
        forward=5544,  # (2*6*7*11) * 6
        backward_input=7392,  # (2*6*7*11) * (3 + 5)
    ),
    Row(
        ScaledDotProductAttention(dropout_p=0.1, scale=0.5),
        inputs=(QUERY, KEY, KEY),
        outputs=(QUERY,),
        macs=4620,  # 2*3*7*11 * (5 + 5)
        macs_backward_input=11550,  # 2*3*7*11 * (3*5 + 2*5)
        forward=3696,  # (2*3*7*11) * (6 + 2)
        backward_input=4158,  # (2*3*7*11) * (3 + 5 + 1)
    ),
    Row(
        ScaledDotProductAttention(),
        inputs=(QUERY, KEY, KEY, (2, 1, 7, 11)),
        outputs=(QUERY,),
        macs=4620,  # 2*3*7*11 * (5 + 5)
        macs_backward_input=11550,  # 2*3*7*11 * (3*5 + 2*5)
        forward=3234,  # (2*3*7*11) * (6 + 1)
        backward_input=4158,  # (2*3*7*11) * (3 + 1 + 5)
    ),
    Row(
        ScaledDotProductAttention(backend="math"),
        inputs=(QUERY, KEY, KEY, TensorType((2, 1, 1, 11), "bool")),
        outputs=(QUERY,),
        macs=4620,  # 2*3*7*11 * (5 + 5)
        macs_backward_input=9240,  # 2*3*7*11 * (5 + 5) * 2
        forward=3234,  # (2*3*7*11) * (6 + 1)
        backward_input=2310,  # (2*3*7*11) * 5
    ),
    Row(
        ScaledDotProductAttention(backend="math"),
        inputs=((2, 7, 5), (2, 11, 5), (2, 11, 13)),
        outputs=((2, 7, 13),),
        macs=2772,  # 2*7*11 * (5 + 13)
        macs_backward_input=5544,  # 2*7*11 * (5 + 13) * 2
        forward=924,  # (2*7*11) * 6
        backward_input=770,  # (2*7*11) * 5
    ),
    Row(
        ScaledDotProductAttention(backend="math"),
        inputs=((2, 3, 2, 7, 5), (2, 3, 2, 11, 5), (2, 3, 2, 11, 5), (1, 1, 7, 11)),
        outputs=((2, 3, 2, 7, 5),),
        macs=9240,  # 2*3*2*7*11 * (5 + 5)
        macs_backward_input=18480,  # 2*3*2*7*11 * (5 + 5) * 2
        forward=6468,  # (2*3*2*7*11) * (6 + 1)
        backward_input=4620,  # (2*3*2*7*11) * 5
    ),
    Row(
        ScaledDotProductAttention(backend="math", is_causal=True, scale=0.5),
        inputs=((2, 3, 2, 7, 5), (2, 3, 2, 7, 5), (2, 3, 2, 7, 5)),
        outputs=((2, 3, 2, 7, 5),),
        macs=5880,  # 2*3*2*7*7 * (5 + 5)
        macs_backward_input=11760,  # 2*3*2*7*7 * (5 + 5) * 2
        forward=3528,  # (2*3*2*7*7) * 6
        backward_input=2940,  # (2*3*2*7*7) * 5
    ),
    Row(
        ScaledDotProductAttention(backend="math"),
        inputs=((2, 7, 5), (2, 11, 5), (2, 11, 5), TensorType((7, 11), "bool")),
        outputs=((2, 7, 5),),
        macs=1540,  # 2*7*11 * (5 + 5)
        macs_backward_input=3080,  # 2*7*11 * (5 + 5) * 2
        forward=1078,  # (2*7*11) * (6 + 1)
        backward_input=770,  # (2*7*11) * 5
    ),
)
