"""`Picture`: a drawing that is made when somebody asks, with the words that say the same, and the files it can be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archcost.errors import ArchcostError, nearest, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Kind = Literal["timeline", "roofline", "layers", "volumes", "graph", "pareto", "error"]

DRAWN = ("svg", "png", "pdf")
"""Endings of files that matplotlib draws."""

MARK = "archcost picture: "
"""Begins the line, or the field, by which a file is known as a picture of ours."""

_MARKED = re.compile(rb"archcost picture: ([a-z]+ of [A-Za-z0-9_.]+)")


def mark_of(content: bytes) -> bytes | None:
    """The mark in a file, of whatever format; None where there is none, so that it is no picture of ours."""
    found = _MARKED.search(content)
    return found and found.group(1)


NO_TEXTS: Mapping[str, Callable[[], str]] = {}


@dataclass(frozen=True, repr=False)
class Picture:
    """A picture of one kind. `description` says in words what is drawn, for those who do not see it."""

    kind: Kind
    network: str
    title: str
    description: str
    draw: Callable[[], Figure] = field(repr=False)
    texts: Mapping[str, Callable[[], str]] = field(default_factory=lambda: NO_TEXTS, repr=False)
    """By its ending, what a graph is in other programs' words. These need no matplotlib."""

    def __repr__(self) -> str:
        return f"<Picture: {self.title}>"

    def _repr_svg_(self) -> str:
        return self.content("svg").decode()

    @property
    def mark(self) -> str:
        """What it is, in letters that stand unescaped in every format."""
        return f"{MARK}{self.kind} of {re.sub('[^A-Za-z0-9_.]+', '_', self.network)[:80]}"

    @cached_property
    def figure(self) -> Figure:
        """matplotlib's Figure, of no window and no pyplot. Raises ArchcostError where matplotlib is not installed."""
        require_matplotlib()
        from archcost.pictures.style import laid_out, styled

        with styled():
            return laid_out(self.draw())

    def content(self, ending: str) -> bytes:
        """The file with that ending (`svg`). Raises ArchcostError for one that this kind cannot be."""
        if ending in self.texts:
            return self.texts[ending]().encode()
        require_ending(f"picture.{ending}", self.kind)
        figure = self.figure
        from archcost.pictures.style import encoded

        return encoded(figure, ending, self)

    def save(self, path: str | Path) -> None:
        """Write the file that the path's ending asks for, whole or not at all. Raises ArchcostError."""
        from archcost.files.write import write_whole

        write_whole(path, self.content(require_ending(path, self.kind)))


GRAPH_TEXTS = ("dot", "gv", "mmd", "md")
"""Endings of Graphviz' and of Mermaid's files."""


def endings(kind: Kind) -> tuple[str, ...]:
    return (*DRAWN, *GRAPH_TEXTS) if kind == "graph" else DRAWN


def require_ending(path: str | Path, kind: Kind) -> str:
    """The ending of the path, in small letters. Raises ArchcostError where a picture of that kind cannot be such."""
    ending = Path(path).suffix.removeprefix(".").lower()
    known = endings(kind)
    if ending not in known:
        raise ArchcostError(
            f"{path}: what format that is, its ending does not say",
            expected=f"of a picture of kind {kind}: {', '.join(f'.{each}' for each in known)}",
            found=f".{ending}" if ending else "no ending",
            hint=nearest(ending, known) or ("--kind graph" if ending in GRAPH_TEXTS else None),
        )
    return ending


def require_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        raise ArchcostError(
            "pictures are drawn by matplotlib, which is not installed",
            expected="the extra `plot`",
            hint="pip install 'archcost[plot]'",
        )


def no_data(kind: Kind, network: str, missing: str, expected: str, hint: str | None = None) -> ArchcostError:
    """What is said where there is nothing to draw."""
    return ArchcostError(f"{shorten(network)}: no {kind} without {missing}", expected=expected, found="none", hint=hint)
