"""Torchvision's operators, declared as its compiled part declares them, and what its detectors ask of values."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archcost
from archcost.errors import ArchcostError
from tests.collections.compiled import declare_operators


@pytest.fixture(scope="module", autouse=True)
def operators() -> Any:
    """Where torchvision has none of its own."""
    if "torchvision" not in sys.modules:
        return declare_operators()
    return None


def vision() -> Any:
    return torch.ops.torchvision


class Deformable(nn.Module):
    """Offsets and masks of a convolution each (Zhu et al. 2019)."""

    def __init__(self, masked: bool, bias: bool) -> None:
        super().__init__()
        self.masked = masked
        self.offsets = nn.Conv2d(6, 18, 3, padding=1)
        self.masks = nn.Conv2d(6, 9, 3, padding=1) if masked else nn.Identity()
        self.weight = nn.Parameter(torch.zeros(4, 3, 3, 3))
        self.bias = nn.Parameter(torch.zeros(4)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        mask = self.masks(x).sigmoid() if self.masked else torch.zeros((x.shape[0], 1), device=x.device)
        bias = torch.zeros(4, device=x.device) if self.bias is None else self.bias
        sizes = (1, 1, 1, 1, 1, 1, 2, 1)
        return vision().deform_conv2d(x, self.weight, self.offsets(x), mask, bias, *sizes, self.masked)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_a_deformable_convolution(masked: bool, bias: bool) -> None:
    cost = archcost.cost(archcost.build(archcost.from_torch(Deformable(masked, bias), torch.zeros(2, 6, 7, 11)), 5))
    assert not cost.unknown
    assert "deform_conv2d" in [layer.node.layer.type for layer in cost.layers]
    # 5 images of 7·11 places: offsets, masks, and 3 channels of each of 2 groups
    assert cost.macs == 5 * 7 * 11 * 9 * (18 * 6 + masked * 9 * 6 + 4 * 3)
    assert cost.parameters == (18 + 9 * masked) * (6 * 9 + 1) + 4 * 27 + 4 * bias


class Regions(nn.Module):
    """A head of each kind, of regions that arrive."""

    def forward(self, x: Tensor, regions: Tensor) -> tuple[Tensor, ...]:
        return (
            vision().roi_align(x, regions, 0.25, 2, 3, 2, True),
            vision().ps_roi_align(x, regions, 0.25, 2, 3, -1)[0],
            vision().roi_pool(x, regions, 0.25, 2, 3)[0],
            vision().ps_roi_pool(x, regions, 0.25, 2, 3)[0],
        )


def test_regions_of_images() -> None:
    inputs = (torch.zeros(2, 12, 7, 11), torch.zeros(5, 5))
    spec = archcost.from_torch(Regions(), *inputs, unbatched=["regions"])
    graph = archcost.build(spec, 3)
    types = [node.layer.type for node in graph.nodes]
    assert {"roi_align", "ps_roi_align", "roi_pool", "ps_roi_pool"} <= set(types)
    assert [tensor.shape for tensor in graph.returned] == [(5, 12, 2, 3), (5, 2, 2, 3), (5, 12, 2, 3), (5, 2, 2, 3)]
    assert not archcost.cost(graph).unknown
    assert any("2·2 points" in said for said in graph.assumptions)


class Suppressed(nn.Module):
    def forward(self, boxes: Tensor, scores: Tensor) -> Tensor:
        return boxes[vision().nms(boxes, scores, 0.5)[:3]]


def test_no_box_is_suppressed() -> None:
    inputs = (torch.zeros(7, 4), torch.zeros(7))
    graph = archcost.build(archcost.from_torch(Suppressed(), *inputs, unbatched=["boxes", "scores"]))
    assert [tensor.shape for tensor in graph.returned] == [(3, 4)]
    assert any("no box is suppressed" in said for said in graph.assumptions)


class Heads(nn.Module):
    """As torchvision's heads: boxes above a threshold, of which some go on."""

    detections_per_img = 3

    def postprocess_detections(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        above = torch.where(scores > 0.5)[0]
        return scores[above], scores[scores > 0.1]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.postprocess_detections(x)


@pytest.fixture
def torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module in the place of torchvision's heads."""
    module = ModuleType("torchvision.models.detection.roi_heads")
    vars(module)["RoIHeads"] = Heads
    monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_mask_holds_for_as_many_as_go_on(torchvision: None) -> None:
    spec = archcost.from_torch(Heads(), torch.zeros(7), unbatched=["x"])
    graph = archcost.build(spec)
    assert [tensor.shape for tensor in graph.returned] == [(3,), (3,)]
    assert any("a mask holds for 3 values" in said for said in graph.assumptions)


def test_elsewhere_values_decide() -> None:
    with pytest.raises(ArchcostError, match="depends on values"):
        archcost.from_torch(Heads(), torch.zeros(7), unbatched=["x"])


def test_a_detector_has_no_batch() -> None:
    detector = type("FCOS", (nn.Module,), {"__module__": "torchvision.models.detection.fcos"})
    with pytest.raises(ArchcostError, match="takes images one by one"):
        archcost.from_torch(detector(), torch.zeros(2, 3, 8, 8))
