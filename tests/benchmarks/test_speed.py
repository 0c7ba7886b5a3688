"""Timed with pytest-benchmark; skipped in the ordinary suite. Groups are compared within one run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archcost
from archcost.layers import ReLU
from archcost.spec import Repeat

BARE = "import pydantic, networkx, yaml"
SUMMARY = "import sys; from archcost.cli import main; sys.argv[1:] = ['summary', 'vgg_d']; sys.exit(main())"
NETWORKS = ("vgg_d", "resnet50", "densenet121")
CHAINS = (1_000, 10_000, 100_000)


def run(code: str, compiled: Path) -> None:
    """With all modules compiled, as pip leaves those that it installs."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(compiled)
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=environment)


@pytest.mark.parametrize("code", [BARE, SUMMARY], ids=["bare imports", "archcost summary vgg_d"])
@pytest.mark.benchmark(group="end to end")
def test_end_to_end(benchmark: Any, code: str, tmp_path: Path) -> None:
    benchmark.pedantic(run, args=(code, tmp_path), rounds=15, warmup_rounds=2)


def ours(network: str) -> Callable[[], object]:
    spec = archcost.load(network)
    return lambda: archcost.cost(archcost.build(spec))


def ours_at_first(network: str) -> Callable[[], object]:
    """A spec that was never built before; later builds of it, for another batch, find its layers wired."""
    spec = archcost.load(network)
    return lambda: archcost.cost(archcost.build(spec.model_copy()))


def flop_counter(network: str, backward: bool = False) -> Callable[[], object]:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module = archcost.pytorch.build(archcost.load(network), device="meta").eval()
    image = torch.empty(1, 3, 224, 224, device="meta")

    def count() -> int:
        with torch.set_grad_enabled(backward), FlopCounterMode(display=False) as counter:
            scores = module(image)
            if backward:
                scores.sum().backward()
        return counter.get_total_flops()

    return count


def flop_counter_with_backward(network: str) -> Callable[[], object]:
    """What archcost counts as well: forward and backward."""
    return flop_counter(network, backward=True)


def torchinfo(network: str) -> Callable[[], object]:
    import torchinfo as package

    module = archcost.pytorch.build(archcost.load(network), device="meta").eval()
    return lambda: package.summary(module, input_size=(1, 3, 224, 224), device="meta", verbose=0)


def fvcore(network: str) -> Callable[[], object]:
    """On real tensors: fvcore's trace does not accept the meta device."""
    import torch
    from fvcore.nn import FlopCountAnalysis  # pyright: ignore[reportMissingTypeStubs]

    module = archcost.pytorch.build(archcost.load(network)).eval()
    image = torch.zeros(1, 3, 224, 224)

    def count() -> float:
        analysis = FlopCountAnalysis(module, image)
        return analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()

    return count


TOOLS = {
    "archcost": ours,
    "archcost, first build of a spec": ours_at_first,
    "FlopCounterMode, meta, forward only": flop_counter,
    "FlopCounterMode, meta, forward and backward": flop_counter_with_backward,
    "torchinfo, meta, forward only": torchinfo,
    "fvcore, CPU, forward only": fvcore,
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("network", NETWORKS)
def test_cost_of_a_network(benchmark: Any, network: str, tool: str) -> None:
    benchmark.group = network
    benchmark.extra_info["tool"] = tool
    benchmark.pedantic(TOOLS[tool](network), rounds=3 if "fvcore" in tool else 15, warmup_rounds=1)


@pytest.mark.parametrize("length", CHAINS)
@pytest.mark.benchmark(group="chain")
def test_a_long_chain(benchmark: Any, length: int) -> None:
    chain = Repeat(repeat=length, layers=(ReLU(),))
    spec = archcost.ModelSpec.model_validate({"name": "chain", "input": [7], "layers": [chain]})
    benchmark.pedantic(lambda: archcost.cost(archcost.build(spec)), rounds=3, warmup_rounds=1)
