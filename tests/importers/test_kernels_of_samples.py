"""Networks whose kernels differ from sample to sample: the samples are folded into the channels, and groups keep them
apart.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from archcost.pytorch import verify
from tests.importers.peaks import ours, theirs


class Modulated(nn.Module):
    """StyleGAN2's modulated convolution (Karras et al. 2020), enlarging by a transposed one or not."""

    def __init__(self, enlarges: bool) -> None:
        super().__init__()
        self.enlarges = enlarges
        self.weight = nn.Parameter(torch.randn(1, 5, 6, 3, 3))
        self.modulation = nn.Linear(7, 6)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        weight = self.weight * self.modulation(style).view(batch, 1, channels, 1, 1)
        weight = weight * torch.rsqrt(weight.pow(2).sum([2, 3, 4]) + 1e-8).view(batch, 5, 1, 1, 1)
        folded = x.reshape(1, batch * channels, height, width)
        if self.enlarges:
            kernels = weight.transpose(1, 2).reshape(batch * channels, 5, 3, 3)
            out = functional.conv_transpose2d(folded, kernels, stride=2, groups=batch)
        else:
            out = functional.conv2d(folded, weight.view(batch * 5, channels, 3, 3), padding=1, groups=batch)
        return out.view(batch, 5, *out.shape[2:])


class Mixed(nn.Module):
    """CondConv (Yang et al. 2019): kernels and biases mixed of those of experts, in two groups of channels."""

    def __init__(self) -> None:
        super().__init__()
        self.routing = nn.Linear(6, 4)
        self.weight = nn.Parameter(torch.randn(4, 10 * 3 * 3 * 3))
        self.bias = nn.Parameter(torch.randn(4, 10))

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        routed = torch.sigmoid(self.routing(functional.adaptive_avg_pool2d(x, 1).flatten(1)))
        kernels = torch.matmul(routed, self.weight).view(batch * 10, 3, 3, 3)
        bias = torch.matmul(routed, self.bias).view(batch * 10)
        folded = x.reshape(1, batch * channels, height, width)
        out = functional.conv2d(folded, kernels, bias, padding=1, groups=2 * batch)
        return out.permute(1, 0, 2, 3).view(batch, 10, height, width)


def images(batch: int) -> Tensor:
    return torch.zeros(batch, 6, 11, 13)


MODULES = [
    (Modulated(False), 5 * 11 * 13 * 6 * 9 + 6 * 7),  # every output value is a sum over 6·9; the style, 7 to 6
    (Modulated(True), 6 * 11 * 13 * 5 * 9 + 6 * 7),  # every input value meets 5·9
    (Mixed(), 10 * 11 * 13 * 3 * 9 + 6 * 4 + 4 * (10 * 27 + 10)),  # 3·9; the routing, 6 to 4; the kernels, of 4 experts
]


@pytest.mark.parametrize(("module", "macs"), MODULES, ids=["modulated", "modulated transposed", "mixed"])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_for_any_batch(module: nn.Module, macs: int, batch: int) -> None:
    inputs = (images(2),) if isinstance(module, Mixed) else (images(2), torch.zeros(2, 7))
    spec = archcost.from_torch(module, *inputs)
    cost = archcost.cost(archcost.build(spec, batch))
    assert not cost.unknown
    assert cost.parameters == sum(weight.numel() for weight in module.parameters())
    assert cost.macs == batch * macs


@pytest.mark.parametrize(("module", "macs"), MODULES, ids=["modulated", "modulated transposed", "mixed"])
def test_beside_the_module(module: nn.Module, macs: int) -> None:
    inputs = (images(2),) if isinstance(module, Mixed) else (images(2), torch.zeros(2, 7))
    found = verify(module, inputs)
    assert found.ok, found.disagreements
    spec = archcost.from_torch(module, *inputs)
    for mode in ("train", "infer"):
        assert ours(spec, 2, mode, "fp32") == theirs(lambda: module, inputs, mode, "fp32")
