"""A step resized is the step played at the other batch: the same events, every storage and every kernel's tensors."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archcost
from archcost.costs.resize import Resizing
from archcost.costs.timeline import timeline
from archcost.errors import ArchcostError
from archcost.passes.run import Run
from archcost.spec import ModelSpec
from archcost.terms.autograd import Device
from tests.graph.networks import LIMITS, specs
from tests.passes.test_contract import runs

NETWORKS = ("autoencoder_tied", "mobilenet_v2", "resnet18_lstm", "swin_t", "unet", "vae")
RUNS: tuple[dict[str, Any], ...] = (
    {},
    {"mode": "infer"},
    {"precision": "amp-bf16", "in_place": True, "accumulation": 2},
    {"precision": "bf16", "optimizer": "adafactor", "channels_last": True},
    {"precision": "amp-bf16", "recompute": "every:5"},
)


def same_step(spec: ModelSpec, run: Run, device: Device, few: int, many: int) -> bool:
    """Whether a step of few samples could be had from that of many; it is then the one that is played."""
    line = timeline(archcost.build(spec, many), run, device, 1)
    graph = archcost.build(spec, few)
    found = Resizing(line).at(graph)
    if found is None:
        return False
    played = timeline(graph, run, device, 1)
    assert Resizing(line).beside(played.program) == found
    assert played.events == line.events
    assert played.kernels.keys() == found.calls.keys()
    for storage, (ours, theirs) in enumerate(zip(found.tensors, played.tensors, strict=True)):
        if storage in played.kernels:
            call = played.kernels[storage].call
            assert found.calls[storage] == (call.inputs, call.outputs)
        else:
            assert ours == theirs, played.storages[storage]
    return True


@pytest.mark.parametrize("device", get_args(Device))
@pytest.mark.parametrize("network", NETWORKS)
def test_of_networks_that_ship(network: str, device: Device) -> None:
    for fields in RUNS:
        assert same_step(archcost.load(network), Run(**fields), device, 3, 101)


@given(specs(), runs(), st.sampled_from(get_args(Device)))
@settings(**LIMITS)
def test_of_random_networks(spec: ModelSpec, run: Run, device: Device) -> None:
    assume(spec.has_batch)
    try:
        same_step(spec, run, device, 2, 5)
    except ArchcostError:
        assume(False)


@pytest.mark.parametrize("network", ["resnet18_lstm", "unet", "vit_b_16"])
def test_what_makes_other_tensors_at_another_batch_is_not_resized(network: str) -> None:
    """Of a single sample some layers copy what is a view of several, or the other way round."""
    spec, run = archcost.load(network), Run(channels_last=True)
    line, graph = timeline(archcost.build(spec, 3), run, "cuda"), archcost.build(spec, 1)
    assert timeline(graph, run, "cuda").events != line.events
    assert Resizing(line).at(graph) is None
