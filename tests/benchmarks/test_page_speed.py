"""How long a page takes to make, and how soon its controls answer in a browser; skipped in the ordinary suite."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import archcost
from tests.page.browser import Opened, launched

NETWORK, DEEP = "resnet50", "olmo2_13b"
CARD = "nvidia-rtx-4090"
CARDS = (CARD, "nvidia-t4", "nvidia-h100-sxm5-80gb")
DEVICES: dict[str, tuple[str, ...]] = {
    "the common devices": (),
    "a card": (CARD,),
    "three cards": CARDS,
    "six devices": (*CARDS, "raspberry-pi-5", "nvidia-rtx-3090", "nvidia-a10"),
}

CHANGE = """(() => { const field = document.querySelector('.controls [name=batch]'), start = performance.now();
    for (let batch = 2; batch < 12; batch += 1) { field.value = batch; field.dispatchEvent(new Event('input')); }
    return (performance.now() - start) / 10; })()"""
"""Ten changes of a control, with all that the page shows of them."""


def words(devices: Sequence[str]) -> list[str]:
    return [word for name in devices for word in ("--hardware", name)]


@pytest.mark.parametrize("command", ["fit", "report"])
@pytest.mark.parametrize("devices", DEVICES)
@pytest.mark.benchmark(group="a page")
def test_making(benchmark: Any, tmp_path: Path, command: str, devices: str) -> None:
    """Whole processes, as a user waits for them."""
    asked = [sys.executable, "-m", "archcost", command, NETWORK, *words(DEVICES[devices])]
    output = tmp_path / "page.html"
    saved = ["-o", str(output)] if command == "report" else []
    benchmark.extra_info["tool"] = f"{command}, {devices}"
    benchmark.pedantic(
        lambda: subprocess.run([*asked, *saved], check=True, capture_output=True), rounds=5, warmup_rounds=1
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.mark.parametrize("network", [NETWORK, DEEP])
@pytest.mark.benchmark(group="a control of the page")
def test_a_control(benchmark: Any, browser: Any, tmp_path: Path, network: str) -> None:
    """Seconds are the browser's own, told to the benchmark in place of its clock."""
    file = tmp_path / "page.html"
    archcost.report_page(network, hardware=CARDS).save(file)
    page = Opened(browser, file)
    page.run(CHANGE)
    benchmark.extra_info["tool"] = f"{network}, {len(archcost.cost(network).layers):,} layers"
    benchmark.extra_info["seconds"] = sorted(page.run(CHANGE) / 1e3 for _ in range(9))[4]
    benchmark.pedantic(lambda: page.run(CHANGE), rounds=1)
