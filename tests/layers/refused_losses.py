"""What losses refuse, word for word."""

from __future__ import annotations

from archcost.layers import (
    BCE,
    CTC,
    MSE,
    NLL,
    BCEWithLogits,
    CrossEntropy,
    Huber,
    MultilabelMargin,
    MultiMargin,
    SmoothL1,
)
from tests.layers.refused_windows import Refusal, ints

LOSSES: list[Refusal] = [
    (CrossEntropy(), ((2,), ints(2)), "needs scores of classes", "(batch, classes, …)", "2", None),
    (CrossEntropy(), ((2, 7), (2,)), "the second input must be the labels", "2 int64", "2", None),
    (CrossEntropy(), ((2, 7, 5), ints(2)), "the second input must be the labels", "2×5 int64", "2 int64", None),
    (NLL(), ((2, 7), ints(2), (2,)), "the third input weighs classes", "7", "2", None),
    (MultiMargin(), ((2, 7, 5), ints(2, 5)), "needs scores of classes", "(batch, classes)", "2×7×5", None),
    (MultilabelMargin(), ((2, 7), ints(2)), "the second input must be the labels", "2×7 int64", "2 int64", None),
    (MSE(), ((2, 7), (2, 5)), "prediction and target differ", "target 2×7", "target 2×5", None),
    (
        BCE(),
        ((2, 7), (2, 7), (2, 1, 7)),
        "weights do not stretch to the prediction",
        "weights for 2×7",
        "2×1×7",
        None,
    ),
    (
        BCEWithLogits(pos_weight=True),
        ((2, 7), (2, 7)),
        "pos_weight says whether the last input is one",
        "3 or 4 inputs",
        "2",
        None,
    ),
    (CTC(), ((11, 2), ints(2, 3)), "needs 3 axes", "(steps, batch, classes)", "11×2", None),
    (CTC(), ((11, 2, 5), ints(6)), "the second input must be the labels", "(2, labels)", "6 int64", None),
    (SmoothL1(beta=0.0), ((2, 7), (2, 7)), "beta is where |a − b| becomes a square", "above 0", "0.0", None),
    (Huber(delta=-1.0), ((2, 7), (2, 7)), "delta is where the square ends", "above 0", "-1.0", None),
]
