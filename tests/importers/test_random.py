"""Random small modules: what is imported has the parameters, shapes and FLOPs of the module itself."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

import archcost
from archcost.importers.torch_module import from_torch
from tests.importers.held import counted

EXAMPLES = 80

Step = tuple[str, int, int]


class Random(nn.Module):
    """Steps one after the other on an image (B, C, H, W), each drawn with two small numbers."""

    def __init__(self, steps: list[Step], channels: int) -> None:
        super().__init__()
        self.steps = steps
        self.parts = nn.ModuleList()
        self.scales = nn.ParameterList()
        for kind, a, b in steps:
            self.scales.append(nn.Parameter(torch.ones(channels, 1, 1)))
            if kind == "conv":
                self.parts.append(nn.Conv2d(channels, channels, 1 + 2 * (a % 2), padding=a % 2, bias=bool(b % 2)))
            elif kind == "depthwise":
                self.parts.append(nn.Conv2d(channels, channels, 3, padding=1, groups=channels))
            elif kind == "norm":
                self.parts.append(nn.BatchNorm2d(channels) if a % 2 else nn.GroupNorm(1, channels))
            elif kind == "linear":
                self.parts.append(nn.Linear(channels, channels, bias=bool(b % 2)))
            else:
                self.parts.append(nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        for (kind, a, b), part, scale in zip(self.steps, self.parts, self.scales, strict=True):
            x = self.step(kind, a, b, part, scale, x)
        return x.mean((2, 3)) if len(self.steps) % 2 else x.flatten(1).sum(1)

    def step(self, kind: str, a: int, b: int, part: nn.Module, scale: nn.Parameter, x: Tensor) -> Tensor:
        if kind in ("conv", "depthwise", "norm"):
            return x + part(x) if a % 3 == 0 else part(x)
        if kind == "linear":
            return part(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if kind == "attend":
            tokens = x.flatten(2).transpose(1, 2)
            scores = (tokens @ tokens.transpose(1, 2)).softmax(-1)
            return (scores @ tokens).transpose(1, 2).reshape(x.shape)
        if kind == "scale":
            return x * scale if a % 2 else torch.einsum("bchw,cd->bdhw", x, scale.flatten(1) @ scale.flatten(1).t())
        if kind == "split":
            first, second = x.chunk(2, dim=2) if x.shape[2] % 2 == 0 else (x, x)
            return torch.cat([second.relu(), first], dim=2)
        if kind == "window":
            batch, channels, height, width = x.shape
            rows = x.permute(0, 2, 3, 1).reshape(batch * height, width, channels)
            return rows.view(batch, height, width, channels).permute(0, 3, 1, 2).contiguous()
        if kind == "write":
            y = x.clone()
            y[:, 0] = x[:, -1]
            return y
        return functional.avg_pool2d(x, 2) if min(x.shape[2:]) > 3 else functional.gelu(x)


KINDS = ("conv", "depthwise", "norm", "linear", "attend", "scale", "split", "window", "write", "pool")
steps = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=7)


def test_random_modules() -> None:
    seen: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    @given(steps, st.integers(2, 5), st.integers(3, 6), st.booleans())
    def same(drawn: list[Any], channels: int, size: int, training: bool) -> None:
        module = Random(drawn, channels).train(training)
        seen.update(["modules", *(kind for kind, _, _ in drawn)])
        spec = from_torch(module, torch.zeros(1, channels, size, size))
        assert archcost.loads(spec.to_yaml()) == spec
        image = torch.rand(3, channels, size, size)
        graph = archcost.build(spec, 3)
        cost = archcost.cost(graph)
        assert cost.unknown == ()
        assert [kind.shape for kind in graph.returned] == [tuple(module(image).shape)]
        assert cost.parameters == sum(each.numel() for each in module.parameters())
        assert (cost.flops.forward.contraction, cost.flops.backward.contraction) == counted(module, (image,), {})

    same()
    assert seen["modules"] >= EXAMPLES
    assert min(seen[kind] for kind in KINDS) >= 10, seen
