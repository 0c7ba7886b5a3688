"""torch.nn.functional.linear_cross_entropy within a module: as one layer in chunks, else as a linear layer and a loss;
the peak of a step beside the profiler's, which sees what is made within the operator.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from archcost.pytorch.allocations import peaks
from archcost.terms.autograd import Setting

ROWS, FEATURES, CLASSES = 96, 16, 700


class Guessing(nn.Module):
    """Features, and a guess of their class."""

    def __init__(self, options: Any, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, FEATURES)
        self.head = nn.Linear(FEATURES, CLASSES, bias=bias)
        self.options = options

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        fused: Any = functional.linear_cross_entropy
        rows = torch.tanh(self.layer(x))
        return fused(rows, self.head.weight, labels, linear_bias=self.head.bias, options=self.options)


OPTIONS: dict[str, dict[str, Any]] = {
    "as torch chooses": {},
    "pieces of 10 rows": {"batch_chunk_size": 10},
    "aspect ratio": {"chunking_method": "aspect_ratio"},
    "one piece": {"chunking_method": None},
    "balanced": {"acc_policy": "balanced"},
    "retained": {"allow_retain_graph": True},
}


def given() -> tuple[Tensor, Tensor]:
    return torch.randn(ROWS, FEATURES), torch.randint(CLASSES, (ROWS,))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("chosen", OPTIONS)
def test_in_chunks(chosen: str, bias: bool) -> None:
    if chosen == "balanced" and Setting(frozenset()).since("2.14"):
        return  # which has no such policy
    torch.manual_seed(0)
    module = Guessing(torch.nn.LinearCrossEntropyOptions(**OPTIONS[chosen]), bias)
    x, labels = given()
    spec = archcost.from_torch(module, x, labels)
    graph = archcost.build(spec, ROWS)
    assert [node.layer.type for node in graph.nodes][-1] == "linear_cross_entropy"
    cost = archcost.cost(graph)
    assert cost.unknown == ()
    assert cost.macs == ROWS * FEATURES * (FEATURES + CLASSES)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        made, inputs = module.to(dtype), (x.to(dtype), labels)

        def step(begins: Any, made: nn.Module = made, inputs: Any = inputs) -> None:
            begins("forward")
            loss = made(*inputs)
            begins("backward")
            loss.backward()
            made.zero_grad()

        step(lambda phase: None)
        resident = sum(tensor.nbytes for tensor in (*made.parameters(), *inputs))
        theirs = max(peaks(step, resident).tensors.values())
        run = archcost.Run(precision=precision, optimizer="none")  # pyright: ignore[reportArgumentType]
        ours = archcost.timeline(graph, run, "cpu").peak
        assert abs(ours - theirs) <= 64, (precision, ours, theirs)


def test_without_chunks() -> None:
    spec = archcost.from_torch(Guessing(None, True), *given())
    assert [node.layer.type for node in archcost.build(spec, 2).nodes] == ["linear", "tanh", "linear", "cross_entropy"]
