"""The largest side and the largest width: held against estimates of networks written down by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archcost
from archcost import ArchcostError, Run
from archcost.hardware.profile import HardwareProfile
from archcost.planning.images import with_side
from archcost.planning.vary import Largest
from archcost.planning.widths import widened
from archcost.spec import ModelSpec
from archcost.spec.overrides import set_inputs
from tests.graph.networks import specs
from tests.planning.devices import CPU, device, devices


def net(*layers: dict[str, Any], **fields: Any) -> ModelSpec:
    return ModelSpec.model_validate({"name": "net", "input": [2, 16, 16], **fields, "layers": layers})


def conv(name: str, out_channels: int, **fields: Any) -> dict[str, Any]:
    return {"type": "conv2d", "name": name, "out_channels": out_channels, "kernel_size": 1, "bias": False, **fields}


def largest(spec: ModelSpec, profile: HardwareProfile, vary: str, batch: int = 1, **fields: Any) -> Largest:
    [found] = archcost.fit(spec, batch, hardware=[profile], vary=vary, **fields).devices
    assert found.varied is not None
    return found.varied


def can_run(spec: ModelSpec, run: Run) -> bool:
    """Torch refuses a network in which a layer overwrites what another keeps."""
    try:
        archcost.timeline(archcost.build(spec, 2), run)
    except ArchcostError as error:
        return "overwrites what" not in error.problem
    return True


@given(specs(), devices(), st.sampled_from(["train", "infer"]), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_the_largest_image_fits_and_the_next_does_not(
    spec: ModelSpec, profile: HardwareProfile, mode: Any, batch: int
) -> None:
    other = device("nvidia-b200-sxm", 2**40)  # with a second device no remedies are worked out
    run = Run(mode=mode)
    assume(can_run(spec, run))
    found = archcost.fit(spec, batch, hardware=[profile, other], vary="input", run=run).devices[0].varied
    assert found is not None

    def estimate(side: int) -> Any:
        given = set_inputs(spec, [f"3x{side}x{side}"])
        return archcost.estimate(given, batch, hardware=profile, run=run)

    if found.value:
        assert (estimate(found.value).verdict, estimate(found.value).demand.allocated) == ("fits", found.allocated)
    assert found.beyond is not None
    beyond = estimate(found.beyond)
    assert beyond.verdict != "fits"
    assert beyond.demand.allocated == found.allocated_beyond
    for side in range(found.value + 1, found.beyond):
        with pytest.raises(ArchcostError):
            estimate(side)


@given(specs(), devices())
@settings(max_examples=20, deadline=None)
def test_the_largest_width_fits_and_the_next_does_not(spec: ModelSpec, profile: HardwareProfile) -> None:
    other = device("nvidia-b200-sxm", 2**40)
    try:
        make = widened(spec, 2)
    except ArchcostError:
        assume(False)
        raise
    assume(can_run(spec, Run()))
    found = archcost.fit(spec, 2, hardware=[profile, other], vary="width").devices[0].varied
    assert found is not None

    def needs(percent: int) -> int:
        threads = 96 if profile.kind == "cpu" else None
        kind = "cpu" if profile.kind == "cpu" else "cuda"
        return archcost.timeline(make(percent), Run(), kind, threads).peak

    if found.value and found.beyond:
        assert found.beyond == found.value + 1 or found.refused
        assert needs(found.value) <= needs(found.beyond)
        assert needs(found.value) <= profile.memory.capacity


def test_a_side_by_hand() -> None:
    """One sample in inference: 2·S² values in, 3·S² out, 2·3 weights: 24 + 20·S² bytes; S = 7 takes 1,004."""
    spec = net(conv("c", 3))
    found = largest(spec, device("raspberry-pi-4", 1_004), "input", mode="infer")
    assert found == Largest("input", 7, 1_004, 8, 24 + 20 * 64, None)
    assert largest(spec, device("raspberry-pi-4", 1_003), "input", mode="infer").value == 6
    assert largest(spec, device("raspberry-pi-4", 43), "input", mode="infer")[:4] == ("input", 0, None, 1)


def test_sides_that_the_shapes_refuse() -> None:
    """Halved twice and doubled twice: what comes back is joined with the image, so the side is a multiple of 4."""
    down = [conv(f"down{n}", 2, kernel_size=2, stride=2) for n in (1, 2)]
    up = [{"type": "upsample", "name": "up", "scale_factor": 4.0}]
    spec = net(*down, *up, {"type": "add", "inputs": ["input", "up"]})
    found = largest(spec, device(CPU, 10**6), "input", mode="infer")
    assert found.value % 4 == 0
    assert found.beyond == found.value + 4
    assert found.refused is not None
    assert found.refused.startswith("add1: ")
    assert found.allocated is not None
    assert found.allocated <= 10**6 < (found.allocated_beyond or 0)


def test_a_network_that_takes_one_side_only() -> None:
    spec = net({"type": "flatten"}, {"type": "unflatten", "dim": 1, "unflattened_size": [2, 256]}, loss="sum")
    found = largest(spec, device(CPU, 10**9), "input", mode="infer")
    assert (found.value, found.beyond) == (16, None)
    assert found.refused is not None
    assert "unflatten" in found.refused


def test_only_the_image_changes() -> None:
    inputs = {"code": [7], "volume": [3, 5, 6, 7], "image": [3, 8, 8]}
    spec = ModelSpec.model_validate({"name": "net", "inputs": inputs, "layers": [{"type": "relu", "inputs": ["code"]}]})
    shapes = {name: given.shape for name, given in with_side(spec, 9).inputs.items()}
    assert shapes == {"code": (7,), "volume": (3, 9, 9, 9), "image": (3, 8, 8)}


def channels(spec: ModelSpec, percent: int) -> dict[str, int]:
    return {node.name: node.output_types[0].shape[1] for node in widened(spec, 1)(percent).nodes}


def test_widths_by_hand() -> None:
    """Hidden channels are scaled, a depthwise convolution follows, the last layer and the image's channels stay."""
    spec = net(conv("a", 10), conv("dw", 20, groups=10), conv("b", 7), conv("last", 5))
    assert channels(spec, 100) == {"a": 10, "dw": 20, "b": 7, "last": 5}
    assert channels(spec, 50) == {"a": 5, "dw": 10, "b": 4, "last": 5}  # 3.5 is rounded up
    assert channels(spec, 130) == {"a": 13, "dw": 26, "b": 9, "last": 5}  # 9.1
    assert channels(spec, 1) == {"a": 1, "dw": 2, "b": 1, "last": 5}


def test_widths_are_multiples_of_the_groups() -> None:
    """Groups of 2 and of 3: multiples of 6, where the size is one."""
    spec = net(
        conv("a", 12), {"type": "group_norm", "num_groups": 3}, conv("b", 18, groups=2), conv("c", 7), conv("d", 5)
    )
    assert list(channels(spec, 100).values()) == [12, 12, 18, 7, 5]
    assert list(channels(spec, 70).values()) == [6, 6, 12, 5, 5]  # 8.4, 12.6, 4.9
    assert list(channels(spec, 1).values()) == [6, 6, 6, 1, 5]


def test_what_makes_the_output_is_behind_what_does_not_mix() -> None:
    """Both branches of the sum, and the input of the depthwise convolution, set the channels of the output."""
    ends = [conv("p", 6, inputs=["a"]), conv("q", 6, inputs=["a"]), {"type": "add", "name": "s", "inputs": ["p", "q"]}]
    spec = net(conv("a", 8), *ends, conv("dw", 6, groups=6), {"type": "relu"})
    assert channels(spec, 200) == {"a": 16, "p": 6, "q": 6, "s": 6, "dw": 6, "relu1": 6}


def test_one_channel_stays_one() -> None:
    gate = [conv("gate", 1), {"type": "mul", "name": "m", "inputs": ["a", "gate"]}]
    assert channels(net(conv("a", 4), *gate, conv("last", 3)), 300) == {"a": 12, "gate": 1, "m": 12, "last": 3}


@pytest.mark.parametrize(
    ("layers", "layer", "told"),
    [
        (
            [conv("a", 4), {"type": "split", "name": "s", "split_size": 2}, conv("b", 3, inputs=["s:1"])],
            "s",
            "split names sizes of its own",
        ),
        (
            [
                {"type": "parameter", "name": "k", "shape": [4, 2, 1, 1]},
                conv("a", 4, inputs=["input"], given={"weight": "k"}),
                conv("b", 3),
            ],
            "a",
            "given.weight has another shape",
        ),
        ([conv("a", 4), {"type": "layer_norm", "name": "n", "normalized_shape": [4, 16, 16]}, conv("b", 3)], "n", ""),
    ],
)
def test_widths_that_cannot_vary(layers: list[dict[str, Any]], layer: str, told: str) -> None:
    with pytest.raises(ArchcostError, match=f"the width of net cannot vary: .*{told}") as refused:
        widened(net(*layers), 1)
    assert refused.value.layer == layer


def test_shipped_networks_scale_as_their_papers_do() -> None:
    """Half of ResNet-50's channels in fc: 1,024·1,000 weights and 1,000 biases; the stem's 3·7·7·32."""
    half = widened(archcost.load("resnet50"), 1)(50)
    weights = {node.name: sum(weight.numel for weight in node.weights) for node in half.nodes}
    assert (weights["conv1"], weights["fc"]) == (3 * 7 * 7 * 32, 1024 * 1000 + 1000)
