"""How long the memory of a step takes to work out; skipped in the ordinary suite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import archcost
from archcost import hardware
from archcost.costs.timeline import timeline
from archcost.layers import Linear
from archcost.passes.run import Run
from archcost.planning import fit
from archcost.spec import Repeat

BATCH = 8
RUN = Run(optimizer="adam")
CHAINS = (100, 1_000, 10_000)


def ours() -> Callable[[], object]:
    """From the spec to the peak."""
    spec = archcost.load("resnet50")
    return lambda: timeline(archcost.build(spec, BATCH), RUN, "cuda").peak


def mem_tracker() -> Callable[[], object]:
    """Torch's own tracker: two steps of the same network on fake tensors, the second in the steady state."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.distributed._tools.mem_tracker import MemTracker

    def track() -> object:
        module = archcost.pytorch.build(archcost.load("resnet50"), device="meta")
        with FakeTensorMode():
            for part in module.modules():
                for name, parameter in part.named_parameters(recurse=False):
                    setattr(part, name, torch.nn.Parameter(torch.empty(parameter.shape)))
                for name, buffer in part.named_buffers(recurse=False):
                    setattr(part, name, torch.empty(buffer.shape, dtype=buffer.dtype))
            optimizer = torch.optim.Adam(module.parameters(), foreach=True)
            images, labels = torch.zeros(BATCH, 3, 224, 224), torch.zeros(BATCH, dtype=torch.int64)
            tracker = MemTracker()
            tracker.track_external(module, optimizer, images, labels)
            with tracker:
                for step in range(2):
                    torch.nn.functional.cross_entropy(module(images), labels).backward()
                    optimizer.step()
                    optimizer.zero_grad()
                    if step == 0:
                        tracker.reset_mod_stats()
            return tracker.get_tracker_snapshot("peak")

    return track


TOOLS = {
    "archcost": ours,
    "MemTracker, fake tensors, two steps": mem_tracker,
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.benchmark(group="memory of resnet50")
def test_memory_of_a_step(benchmark: Any, tool: str) -> None:
    benchmark.extra_info["tool"] = tool
    benchmark.pedantic(TOOLS[tool](), rounds=3 if "MemTracker" in tool else 15, warmup_rounds=1)


@pytest.mark.parametrize("optimizer", ["sgd-momentum", "adam"])
@pytest.mark.benchmark(group="memory of resnet50")
def test_fit_on_all_devices(benchmark: Any, optimizer: Any) -> None:
    """The largest batch of vgg_e on every device that is common."""
    spec, run = archcost.load("vgg_e"), Run(optimizer=optimizer)
    for name in hardware.common():
        hardware.load(name)
    benchmark.extra_info["tool"] = f"archcost fit vgg_e, {len(hardware.common())} devices, {optimizer}"
    benchmark.pedantic(lambda: fit(spec, 32, run=run), rounds=7, warmup_rounds=1)


@pytest.mark.parametrize("length", CHAINS)
@pytest.mark.benchmark(group="timeline of a chain")
def test_a_long_chain(benchmark: Any, length: int) -> None:
    chain = Repeat(repeat=length, layers=(Linear(out_features=7),))
    spec = archcost.ModelSpec.model_validate({"name": "chain", "input": [7], "layers": [chain]})
    benchmark.pedantic(lambda: timeline(archcost.build(spec, 2), RUN, "cuda").peak, rounds=3, warmup_rounds=1)
