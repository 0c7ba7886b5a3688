"""The verdict of three, by numbers worked out by hand."""

from __future__ import annotations

import pytest

import archcost
from archcost import ModelSpec, hardware
from archcost.estimates.verdict import VERDICTS, Limits, limits, shares
from tests.planning.devices import CPU, GPU, device

MIB = 2**20


@pytest.mark.parametrize(
    ("needed", "verdict"),
    [(0, "fits"), (70, "fits"), (71, "tight"), (77, "tight"), (78, "does not fit"), (10**18, "does not fit")],
)
def test_limits_belong_to_the_better_verdict(needed: int, verdict: str) -> None:
    assert Limits(70, 77).verdict(needed) == verdict


def test_better_verdicts_stand_first() -> None:
    assert VERDICTS == ("fits", "tight", "does not fit")


def test_a_card_s_limits_are_shares_of_what_the_context_leaves() -> None:
    safe, most = shares()
    assert 0.8 < safe < most < 1
    assert most / safe < 1.1  # tight is at most a tenth wide
    profile = device(GPU, 1000 * MIB)
    assert limits(profile) == (int(1000 * MIB * safe), int(1000 * MIB * most))


@pytest.mark.parametrize("name", ["amd-epyc-9654", "apple-m2-max", "google-tpu-v4"])
def test_without_a_caching_allocator_nothing_is_tight(name: str) -> None:
    capacity = hardware.load(name).memory.capacity
    assert limits(hardware.load(name)) == (capacity, capacity)


def small() -> ModelSpec:
    """tanh of 2^18 values, 1 MiB."""
    layers = [{"type": "tanh"}]
    return ModelSpec.model_validate({"name": "small", "input": [2**18], "layers": layers})


def test_the_three_on_a_card() -> None:
    """tanh in inference holds its input and its output, 1 MiB each a sample, and there is no product of matrices: of a
    device of 100 MiB so many samples fit as twice their number is within the limits."""
    profile = device(GPU, 100 * MIB)
    safe, most = (limit // (2 * MIB) for limit in limits(profile))
    assert 0 < safe < most < 50

    def verdict(batch: int) -> tuple[str, bool]:
        found = archcost.estimate(small(), batch, hardware=profile, mode="infer")
        assert (found.max_batch, found.max_batch_tight) == (safe, most)
        assert found.demand.needed == 2 * MIB * batch
        return found.verdict, found.fits

    assert [verdict(batch) for batch in (safe, safe + 1, most, most + 1)] == [
        ("fits", True),
        ("tight", True),
        ("tight", True),
        ("does not fit", False),
    ]


def test_the_two_on_a_cpu() -> None:
    profile = device(CPU, 100 * MIB)
    found = [archcost.estimate(small(), batch, hardware=profile, mode="infer") for batch in (50, 51)]
    assert [(each.verdict, each.max_batch, each.max_batch_tight) for each in found] == [
        ("fits", 50, 50),
        ("does not fit", 50, 50),
    ]


def test_the_json_says_it() -> None:
    profile = device(GPU, 100 * MIB)
    safe, most = limits(profile)
    batch = safe // (2 * MIB) + 1
    memory = archcost.estimate(small(), batch, hardware=profile, mode="infer").to_dict()["memory"]
    assert (memory["verdict"], memory["fits"]) == ("tight", True)
    assert (memory["max_batch"], memory["max_batch_tight"]) == (batch - 1, most // (2 * MIB))
    assert (memory["needed_bytes"], memory["safe_bytes"], memory["most_bytes"]) == (2 * MIB * batch, safe, most)
    assert memory["by_role"]["workspace"] == 0
    [row] = archcost.fit(small(), batch, hardware=[profile], mode="infer").to_dict()["devices"]
    assert (row["verdict"], row["fits"], row["max_batch"]) == ("tight", True, batch - 1)
    assert row["headroom_bytes"] == safe - 2 * MIB * batch
    assert row["remedies"] is not None
