"""How long a page takes to make, and how soon its controls answer in a browser; skipped in the ordinary suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import archcost
from archcost.planning import fit
from tests.page.browser import Opened, launched

NETWORK, DEEP = "resnet50", "olmo2_13b"
CARD = "nvidia-rtx-4090"
CARDS = (CARD, "nvidia-t4", "nvidia-h100-sxm5-80gb")

CHANGE = """(() => { const field = document.querySelector('.controls [name=batch]'), start = performance.now();
    for (let batch = 2; batch < 12; batch += 1) { field.value = batch; field.dispatchEvent(new Event('input')); }
    return (performance.now() - start) / 10; })()"""
"""Ten changes of a control, with all that the page shows of them."""


def made() -> dict[str, Callable[[], object]]:
    spec = archcost.load(NETWORK)
    return {
        "archcost fit, the common devices": lambda: fit(spec),
        "archcost report, the common devices": lambda: archcost.report_page(spec).to_html(),
        f"archcost fit, {len(CARDS)} cards": lambda: fit(spec, hardware=CARDS),
        f"archcost report, {len(CARDS)} cards": lambda: archcost.report_page(spec, hardware=CARDS).to_html(),
    }


@pytest.mark.parametrize("tool", made())
@pytest.mark.benchmark(group=f"a page on {NETWORK}")
def test_making(benchmark: Any, tool: str) -> None:
    benchmark.extra_info["tool"] = tool
    benchmark.pedantic(made()[tool], rounds=3, warmup_rounds=1)


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
