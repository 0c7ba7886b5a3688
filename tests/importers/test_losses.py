"""Losses called inside forward: nothing of them unknown, and the peak of a step to the byte beside torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from tests.importers.peaks import ours, theirs

SCALARS = 16
"""Bytes by which the two may differ: of single numbers that are added up."""


class Behind(nn.Module):
    """A loss behind a linear layer; `w` is a weight for each feature or class."""

    def __init__(self, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.layer = nn.Linear(11, 11)
        self.loss = loss
        self.register_buffer("w", torch.rand(11))

    def forward(self, x: Tensor, *labels: Tensor) -> Tensor:
        return self.loss(self, self.layer(x), x, *labels)


X, SCORES = torch.rand(3, 7, 11), torch.rand(13, 11)
LABELS, EACH = torch.randint(11, (13,)), torch.randint(7, (3, 11))

LOSSES: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...]]] = {
    "mse": (lambda s, y, x: functional.mse_loss(y, x), (X,)),
    "mse, size_average": (lambda s, y, x: functional.mse_loss(y, x, False), (X,)),
    "mse of each": (lambda s, y, x: functional.mse_loss(y, x, reduction="none"), (X,)),
    "mse, stretched": (lambda s, y, x: functional.mse_loss(y, x[:, :1]), (X,)),
    "l1": (lambda s, y, x: nn.L1Loss()(y, x), (X,)),
    "smooth_l1": (lambda s, y, x: nn.SmoothL1Loss(beta=0.3)(y, x), (X,)),
    "smooth_l1, a corner": (lambda s, y, x: functional.smooth_l1_loss(y, x, beta=0), (X,)),
    "huber": (lambda s, y, x: functional.huber_loss(y, x, reduction="sum"), (X,)),
    "soft_margin": (lambda s, y, x: functional.soft_margin_loss(y, x.sign()), (X,)),
    "bce": (lambda s, y, x: functional.binary_cross_entropy(y.sigmoid(), x), (X,)),
    "bce, weighted": (lambda s, y, x: functional.binary_cross_entropy(y.sigmoid(), x, s.w), (X,)),
    "bce_with_logits": (lambda s, y, x: nn.BCEWithLogitsLoss()(y, x), (X,)),
    "bce_with_logits, weighted": (
        lambda s, y, x: functional.binary_cross_entropy_with_logits(y, x, s.w, pos_weight=s.w, reduction="none"),
        (X,),
    ),
    "bce_with_logits of both": (lambda s, y, x: functional.binary_cross_entropy_with_logits(y, s.layer(x * 2)), (X,)),
    "cross_entropy": (lambda s, y, x, labels: functional.cross_entropy(y, labels), (SCORES, LABELS)),
    "cross_entropy, weighted": (
        lambda s, y, x, labels: functional.cross_entropy(y, labels, s.w, ignore_index=3, reduction="sum"),
        (SCORES, LABELS),
    ),
    "cross_entropy of each": (
        lambda s, y, x, labels: functional.cross_entropy(y, labels, reduction="none"),
        (SCORES, LABELS),
    ),
    "cross_entropy of positions": (lambda s, y, x, labels: functional.cross_entropy(y, labels), (X, EACH)),
    "nll": (lambda s, y, x, labels: functional.nll_loss(y.log_softmax(1), labels, s.w), (SCORES, LABELS)),
    "nll of positions": (lambda s, y, x, labels: nn.NLLLoss()(y.log_softmax(1), labels), (X, EACH)),
    "cross_entropy, smoothed": (
        lambda s, y, x, labels: functional.cross_entropy(y, labels, s.w, label_smoothing=0.1),
        (SCORES, LABELS),
    ),
    "cross_entropy of probabilities": (
        lambda s, y, x: nn.CrossEntropyLoss(label_smoothing=0.1)(y, x.softmax(1)),
        (SCORES,),
    ),
    "kl_div of logarithms": (
        lambda s, y, x: functional.kl_div(y.log_softmax(1), x.log_softmax(1), reduction="batchmean", log_target=True),
        (SCORES,),
    ),
    "poisson_nll": (lambda s, y, x: functional.poisson_nll_loss(y, x, full=True), (X,)),
    "gaussian_nll": (lambda s, y, x: functional.gaussian_nll_loss(y, x, y.square()), (X,)),
    "gaussian_nll, full": (lambda s, y, x: nn.GaussianNLLLoss(full=True, reduction="sum")(y, x, x), (X,)),
    "multilabel_soft_margin": (lambda s, y, x: functional.multilabel_soft_margin_loss(y, x, s.w), (SCORES,)),
    "hinge_embedding": (lambda s, y, x: functional.hinge_embedding_loss(y, x.sign()), (X,)),
    "margin_ranking": (
        lambda s, y, x: functional.margin_ranking_loss(y, s.layer(x * 2), x.sign(), margin=0.3),
        (SCORES,),
    ),
    "triplet_margin": (
        lambda s, y, x: functional.triplet_margin_loss(y, s.layer(x * 2), s.layer(x * 3), swap=True),
        (SCORES,),
    ),
    "triplet_margin with a distance": (
        lambda s, y, x: functional.triplet_margin_with_distance_loss(y, s.layer(x * 2), s.layer(x * 3)),
        (SCORES,),
    ),
    "cosine_embedding": (
        lambda s, y, x, which: functional.cosine_embedding_loss(y, s.layer(x * 2), which, margin=0.1),
        (SCORES, torch.ones(13)),
    ),
    "cosine_similarity": (lambda s, y, x: functional.cosine_similarity(y[:, :, None], y[:, None], dim=-1), (X,)),
    "ctc": (
        lambda s, y, x, labels, steps, counts: functional.ctc_loss(
            y.log_softmax(-1).transpose(0, 1), labels, steps, counts
        ),
        (X, torch.randint(1, 11, (3, 2)), torch.full((3,), 7), torch.full((3,), 2)),
    ),
    "multi_margin": (
        lambda s, y, x, labels: functional.multi_margin_loss(y, labels, p=2, weight=s.w),
        (SCORES, LABELS),
    ),
    "multilabel_margin": (
        lambda s, y, x, labels: functional.multilabel_margin_loss(y, labels),
        (SCORES, torch.randint(11, (13, 11))),
    ),
}


NO_KERNEL = {"multi_margin", "multilabel_margin", "ctc"}
"""Of 16 bits on torch's CPU."""


@pytest.mark.filterwarnings("ignore:Using a target size")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "amp-bf16"])
@pytest.mark.parametrize("name", LOSSES)
def test_peaks(name: str, precision: str) -> None:
    if precision == "bf16" and name in NO_KERNEL:
        return
    loss, inputs = LOSSES[name]
    torch.manual_seed(0)
    spec = archcost.from_torch(Behind(loss), *inputs)
    assert archcost.cost(archcost.build(spec)).unknown == ()
    for mode in ("train", "infer"):
        if (name, mode) == ("gaussian_nll", "infer"):
            continue  # its argument is a temporary, which the recorded call holds as long as it runs
        expected = theirs(lambda: Behind(loss), inputs, mode, precision)
        assert abs(ours(spec, len(inputs[0]), mode, precision) - expected) <= SCALARS, mode
