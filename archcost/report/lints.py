"""What `archcost lint` has found: a paragraph for each, as text, markdown, HTML and rows."""

from __future__ import annotations

import textwrap
from html import escape

from archcost.lints.findings import Lint, Lints
from archcost.report.document import Column, Table
from archcost.report.screen import ANYWHERE, Screen
from archcost.report.writers import markdown_escape

COLUMNS = ("rule", "layer", "place", "problem", "found", "why", "try", "alike")
MOST_NAMED = 3


def text(lints: Lints, screen: Screen = ANYWHERE) -> str:
    blocks = [
        "\n".join([_head(lint), *(_filled(f"  {word}: {said}", screen.prose) for word, said in _said(lint))])
        for lint in lints.lints
    ]
    return "\n\n".join([*blocks, f"{lints.headline}."]) + "\n"


def markdown(lints: Lints) -> str:
    heads = [f"### {markdown_escape(_head(lint))}\n" for lint in lints.lints]
    lists = ["\n".join([f"- {word}: {markdown_escape(said)}" for word, said in _said(lint)]) for lint in lints.lints]
    blocks = [f"{head}\n{each}" for head, each in zip(heads, lists, strict=True)]
    return "\n\n".join([f"## {markdown_escape(lints.headline)}", *blocks]) + "\n"


def html(lints: Lints) -> str:
    """A fragment, for a notebook."""
    blocks = [f"<h3>{escape(lints.headline)}</h3>"]
    for lint in lints.lints:
        said = [f"<li>{word}: {escape(text)}</li>" for word, text in _said(lint)]
        blocks += [f"<h4>{escape(_head(lint))}</h4>", "<ul>", *said, "</ul>"]
    return "\n".join(blocks) + "\n"


def data(lints: Lints) -> Table:
    rows = tuple(
        (
            *(lint.rule, lint.layer, str(lint.place) if lint.place else None, lint.problem),
            *(lint.found, lint.why, lint.hint, ", ".join(lint.alike)),
        )
        for lint in lints.lints
    )
    return Table(tuple(map(Column, COLUMNS)), rows)


def _head(lint: Lint) -> str:
    place = [str(lint.place)] if lint.place else []
    return ": ".join([*place, lint.layer, f"{lint.problem} [{lint.rule}]"])


def _said(lint: Lint) -> list[tuple[str, str]]:
    more = len(lint.alike) - MOST_NAMED
    named = [*lint.alike[:MOST_NAMED], *([f"{more:,} more"] if more > 0 else [])]
    return [
        ("found", lint.found),
        ("why", lint.why),
        ("try", lint.hint),
        *([("so too", ", ".join(named))] if named else []),
    ]


def _filled(line: str, width: int) -> str:
    return textwrap.fill(line, width, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
