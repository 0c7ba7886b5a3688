"""Every heading of a report stands in docs/glossary.md."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any, get_args

import pytest

import archcost
from archcost.comparison.compare import side_by_side
from archcost.costs.events import Phase
from archcost.costs.program import ROLES
from archcost.estimates.verdict import Verdict
from archcost.report.document import Document, Drawing, Facts, Part, Table
from archcost.report.fit import PRICES
from archcost.report.plan import STATUS
from archcost.report.verification import DIFFERENCE_COLUMNS, GROUP_COLUMNS
from tests.documents import ROOT

TERMS = {
    term.strip("`")
    for terms in re.findall(r"^- ((?:\*\*[^*]+\*\*(?:, )?)+):", (ROOT / "docs/glossary.md").read_text(), re.MULTILINE)
    for term in re.findall(r"\*\*([^*]+)\*\*", terms)
}

PLAIN = {"", "name", "value", "which is", "note", "change", "device", "date", "year", "size", "shape", "at", "together"}
"""Words of everyday English, in the sense that everybody gives them."""

RUN = {"mode": "train", "optimizer": "adam", "precision": "amp-bf16"}
CARD = "nvidia-rtx-3090"


def shown(kind: str) -> tuple[Any, str]:
    """A result, and the module of `report` that shows it."""
    spec = archcost.load("lenet5")
    match kind:
        case "summary":
            return archcost.cost(archcost.build(spec)), "summary"
        case "times of layers":
            from archcost.report.grouping import Folded

            cost = archcost.cost(archcost.build(spec))
            return Folded(cost, 1, archcost.estimate(spec, hardware=CARD, **RUN)), "summary"
        case "comparison":
            costs = [archcost.cost(archcost.build(archcost.load(name))) for name in ("vgg_a", "vgg_d")]
            return side_by_side(costs), "compare"
        case "estimate":
            return archcost.estimate(archcost.load("resnet18"), 4, hardware=CARD, **RUN), "estimate"
        case "timeline":
            return archcost.timeline(archcost.build(spec), archcost.Run(**RUN)), "timeline"  # pyright: ignore[reportArgumentType]
        case "fit":
            return archcost.fit(spec, hardware=[CARD, "nvidia-t4"], **RUN), "fit"
        case "fit of one":
            return archcost.fit(archcost.load("vgg_e"), 600, hardware=[CARD], **RUN), "fit"
        case "plan":
            return archcost.plan(spec, 64, hardware=[CARD], dataset_size=60_000, epochs=20, price=1.5, **RUN), "plan"
        case "devices":
            return archcost.hardware.shipped(), "hardware"
        case _:
            return archcost.hardware.load(CARD), "hardware"


def headings(parts: tuple[Part, ...]) -> Iterator[str]:
    for part in parts:
        match part:
            case Facts():
                yield from (name for name, _ in part.items)
            case Table():
                yield from (header.removesuffix(", the peak") for header in part.headers)
                if part.headers[0] in ("memory", "FLOPs"):  # a ladder or a sum, whose lines are terms themselves
                    yield from (str(row[0]).lstrip("+−= ") for row in part.all_rows)
            case Drawing():
                yield from headings(tuple(each for each in part.otherwise if isinstance(each, Table)))
            case _:
                pass


REPORTS = ["summary", "times of layers", "comparison", "estimate", "timeline", "fit", "fit of one", "plan"]
REPORTS += ["devices", "a device"]  # pyright: ignore[reportConstantRedefinition]


@pytest.mark.parametrize("kind", REPORTS)
def test_headings_of_reports_are_explained(kind: str) -> None:
    result, module = shown(kind)
    document: Document = import_module(f"archcost.report.{module}").document(result)
    names = {getattr(result, "network", None), *(each.network for each in getattr(result, "networks", ()))}
    sources = set(getattr(result, "sources", ()))
    assert set(headings(document.parts)) - TERMS - PLAIN - names - sources == set()


def test_words_in_reports_are_explained() -> None:
    columns = {column.header for column in (*GROUP_COLUMNS, *DIFFERENCE_COLUMNS)}
    roles = {role.replace("_", " ") for role in ROLES}
    words = {*columns, *roles, *get_args(Phase), *get_args(Verdict), *PRICES.values(), *STATUS}
    assert words - TERMS - PLAIN == set()
