"""Images warped, and rows of tables in bags, as modules have them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost


class Warped(nn.Module):
    """A spatial transformer (Jaderberg et al. 2015): the map of each image is computed of it."""

    def __init__(self, axes: int, channels: int = 3) -> None:
        super().__init__()
        self.axes = axes
        self.map = nn.Linear(channels, axes * (axes + 1))

    def forward(self, x: Tensor) -> Tensor:
        matrices = self.map(x.flatten(2).mean(2)).view(-1, self.axes, self.axes + 1)
        grid = functional.affine_grid(matrices, list(x.shape), align_corners=False)
        return functional.grid_sample(x, grid, align_corners=False)


@pytest.mark.parametrize("sizes", [(5, 7), (5, 7, 2)])
def test_a_spatial_transformer(sizes: tuple[int, ...]) -> None:
    axes = len(sizes)
    x = torch.zeros(2, 3, *sizes)
    cost = archcost.cost(archcost.build(archcost.from_torch(Warped(axes), x), 11))
    points = torch.Size(sizes).numel()
    assert not cost.unknown
    assert cost.macs == 11 * (3 * axes * (axes + 1) + points * axes * (axes + 1))


class Bags(nn.Module):
    def __init__(self, **options: bool) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(13, 5, mode="sum", **options)

    def forward(self, words: Tensor, weights: Tensor) -> Tensor:
        return self.table(words, per_sample_weights=weights)


@pytest.mark.parametrize("sparse", [False, True])
def test_a_bag_of_words(sparse: bool) -> None:
    spec = archcost.from_torch(Bags(sparse=sparse), torch.zeros(2, 7, dtype=torch.int64), torch.zeros(2, 7))
    graph = archcost.build(spec, 3)
    cost = archcost.cost(graph)
    assert not cost.unknown
    assert cost.parameters == 13 * 5
    assert cost.flops.forward.elementwise == 3 * 7 * 5 * 2  # weighed and added
    assert any("torch holds it sparse" in said for said in graph.assumptions) == sparse


class Offsets(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(13, 5, include_last_offset=True)

    def forward(self, words: Tensor, offsets: Tensor) -> Tensor:
        return self.table(words, offsets)


def test_bags_that_begin_at_offsets() -> None:
    inputs = (torch.zeros(20, dtype=torch.int64), torch.tensor([0, 5, 9, 20]))
    graph = archcost.build(archcost.from_torch(Offsets(), *inputs, unbatched=["words", "offsets"]))
    assert [tensor.shape for tensor in graph.returned] == [(3, 5)]
    assert not archcost.cost(graph).unknown
