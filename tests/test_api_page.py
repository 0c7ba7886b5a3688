"""docs/api.md has every public name, as it is."""

from __future__ import annotations

import archcost
from tests import api_page


def test_the_page_is_up_to_date() -> None:
    assert api_page.PAGE.read_text() == api_page.page(), "make docs brings the page up to date"


def test_every_public_name_stands_on_it() -> None:
    page = api_page.page()
    functions_and_classes = [name for name in archcost.__all__ if callable(getattr(archcost, name))]
    assert [name for name in functions_and_classes if f"### archcost.{name}\n" not in page] == []


def test_every_doc_is_behind_a_door() -> None:
    """A page that no reader is led to is read by nobody."""
    folder = api_page.PAGE.parent
    index = (folder / "index.md").read_text()
    pages = {page.name for page in folder.glob("*.md")} - {"index.md"}
    assert sorted(name for name in pages if f"({name})" not in index) == []
