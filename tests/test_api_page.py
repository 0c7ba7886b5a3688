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
