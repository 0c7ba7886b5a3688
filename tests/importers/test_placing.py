"""What is put or found by place, in modules: scatters, triangles, diagonals, windows, orders, and truth over axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from tests.importers.held import Holder, held
from tests.importers.test_calls import Forward, on, parts


def indices(x: Tensor) -> Tensor:
    return x.argsort(dim=1)


def side_by_side(m: Any, x: Tensor) -> Tensor:
    """Windows of 2 of the 4 steps, whose samples lie side by side."""
    steps = m.f(x)[:, :4].t().contiguous().view(4, x.shape[0]).t()
    return steps.as_strided((x.shape[0], 3, 2), (steps.stride(0), steps.stride(1), steps.stride(1))).exp()


def multiplied(m: Any, x: Tensor) -> Tensor:
    return m.f(x).prod(dim=1)


FORWARDS: Sequence[Forward] = (
    lambda m, x: m.f(x).masked_fill((m.g(x) > 0).any(1, keepdim=True), 2.0),
    lambda m, x: m.f(x).masked_fill((m.g(x) > 0).all(dim=-1, keepdim=True), 2.0),
    multiplied,
    lambda m, x: m.f(x).logsumexp(dim=1),
    lambda m, x: m.f(x).masked_fill(m.g(x) == float("inf"), 0.0),
    lambda m, x: torch.logsumexp(m.f(x), (1,), keepdim=True),
    lambda m, x: m.f(x).sort(dim=1, descending=True).values,
    lambda m, x: m.f(x).gather(1, indices(m.g(x))),
    lambda m, x: m.f(x) % 3,
    lambda m, x: m.f(x).remainder(m.g(x)),
    lambda m, x: torch.fmod(m.f(x), 0.5),
    lambda m, x: 2 ** m.f(x),
    lambda m, x: m.f(x).view(-1, 7, 1).expand(-1, 7, 7).tril(),
    lambda m, x: torch.triu(m.f(x)[:, :6].view(-1, 2, 3), diagonal=1),
    lambda m, x: m.f(x)[:, :6].view(-1, 2, 3).diagonal(dim1=1, dim2=2),
    lambda m, x: functional.pad(m.f(x), (m.order[0], 0)),
    lambda m, x: m.f(x).unfold(1, 3, 2).exp(),
    lambda m, x: functional.one_hot(indices(m.f(x)), 7).float() @ m.h.weight.t(),
    lambda m, x: m.f(x) * torch.bucketize(m.f(x), m.f.bias.detach()),
    lambda m, x: m.f(x).scatter(1, indices(m.g(x)), m.g(x)),
    lambda m, x: m.f(x).scatter(1, indices(m.g(x))[:, :2], 3.0).exp(),
    lambda m, x: m.f(x).scatter_add(1, indices(m.g(x)), m.g(x)),
    lambda m, x: m.f(x).index_add(1, m.order, m.g(x)[:, :3]),
    lambda m, x: m.f(x).masked_scatter(m.g(x) > 0, m.g(x)),
    lambda m, x: m.f(x).as_strided((x.shape[0], 3, 3), (7, 2, 1)).exp(),
    side_by_side,
    lambda m, x: m.f(x).clamp(min=m.g(x)),
    lambda m, x: m.f(x).clamp(max=m.h.weight.mean()),
    lambda m, x: m.f(x).clamp(m.g(x), m.h.weight.mean()),
    lambda m, x: torch.addmm(m.h.bias, m.f(x), m.h.weight.t()),
    lambda m, x: torch.addmm(m.h.bias, m.f(x), m.h.weight.t(), beta=2, alpha=3),
    lambda m, x: torch.baddbmm(m.g(x).view(-1, 7, 1), m.f(x).view(-1, 7, 1), x[:, :1, None], beta=0.5),
)
"""Of x (B, 5), with linear layers f and g (5 → 7) and h (7 → 3), and `order`, a buffer of indices."""


OFF = {
    multiplied: 485,  # watched by a dispatch mode, torch does not ask whether there are zeros (`prod_backward`)
}
"""Bytes by which the peak of a step is known to be off, at most."""


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("forward", FORWARDS, ids=lambda each: f"{each.__name__}{each.__code__.co_firstlineno}")
def test_forward(forward: Forward, training: bool) -> None:
    held(Holder(forward, **parts()).train(training), on(5), off=OFF.get(forward, 0))


def test_constants_that_grow_have_no_values() -> None:
    """With them these classes would take 34 GB for the batch that the module is run with."""

    def forward(m: Any, x: Tensor) -> Tensor:
        classes = functional.one_hot(torch.arange(64).expand(x.shape[0], 64), 2**16)
        return m.f(x)[:, None] * classes.sum(2, keepdim=True)

    graph = archcost.build(archcost.from_torch(Holder(forward, f=nn.Linear(5, 7)), on(5)), batch=2)
    assert [each.shape for each in graph.returned] == [(2, 64, 7)]


def test_kernels_of_images_lay_channels_last_where_the_meta_device_does_not() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        pixels = m.f(x).transpose(1, 2).reshape(x.shape[0], 8, 4, 4)  # a view, in which channels lie last
        return m.h(m.g(pixels).exp().contiguous())  # as do those of the convolution, so this is a copy

    module = Holder(forward, f=nn.Linear(3, 8), g=nn.Conv2d(8, 5, 3), h=nn.Conv2d(5, 7, 1))
    spec = held(module, torch.zeros(1, 16, 3))
    assert [layer.type for layer in spec.layers].count("contiguous") == 1  # pyright: ignore[reportAttributeAccessIssue]


def test_a_batch_norm_of_a_single_position_lies_row_major() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        pixels = m.f(x).transpose(1, 2).reshape(x.shape[0], 8, 4, 4)  # channels lie last
        pooled = functional.interpolate(m.b(m.g(functional.adaptive_avg_pool2d(pixels, 1))), size=(4, 4))
        return m.h(torch.cat([pixels, pooled], 1))  # of two layouts, so row-major, and so is the weight's gradient

    parts = {"f": nn.Linear(3, 8), "g": nn.Conv2d(8, 5, 1), "b": nn.BatchNorm2d(5), "h": nn.Conv2d(13, 7, 3)}
    held(Holder(forward, **parts), torch.zeros(1, 16, 3))


def test_statistics_in_one_call() -> None:
    def forward(m: Any, x: Tensor) -> Tensor:
        spread, mean = torch.std_mean(m.f(x), dim=1, keepdim=True)
        return m.h((m.f(x) - mean.detach()) / (spread.detach() + 0.1))

    held(Holder(forward, **parts()), on(5))
