"""Recurrent modules: cells step by step, and torch's own sequences."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archcost
from archcost.costs.timeline import timeline
from tests.importers.held import Holder, counted, held, shapes_of, tracked

CELLS = (nn.RNNCell, nn.GRUCell, nn.LSTMCell)


def once(m: Any, x: Tensor, h: Tensor) -> Any:
    return m.cell(x, (h, 2 * h) if isinstance(m.cell, nn.LSTMCell) else h)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell(cell: type[nn.RNNCellBase], bias: bool) -> None:
    """Its gates are no views to autograd, which torch writes into (unsafe_chunk)."""
    module = Holder(once, cell=cell(5, 7, bias=bias))
    spec = held(module, torch.zeros(1, 5), torch.zeros(1, 7))
    pieces = [layer for layer in spec.layers if layer.type == "split"]
    assert all(layer.model_dump()["unsafe"] for layer in pieces)
    assert bool(pieces) == (cell is not nn.RNNCell)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("cell", CELLS)
def test_a_cell_of_many_samples(cell: type[nn.RNNCellBase], bias: bool) -> None:
    """Forward has the peak: its gates overwrite the sums, and variables hold those until it returns."""
    module, samples = Holder(once, cell=cell(5, 7, bias=bias)), (torch.zeros(40, 5), torch.zeros(40, 7))
    graph = archcost.build(archcost.from_torch(module, *samples), 40)
    line = timeline(graph, archcost.Run(optimizer="none"), "cpu", out_of_place=True)
    assert line.peak == tracked(module, samples, {})


class Sequence(nn.Module):
    """A sequence through a recurrent module and a linear layer; `given` first states are learnt, or its own zeros."""

    def __init__(self, kind: type[nn.RNNBase], given: str = "", **settings: Any) -> None:
        super().__init__()
        self.layer = kind(5, 7, **settings)
        self.given = given
        cells = self.layer.num_layers * (2 if self.layer.bidirectional else 1)
        width = (self.layer.proj_size or 7) * (2 if self.layer.bidirectional else 1)
        self.out = nn.Linear(width, 3, bias=False)  # a bias is added elsewhere while a mode watches and rows are turned
        if given == "learnt":
            self.h = nn.Parameter(torch.zeros(cells, 1, self.layer.proj_size or 7))
            self.c = nn.Parameter(torch.zeros(cells, 1, 7))
        self.cells = cells

    def forward(self, x: Tensor) -> Tensor:
        steps = x if self.layer.batch_first else x.transpose(0, 1)
        return self.out(self.layer(steps, self.first(len(x)))[0]) if self.given != "last" else self.last(steps)

    def last(self, steps: Tensor) -> Tensor:
        states = self.layer(steps)[1]
        return states[0] if isinstance(states, tuple) else states

    def first(self, samples: int) -> Any:
        if self.given == "":
            return None
        if self.given == "zeros":
            states = [torch.zeros(self.cells, samples, 7) for _ in range(2)]
        else:
            states = [each.expand(-1, samples, -1).contiguous() for each in (self.h, self.c)]
        return tuple(states) if isinstance(self.layer, nn.LSTM) else states[0]


SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"batch_first": True, "bias": False},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "batch_first": True, "given": "last"},
    {"num_layers": 2, "dropout": 0.5},
    {"num_layers": 3, "dropout": 0.5, "bidirectional": True},
    {"given": "zeros", "num_layers": 2},
    {"given": "learnt"},
    {"given": "learnt", "num_layers": 2, "bidirectional": True},
    {"proj_size": 3},
    {"proj_size": 3, "num_layers": 2, "bidirectional": True, "batch_first": True, "given": "learnt"},
)

KINDS = (nn.LSTM, nn.GRU, nn.RNN)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence(kind: type[nn.RNNBase], settings: dict[str, Any]) -> None:
    """Layer by layer as torch runs them, and what each direction makes, keeps and lets go of; to within 0.5 %.

    Not exact are the parts of first states' gradients, and sums over steps.
    """
    if "proj_size" in settings and kind is not nn.LSTM:
        return
    torch.manual_seed(0)
    module, x = Sequence(kind, **settings), torch.randn(4, 30, 5)
    spec = archcost.loads(archcost.from_torch(module, x).to_yaml())
    graph = archcost.build(spec, batch=4)
    cost = archcost.cost(graph)
    assert cost.unknown == ()
    assert cost.parameters == sum(each.numel() for each in module.parameters())
    assert (cost.flops.forward.contraction, cost.flops.backward.contraction) == counted(module, (x,), {})
    line = timeline(graph, archcost.Run(optimizer="none"), "cpu", out_of_place=True)
    peak = tracked(module, (x,), {})
    assert abs(line.peak - peak) <= peak / 200
    rebuilt = archcost.pytorch.build(spec)
    assert shapes_of(rebuilt.parameters()) == shapes_of(module.parameters())
    assert abs(tracked(rebuilt, (x,), {}) - peak) <= peak / 200


@pytest.mark.parametrize("steps", [1, 30])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_without_autograd(kind: type[nn.RNNBase], settings: dict[str, Any], steps: int) -> None:
    """oneDNN makes no workspace then, and what is composed step by step lets go of the cells that are done."""
    if "proj_size" in settings and kind is not nn.LSTM:
        return
    module, x = Sequence(kind, **settings).eval(), torch.randn(4, steps, 5)
    graph = archcost.build(archcost.from_torch(module, x), batch=4)
    line = timeline(graph, archcost.Run(mode="infer"), "cpu", out_of_place=True)
    with torch.no_grad():
        assert line.peak == tracked(module, (x,), {})


@pytest.mark.parametrize("kind", KINDS)
def test_a_frozen_sequence(kind: type[nn.RNNBase]) -> None:
    """oneDNN's workspace is made where autograd is on, whatever is trained."""
    module, x = Sequence(kind, num_layers=2), torch.randn(4, 30, 5)
    module.layer.requires_grad_(False)
    graph = archcost.build(archcost.from_torch(module, x), batch=4)
    line = timeline(graph, archcost.Run(optimizer="none"), "cpu", out_of_place=True)
    assert line.peak == tracked(module, (x,), {})
