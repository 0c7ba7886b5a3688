"""Links between documents lead somewhere, and every page is led to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.documents import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", *DOCS.rglob("*.md")])

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
        assert not anchor or anchor in anchors(target), f"{link} leads to no heading"


def test_every_page_is_led_to() -> None:
    """From docs/index.md on, one link after the other."""
    found, todo = {DOCS / "index.md"}, [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        targets = {(page.parent / link.partition("#")[0]).resolve() for link in links(page)} & {*PAGES}
        todo += targets - found
        found |= targets
    assert sorted({*DOCS.rglob("*.md")} - found) == []
