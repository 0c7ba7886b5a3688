"""Boxes and arrows in the words of Graphviz and of Mermaid."""

from __future__ import annotations

from collections.abc import Mapping

from archcost.pictures.boxes import FOLDED, INPUT, Boxes

FILLS: Mapping[str, str] = {
    INPUT: "#F0E442",
    "convolution": "#9CC9E8",
    "linear": "#8FD3BE",
    "attention": "#E7BFD5",
    "recurrent": "#E7BFD5",
    "normalization": "#F6D79B",
    "pooling": "#F0B48F",
    "upsampling": "#F0B48F",
    FOLDED: "#E6E6E6",
}
"""By the family of a layer: tints of the colours of `style`, light enough for black letters. White is any other."""

WHITE = "#FFFFFF"


def dot(drawn: Boxes, mark: str, title: str) -> str:
    """A file of Graphviz, by the DOT language's grammar."""
    lines = [f"// {mark}", f"digraph {_quoted(title)} {{", f"  label={_quoted(title)};"]
    lines.append('  node [shape=box, style=filled, fontname="sans-serif", fontsize=10];')
    for number, box in enumerate(drawn.boxes):
        words = "\\n".join(_escaped(line) for line in (box.name, *box.lines))
        more = ", shape=ellipse" if box.family == INPUT else ", peripheries=2" if box.is_output else ""
        lines.append(f'  n{number} [label="{words}", fillcolor="{FILLS.get(box.family, WHITE)}"{more}];')
    for arrow in drawn.arrows:
        look = ' [style=dashed, label="weight"]' if arrow.is_weight else ""
        lines.append(f"  n{arrow.source} -> n{arrow.target}{look};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    plain = "".join(each if each.isprintable() else " " for each in text)
    return plain.replace("\\", "\\\\").replace('"', '\\"')


def mermaid(drawn: Boxes, mark: str, title: str) -> str:
    """A flowchart of Mermaid. What it would read as its own words, or as HTML, is spelled as entities."""
    lines = ["---", f'title: "{_yaml(title)}"', "---", "flowchart TD", f"%% {mark}"]
    for number, box in enumerate(drawn.boxes):
        words = "<br/>".join([f"<b>{_entities(box.name)}</b>", *map(_entities, box.lines)])
        opening, closing = ('(["', '"])') if box.family == INPUT else ('[["', '"]]') if box.is_output else ('["', '"]')
        lines.append(f"  n{number}{opening}{words}{closing}")
    lines += [
        f"  n{each.source} {'-. weight .->' if each.is_weight else '-->'} n{each.target}" for each in drawn.arrows
    ]
    families = [family for family in FILLS if any(box.family == family for box in drawn.boxes)]
    for index, family in enumerate(families):
        members = ",".join(f"n{number}" for number, box in enumerate(drawn.boxes) if box.family == family)
        lines += [
            f"  classDef f{index} fill:{FILLS[family]},stroke:#333,color:#000",
            f"  class {members} f{index}",
        ]
    return "\n".join([*lines, ""])


def fenced(drawn: Boxes, mark: str, title: str) -> str:
    """The same in Markdown, as GitHub draws it."""
    return f"<!-- {mark} -->\n```mermaid\n{mermaid(drawn, mark, title)}```\n"


def _entities(text: str) -> str:
    plain = "".join(each if each.isprintable() else " " for each in text)
    named = {"&": "#amp;", "<": "#lt;", ">": "#gt;", '"': "#quot;"}
    return "".join(named.get(each, f"#{ord(each)};" if each in "#`\\*_" else each) for each in plain)


def _yaml(title: str) -> str:
    return _escaped(title).replace("`", "'")
