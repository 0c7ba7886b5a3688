"""Links between documents lead somewhere, and every page is led to."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.documents import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])

FENCED = re.compile(r"^(```+).*?^\1$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+).*?\1", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.*?)\s*$", re.MULTILINE)

ids = {"ids": lambda page: str(page.relative_to(ROOT))}


def links(page: Path) -> Iterator[str]:
    """Those that are relative, outside of code."""
    text = CODE.sub("", FENCED.sub("", page.read_text()))
    return (link for link in LINK.findall(text) if not re.match(r"[a-z]+:", link))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Of headings, as GitHub and the site make them: small letters, a hyphen for each blank, signs left out."""
    found: list[str] = []
    for heading in HEADING.findall(FENCED.sub("", page.read_text())):
        name = re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()).replace(" ", "-")
        found.append(f"{name}-{found.count(name)}" if name in found else name)
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES, **ids)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{link} leads to no file"
        assert target.suffix != ".md" or target in PAGES, f"{link} leads to what is no page of the site"
        assert not anchor or anchor in anchors(target), f"{link} leads to no heading"


def test_every_page_is_in_the_contents_of_the_site() -> None:
    """Which are read off the tables of docs/index.md; without a row there, nobody is led to a page."""
    contents = runpy.run_path(str(DOCS / "site" / "conf.py"))["contents"]
    found, todo = set[Path](), [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        found.add(page)
        for _, below in contents(page.read_text(), str(page.relative_to(ROOT).with_suffix(""))):
            paths = [re.sub(r".*<(.*)>", r"\1", each) for each in below]  # a title may stand before
            todo += {(page.parent / f"{path}.md").resolve() for path in paths} - found
    assert sorted({*PAGES} ^ found) == []
