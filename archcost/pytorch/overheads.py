"""What is no layer's: memory touched for the first time, the way from one layer to the next, optimizers."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import get_args

import torch
from torch import nn

from archcost.costs.kernel import Kernel
from archcost.costs.kernels import kernels
from archcost.costs.timeline import timeline
from archcost.graph import ModelGraph
from archcost.graph import build as build_graph
from archcost.hardware.calibration import Pace
from archcost.passes.optimizer import Optimizer
from archcost.passes.run import Run
from archcost.pytorch.build import build
from archcost.pytorch.timing import Bench
from archcost.pytorch.training import OPTIMIZERS, prepare
from archcost.spec import ModelSpec

TOUCHED = 64 * 2**20
"""Bytes of a block that is fetched from the system each time."""

CHAIN = 64
"""Layers one behind the other."""


def first_touch(bench: Bench) -> float | None:
    """Bytes a second of new memory: what it takes longer to be handed out, written and given back than memory that is
    there to be written. None where it takes no longer, or on a GPU, whose allocator keeps what it has.
    """
    if bench.on_cuda:
        return None
    there = torch.ones(TOUCHED // 4)
    pairs = [(bench.wall(_written_anew), bench.wall(lambda: there.fill_(2.0))) for _ in range(7)]
    longer = median(anew - again for anew, again in pairs)
    return TOUCHED / longer if longer > 0 else None


def _written_anew() -> None:
    torch.empty(TOUCHED // 4).fill_(1.0)


def dispatch(bench: Bench) -> float:
    """Seconds from one layer to the next: a chain of layers that do next to nothing, less as many calls of one."""
    layers = [{"type": "relu", "name": f"r{index}"} for index in range(CHAIN)]
    spec = ModelSpec.model_validate({"name": "chain", "inputs": {"x": [8]}, "layers": layers, "loss": "none"})
    chain, one, x = build(spec), nn.ReLU(), torch.ones(2, 8)
    if bench.on_cuda:
        chain, x = chain.to("cuda"), x.to("cuda")

    def alone() -> None:
        for _ in range(CHAIN):
            one(x)

    with torch.no_grad():
        pairs = [(bench.host(lambda: chain(x)), bench.host(alone)) for _ in range(15)]
    whole, calls = (median(sorted(column)[:8]) for column in zip(*pairs, strict=True))
    return (whole if bench.on_cuda else max(whole - calls, 0.0)) / CHAIN


def optimizers(bench: Bench, quick: bool) -> Mapping[str, Pace]:
    """Floor and bandwidth of each that torch has, from a network of many small weights and one of few large ones."""
    graphs = (_linears(24, 64), _linears(2, 1024 if quick else 2048))
    known: list[Optimizer] = [each for each in get_args(Optimizer) if each in OPTIMIZERS]
    found: dict[str, Pace] = {}
    for name in known[:2] if quick else known:
        many, few = (_timed(graph, Run(optimizer=name), bench) for graph in graphs)
        found[name] = _through(many, few)
    return found


def _through(many: tuple[Kernel, float], few: tuple[Kernel, float]) -> Pace:
    """launches · floor + bytes / bandwidth, both met; where that would be below nothing, one of them alone."""
    (small, first), (large, second) = many, few
    determinant = small.launches * large.nbytes - large.launches * small.nbytes
    floor = (first * large.nbytes - second * small.nbytes) / determinant if determinant else 0.0
    floor = min(max(floor, 0.0), first / small.launches)
    moving = max(second - large.launches * floor, second / 10)
    return Pace(floor=floor, bandwidth=large.nbytes / moving)


def _timed(graph: ModelGraph, run: Run, bench: Bench) -> tuple[Kernel, float]:
    (kernel,) = kernels(timeline(graph, run, "cuda" if bench.on_cuda else "cpu")).optimizer
    training = prepare(graph, run, (), bench.device)
    assert training.optimizer is not None
    for weight in training.network.parameters():
        weight.grad = torch.randn_like(weight)
    training.optimizer.step()
    seconds = sorted(bench.cold(training.optimizer.step) for _ in range(7))
    return kernel, median(seconds[:4])


def _linears(count: int, width: int) -> ModelGraph:
    layers = [{"type": "linear", "name": f"l{index}", "out_features": width} for index in range(count)]
    given = {"name": "linears", "inputs": {"x": [width]}, "layers": layers, "loss": "sum"}
    return build_graph(ModelSpec.model_validate(given), 1)
