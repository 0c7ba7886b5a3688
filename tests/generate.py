"""`make docs`: write again every file that is made from the code. Tests compare each with what this would write."""

from __future__ import annotations

from archcost.cli import main as archcost
from archcost.comparison import totals
from archcost.spec import zoo
from tests import add_a_layer, answers_page, api_page, command_line_page, layer_index, layer_pages, notebooks, releases
from tests.collections import page as coverage
from tests.documents import PAGES, ROOT, refresh
from tests.large_programs import (
    adapters_page,
    families_page,
    liger,
    optimizer_rows,
    other_families,
    peft_rows,
    quantised_page,
)
from tests.measurements import brackets, cpu_times, runs
from tests.measurements import page as measurements
from tests.measurements.boards import page as calibrations
from tests.onnx_programs import node_page as onnx_node_tests
from tests.onnx_programs import packages as onnx_packages
from tests.onnx_programs import quantised_page as onnx_quantised
from tests.own import page as own_layer
from tests.specs.variants import shortening

RENEWED = {
    adapters_page.PAGE: lambda _: adapters_page.page(adapters_page.read()),
    add_a_layer.GUIDE: lambda _: add_a_layer.page(),
    add_a_layer.ARCHITECTURE: add_a_layer.renew,
    answers_page.PAGE: lambda _: answers_page.page(),
    api_page.PAGE: api_page.renew,
    command_line_page.PAGE: lambda _: command_line_page.page(),
    coverage.PAGE: coverage.renew,
    releases.PAGE: releases.renew,
    measurements.PAGE: measurements.renew,
    onnx_node_tests.PAGE: lambda _: onnx_node_tests.page(),
    liger.PAGE: lambda _: liger.page(),
    peft_rows.PAGE: lambda _: peft_rows.page(),
    quantised_page.PAGE: lambda _: quantised_page.page(),
    optimizer_rows.PAGE: lambda _: optimizer_rows.page(),
    onnx_packages.PAGE: lambda _: onnx_packages.page(onnx_packages.read_results()),
    onnx_quantised.PAGE: lambda _: onnx_quantised.page(),
    calibrations.PAGE: lambda text: refresh(calibrations.renew(text)),
    families_page.PAGE: lambda _: families_page.page(),
    other_families.PAGE: lambda _: other_families.page(other_families.read()),
    own_layer.PAGE: lambda _: own_layer.page(),
    runs.PAGE: runs.renew,
    cpu_times.PAGE: cpu_times.renew,
}
"""Pages with tables from the code; in the others, commands are run again."""

LOCKS = ROOT / "tests" / "locks"
"""A table of layers for each network that ships, of deep ones for two of their layers."""


def main() -> None:
    layer_index.renew()
    layer_pages.renew()
    archcost(["schema", "-o", str(zoo.folder() / "schema.json")])
    (zoo.folder() / totals.FILE).write_text(totals.text(), encoding="utf-8")
    for locked in LOCKS.glob("*.lock"):
        locked.unlink()  # else those of networks that are gone would stay
    for name in zoo.names():
        settings = [word for setting in shortening(name) for word in ("--set", setting)]
        archcost(["lock", name, *settings, "-o", str(LOCKS / f"{name}.lock")])
    measurements.BANDS.write_text(measurements.bands(), encoding="utf-8")
    brackets.LIMITS.write_text(brackets.limits_file(brackets.read()), encoding="utf-8")
    for page in PAGES:
        text = page.read_text()
        renewed = RENEWED.get(page, refresh)(text)
        if renewed != text:
            page.write_text(renewed)
            print(f"wrote {page.name}")
    notebooks.renew()


if __name__ == "__main__":
    main()
