"""What stands in the page beside the numbers: our style and scripts, and Bokeh's own bundle from the installed package.

Bokeh is read as files, since importing it takes longer than most reports.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

from archcost.errors import ArchcostError

BOKEH = ("bokeh.min.js", "bokeh-api.min.js")
"""The library, and `Bokeh.Plotting`, by which a script draws without a document that Python has made."""

OURS = ("format.js", "layers.js", "shares.js", "charts.js", "controls.js", "page.js")


def asset(name: str) -> str:
    return _text("assets", name)


@cache
def _text(*path: str) -> str:
    return resources.files("archcost.page").joinpath(*path).read_text(encoding="utf-8")


def bokeh() -> tuple[str, ...]:
    """The bundle's files. Raises ArchcostError where Bokeh is not installed, or has no such files."""
    found = find_spec("bokeh")
    folders = (found and found.submodule_search_locations) or []
    for folder in folders:
        files = [Path(folder) / "server" / "static" / "js" / name for name in BOKEH]
        if all(file.is_file() for file in files):
            return tuple([_inline(file.read_text(encoding="utf-8")) for file in files])
    raise ArchcostError(
        "a page draws its charts with Bokeh, which is not installed",
        expected="the extra report",
        hint="pip install 'archcost[report]'",
    )


def scripts() -> tuple[str, ...]:
    """All scripts of a page, in their order."""
    ours = "\n".join([_text("live.js"), *[asset(name) for name in OURS]])
    return *bokeh(), f'"use strict";\n(() => {{\n{ours}\n}})();\n'


def _inline(script: str) -> str:
    """A script that ends where its element ends, and not before. In a string of JavaScript `<\\/` is `</`."""
    return script.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "<\\!--")


def policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy: these scripts alone run, and nothing is fetched. Bokeh sets styles of elements."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    allowed = " ".join([f"'sha256-{each}'" for each in hashes])
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
