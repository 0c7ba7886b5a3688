"""How Sphinx makes a site of README.md and docs/: `make site`, which writes build/site/index.html.

The sources are the repository itself, so that a link leads to the same place here as on GitHub: to a page, or to a file
of the repository, which is then copied beside the pages. No page says what stands below it: what an index.md links is
below it, in the order of its tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

project = "archcost"
html_title = "archcost"
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md"]
exclude_patterns = [".*", "build", "dist", "tests", "docs/site"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
nitpicky = True

html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_copyright = False  # README.md says whose it is
html_show_search_summary = False  # which are fetched, and a page on disk may not fetch

DOOR = re.compile(r"^## (.*)$", re.MULTILINE)
PAGE = re.compile(r"\]\((\w+|\w+/index)\.md\)")
PAGE_BELOW = re.compile(r"\]\((\w+/(?!index)\w+)\.md\)")


def contents(text: str, name: str) -> Iterator[tuple[str, list[str]]]:
    """What stands below a page, by captions: each page where it is linked first."""
    if name == root_doc:
        before, *doors = DOOR.split(text)
        seen: set[str] = set()
        for caption, part in [("", before), *zip(doors[::2], doors[1::2], strict=True)]:
            pages = [page for page in dict.fromkeys(PAGE.findall(part)) if page not in seen]
            seen.update(pages)
            yield caption, pages
        yield "The project", ["README <../README>", "Contributing <../CONTRIBUTING>", "Changes <../CHANGELOG>"]
    elif name.startswith("docs/"):
        pattern = PAGE if name.endswith("/index") else PAGE_BELOW
        yield "", [*dict.fromkeys(pattern.findall(text))]


def add_contents(app: Any, name: str, source: list[str]) -> None:
    for caption, pages in contents(source[0], name):
        if pages:
            options = [":hidden:", *([f":caption: {caption}"] if caption else [])]
            source[0] += "\n".join(["", "```{toctree}", *options, "", *pages, "```", ""])


def lead_in(app: Any, error: Exception | None) -> None:
    """The site's front door, which leads to its first page."""
    first = f"{root_doc}.html"
    page = f'<!doctype html><meta http-equiv="refresh" content="0; url={first}"><a href="{first}">archcost</a>\n'
    Path(app.outdir, "index.html").write_text(page, encoding="utf-8")


def setup(app: Any) -> None:
    app.connect("source-read", add_contents)
    app.connect("build-finished", lead_in)
