"""`report_page`: what archcost knows of one or more networks, as a single file that opens offline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any, cast
from urllib.parse import quote

from archcost import __version__
from archcost import hardware as profiles
from archcost.comparison.compare import Comparison, side_by_side
from archcost.errors import ArchcostError, listing
from archcost.files.stage import tell_stage
from archcost.files.write import write_whole
from archcost.hardware.calibration import Calibration
from archcost.page import bundle, comparison, curves, rows, sections
from archcost.page.answers import Answer, answers, offered
from archcost.page.html import Html, joined, tag, text
from archcost.page.live import live
from archcost.passes.run import Run
from archcost.spec.given import Network, spec_of
from archcost.times.choose import run_by


@dataclass(frozen=True)
class Page:
    """A page, which is written when it is asked for."""

    answers: tuple[Answer, ...]
    compared: Comparison | None
    live: dict[str, Any] = field(repr=False)
    """What the controls are worked out from."""

    @property
    def headline(self) -> str:
        """Of what it is, in a line."""
        return f"a page on {listing([answer.name for answer in self.answers], 3)}"

    def __repr__(self) -> str:
        return f"<Page: {self.headline}>"

    def to_html(self) -> str:
        """The whole file. Raises ArchcostError where Bokeh, the extra `report`, is not installed."""
        return self._html

    def save(self, path: str | Path) -> None:
        """Write it whole or not at all. Raises ArchcostError where that cannot be."""
        write_whole(path, self._html.encode())

    @cached_property
    def _html(self) -> str:
        scripts = bundle.scripts()
        names = [answer.name for answer in self.answers]
        return Template(bundle.asset("page.html")).substitute(
            opening=opening(names),
            policy=text(bundle.policy(scripts)),
            version=__version__,
            title=text(f"{listing(names, 3)}: what it costs"),
            style=bundle.asset("page.css"),
            heading=text(" and ".join(names) if len(names) < 3 else listing(names, 3)),
            setting=text(_setting(self.answers[0])),
            contents=_contents(self),
            articles=joined([_article(answer, place, self) for place, answer in enumerate(self.answers)]),
            compared="" if self.compared is None else comparison.section(self.answers, self.compared),
            data=embedded(_data(self)),
            scripts="\n".join([f"<script>{script}</script>" for script in scripts]),
        )


def report_page(
    networks: Network | Sequence[Network],
    batch: int = 1,
    *,
    hardware: Any = (),
    run: Run | None = None,
    engine: str | None = None,
    calibration: Calibration | None = None,
    **settings: Any,
) -> Page:
    """One or several networks on the devices named, or on all that ship; `settings` are those of Run, which the page
    starts with. Charts are of the first device that was named, or else of the smallest
    recent GPU with runs on which all are safe.

    Raises ArchcostError for a wrong input, and where Bokeh, the extra `report`, is not installed.
    """
    bundle.bokeh()  # before anything is worked out
    given = [networks] if isinstance(networks, str) or not isinstance(networks, Sequence) else networks
    specs = [spec_of(network) for network in cast("Sequence[Network]", given)]
    if not specs:
        raise ArchcostError("no network to report on", expected="one at the least")
    twice = [spec.label for place, spec in enumerate(specs) if spec.label in [each.label for each in specs[:place]]]
    if twice:
        raise ArchcostError("a network is named twice", expected="each network once", found=listing(twice, 3))
    tell_stage(specs[0].label)
    chosen = run_by(run or Run(**settings), engine)
    named = profiles.profiles_of(hardware)
    found = answers(specs, batch, named, chosen, engine, calibration)
    return Page(
        found,
        side_by_side([answer.cost for answer in found]) if len(found) > 1 else None,
        live(specs, offered(found, named), chosen, batch=batch, engine=engine, calibration=calibration),
    )


def opening(networks: Sequence[str]) -> str:
    """The first line of a page on these networks, by which `archcost report -o` knows the one before."""
    return f"<!doctype html><!-- archcost report: {' '.join([quote(name) for name in networks])} -->"


def embedded(data: Any) -> str:
    """JSON that no parser of HTML takes for anything else, whatever the names in it are."""
    written = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return written.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _data(page: Page) -> dict[str, Any]:
    networks = [
        {
            "name": answer.name,
            "layers": rows.layer_table(answer),
            "memory": curves.memory(answer),
            "roofline": curves.roofline(answer),
        }
        for answer in page.answers
    ]
    return {"networks": networks, "live": page.live}


def _setting(answer: Answer) -> str:
    return f"batch {answer.cost.batch:,}, {sections.setting(answer)}"


SECTIONS = (
    ("live", "Another setting"),
    ("cost", "Where the cost is"),
    ("layers", "Layers"),
    ("memory", "Memory through a step"),
    ("time", "Time of a step"),
    ("devices", "Devices"),
    ("about", "What the numbers are"),
)


def _contents(page: Page) -> Html:
    """Links to the sections; of several networks, to each of them."""
    if len(page.answers) == 1:
        links = [(f"{name}-0", title) for name, title in SECTIONS]
    else:
        links = [("compared", "Side by side"), *[(f"network-{i}", each.name) for i, each in enumerate(page.answers)]]
    return joined([tag("a", title, href=f"#{target}") for target, title in links])


def _article(answer: Answer, place: int, page: Page) -> Html:
    made = {
        "live": tag("div", class_="live"),
        "cost": tag("div", class_="shares"),
        "layers": tag("div", class_="layers"),
        "memory": sections.memory(answer),
        "time": sections.time(answer),
        "devices": sections.devices(answer),
        "about": sections.about(answer),
    }
    head = [tag("h2", answer.name)] if len(page.answers) > 1 else []
    named = [tag("p", said, class_="lead") for said in (sections.title(answer), answer.spec.citation) if said]
    inside = [
        tag("section", tag("h3", title, id=f"{name}-{place}"), made[name], aria_labelledby=f"{name}-{place}")
        for name, title in SECTIONS
    ]
    return tag(
        "article", *head, *named, sections.key_figures(answer), *inside, id=f"network-{place}", data_network=place
    )
