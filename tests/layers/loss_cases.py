"""Losses. Divisions and scalings of one number are not counted, L1's weight is its own product."""

from __future__ import annotations

from archcost.layers import (
    BCE,
    CTC,
    MSE,
    NLL,
    BCEWithLogits,
    CrossEntropy,
    Huber,
    L1Penalty,
    LinearCrossEntropy,
    MultilabelMargin,
    MultiMargin,
    SmoothL1,
    SoftMargin,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

LABELS = TensorType((2,), "int64")
ROW_LABELS = TensorType((7,), "int64")
IMAGE_LABELS = TensorType((2, 3, 5), "int64")

ROWS: tuple[Row, ...] = (
    Row(
        CrossEntropy(),
        inputs=((2, 7), LABELS),
        outputs=((),),
        forward=72,  # (2*7) * 5 + 2: log_softmax, and an addition a label
        backward_input=42,  # (2*7) * 3: exp, difference, product
    ),
    Row(
        CrossEntropy(reduction="sum"),
        inputs=((2, 7, 3, 5), IMAGE_LABELS),
        outputs=((),),
        forward=1080,  # (2*7*3*5) * 5 + 2*3*5
        backward_input=630,  # (2*7*3*5) * 3
    ),
    Row(
        CrossEntropy(),
        inputs=((2, 7), LABELS, (7,)),
        outputs=((),),
        forward=76,  # (2*7) * 5 + 2 * 3: product with the weight, the sum, and that of the weights
        backward_input=44,  # (2*7) * 3 + 2: the weight once more
    ),
    Row(
        CrossEntropy(reduction="none"),
        inputs=((2, 7, 3), TensorType((2, 3), "int64")),
        outputs=((2, 3),),
        forward=210,  # (2*7*3) * 5
        backward_input=126,  # (2*7*3) * 3
    ),
    Row(
        LinearCrossEntropy(out_features=11, method="liger"),
        inputs=((7, 3), ROW_LABELS),
        outputs=((),),
        parameters=33,  # 11*3
        macs=231,  # 7*11 * 3
        forward=392,  # (7*11) * 5 + 7: log_softmax, and an addition a label
        backward_input=231,  # (7*11) * 3: exp, difference, product
    ),
    Row(
        LinearCrossEntropy(out_features=11, bias=True, method="liger"),
        inputs=((7, 3), ROW_LABELS),
        outputs=((),),
        parameters=44,  # 11*3 + 11
        macs=231,  # 7*11 * 3
        forward=469,  # 7*11 + (7*11) * 5 + 7: the bias first
        backward_input=231,  # (7*11) * 3
        backward_weight=77,  # 7*11: the bias
    ),
    Row(
        LinearCrossEntropy(out_features=11, reduction="sum"),
        inputs=((7, 3), ROW_LABELS, (11,)),
        outputs=((),),
        parameters=33,  # 11*3
        macs=231,  # 7*11 * 3
        forward=406,  # (7*11) * 5 + 7 * 3: product with the weight, the sum, and that of the weights
        backward_input=231,  # (7*11) * 3
    ),
    Row(NLL(), inputs=((2, 7), LABELS), outputs=((),), forward=2),  # 2: an addition a label
    Row(
        NLL(reduction="none"),
        inputs=((2, 7, 3, 5), IMAGE_LABELS, (7,)),
        outputs=((2, 3, 5),),
        forward=30,  # 2*3*5: the weight
        backward_input=30,  # 2*3*5
    ),
    Row(
        NLL(reduction="sum"),
        inputs=((2, 7, 3), TensorType((2, 3), "int64"), (7,)),
        outputs=((),),
        forward=12,  # (2*3) * 2: the weight, the sum
        backward_input=6,  # 2*3
    ),
    Row(
        MultiMargin(),
        inputs=((2, 7), LABELS),
        outputs=((),),
        forward=58,  # (2*7) * 4 + 2: difference, sum, comparison, addition; samples added up
        backward_input=56,  # (2*7) * 4
    ),
    Row(
        MultiMargin(p=2, margin=0.5, reduction="none"),
        inputs=((2, 7), LABELS, (7,)),
        outputs=((2,),),
        forward=84,  # (2*7) * 6: square and weight as well
        backward_input=84,  # (2*7) * 6
    ),
    Row(
        MultilabelMargin(),
        inputs=((2, 7), TensorType((2, 7), "int64")),
        outputs=((),),
        forward=58,  # (2*7) * 4 + 2: of one label
        backward_input=56,  # (2*7) * 4
    ),
    Row(
        MultilabelMargin(reduction="none"),
        inputs=((3, 5), TensorType((3, 5), "int64")),
        outputs=((3,),),
        forward=60,  # (3*5) * 4
        backward_input=60,  # (3*5) * 4
    ),
    Row(
        MSE(),
        inputs=((2, 7), (2, 7)),
        outputs=((),),
        forward=42,  # (2*7) * 3: difference, square, sum
        backward_input=56,  # (2*7) * 2 * 2: difference and product, for either side
    ),
    Row(
        MSE(reduction="sum"),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((),),
        forward=90,  # (2*3*5) * 3
        backward_input=120,  # (2*3*5) * 2 * 2
    ),
    Row(
        MSE(reduction="none"),
        inputs=((2, 3, 5, 7), (2, 3, 5, 7)),
        outputs=((2, 3, 5, 7),),
        forward=420,  # (2*3*5*7) * 2
        backward_input=840,  # (2*3*5*7) * 2 * 2
    ),
    Row(
        SmoothL1(),
        inputs=((2, 7), (2, 7)),
        outputs=((),),
        forward=112,  # (2*7) * 8: difference, magnitude, comparison, two products, division; difference; sum
        backward_input=168,  # (2*7) * 6 * 2: difference, two comparisons, negation, product, division, for either side
    ),
    Row(
        SmoothL1(beta=0.25, reduction="none"),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=210,  # (2*3*5) * 7
        backward_input=360,  # (2*3*5) * 6 * 2
    ),
    Row(
        Huber(delta=0.5),
        inputs=((2, 7), (2, 7)),
        outputs=((),),
        forward=112,  # (2*7) * 8: difference, magnitude, comparison, two products; difference, product; sum
        backward_input=168,  # (2*7) * 6 * 2: difference, two comparisons, three products, for either side
    ),
    Row(
        Huber(reduction="none"),
        inputs=((2, 3, 5), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=210,  # (2*3*5) * 7
        backward_input=360,  # (2*3*5) * 6 * 2
    ),
    Row(
        SoftMargin(),
        inputs=((2, 7), TensorType((2, 7), "int64")),
        outputs=((),),
        forward=84,  # (2*7) * 6: negation, product, exp, sum, log; and all added
        backward_input=112,  # (2*7) * 8: negation, product, exp; negation, product, division by a sum, product
    ),
    Row(
        SoftMargin(reduction="none"),
        inputs=((2, 3, 5), TensorType((2, 3, 5), "int64")),
        outputs=((2, 3, 5),),
        forward=150,  # (2*3*5) * 5
        backward_input=240,  # (2*3*5) * 8
    ),
    Row(
        BCE(),
        inputs=((2, 7), (2, 7)),
        outputs=((),),
        # two differences, two logarithms, two bounds, two products, negation; and all added
        forward=140,  # (2*7) * 10
        # three differences or products, bound, division, product; logit 3, negation, product
        backward_input=154,  # (2*7) * (6 + 5)
    ),
    Row(
        BCE(reduction="none"),
        inputs=((2, 3, 5), (2, 3, 5), (5,)),
        outputs=((2, 3, 5),),
        forward=300,  # (2*3*5) * (9 + 1): the weight
        backward_input=390,  # (2*3*5) * (6 + 1 + 5 + 1)
    ),
    Row(
        BCEWithLogits(),
        inputs=((2, 7), (2, 7)),
        outputs=((),),
        forward=112,  # (2*7) * 8: difference, product; negation, exp, sum, log; sum; and all added
        backward_input=112,  # (2*7) * (6 + 2): a sigmoid 4, difference, product; negation, product
    ),
    Row(
        BCEWithLogits(reduction="none"),
        inputs=((2, 3, 5), (2, 3, 5), (5,)),
        outputs=((2, 3, 5),),
        forward=240,  # (2*3*5) * (7 + 1)
        backward_input=300,  # (2*3*5) * (6 + 1 + 2 + 1)
    ),
    Row(
        BCEWithLogits(pos_weight=True, reduction="sum"),
        inputs=((2, 3, 5), (2, 3, 5), (5,)),
        outputs=((),),
        forward=360,  # (2*3*5) * 12: four more for what answers count, and all added
        backward_input=600,  # (2*3*5) * (10 + 10)
    ),
    Row(
        BCEWithLogits(pos_weight=True),
        inputs=((2, 3, 5), (2, 3, 5), (2, 3, 5), (3, 1)),
        outputs=((),),
        forward=390,  # (2*3*5) * (12 + 1)
        backward_input=660,  # (2*3*5) * (10 + 1 + 10 + 1)
    ),
    Row(
        CTC(),
        inputs=((11, 2, 5), TensorType((2, 3), "int64")),
        outputs=((2,),),
        forward=2002,  # (2*11*(2*3+1)) * 13: a maximum of three 2, differences 3, exp 3, sums 2, log, sums 2
        backward_input=3740,  # (2*11*(2*3+1)) * 20 + (11*2*5) * 6
    ),
    Row(
        L1Penalty(weight=0.001),
        inputs=((2, 7),),
        outputs=((),),
        forward=29,  # (2*7) * 2 + 1: absolute value, sum; the weight once
        backward_input=28,  # (2*7) * 2: sign, product
    ),
)
