"""docs/layers: a page for each family, made from the layers themselves, and the examples that they and
`archcost layers TYPE` show. `python -m tests.generate` writes them; tests/test_layer_pages.py compares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from archcost.costs.layer_types import EXAMPLES, Example, LayerType, example_line, layer_types
from archcost.layers import LAYERS, Layer
from archcost.report.layer_types import COUNTED, DROPPED, KEPT, counted_rows, dropped_rows, kept_rows
from tests.layers import every_row
from tests.layers.keeping_variants import VARIANTS

FOLDER = Path(__file__).parents[1] / "docs" / "layers"

HEAD = """\
# {title}

Made by `make docs` from the layers themselves. What is counted is said in [conventions.md](../conventions.md), what is
kept and why in [what_is_kept.md](../what_is_kept.md). `archcost layers TYPE` shows one type in full.
"""

INDEX = """\
# The layers

What a spec can name as `type`, by family: how many weights and operations each has, and what it keeps for backward.
In Python the classes have the names of torch: `archcost.layers.Conv2d`.

"""

Rows = Callable[[Iterable[Example]], Iterable[tuple[str, ...]]]


def examples() -> str:
    """For each type the first row of each kind of arithmetic, of each way of keeping, and of making and dropping."""
    lines: list[str] = []
    rows = [Example(row.layer, row.input_types) for row in (*every_row(), *VARIANTS)]
    for type_ in sorted(LAYERS):
        own = [example for example in rows if example.layer.type == type_]
        lines += [example_line(each.layer, each.inputs) for each in _telling(own)]
    return "".join(lines)


def _telling(examples: list[Example]) -> Iterator[Example]:
    seen: set[object] = set()
    for example in examples:
        ways = [("work", example.work, _formula(example.layer))]
        if example.has_gradient:
            ways += [("kept", example.keeping.words, ""), ("made", example.made_and_dropped.words, "")]
        if not seen.issuperset(ways):
            seen.update(ways)
            yield example


def _formula(layer: Layer) -> str:
    """What decides which formula a layer works by."""
    return str([getattr(layer, name, None) for name in ("approximate", "mode", "training")])


def pages() -> dict[Path, str]:
    """By path what each page should be."""
    families: dict[str, list[LayerType]] = {}
    for each in layer_types().types:
        families.setdefault(each.family, []).append(each)
    made = {f"{family}.md": _page(family, types) for family, types in families.items()}
    return {FOLDER / name: text for name, text in {"index.md": _index(families), **made}.items()}


def _index(families: dict[str, list[LayerType]]) -> str:
    rows = [("family", "types"), ("---", "---")]
    for family, types in sorted(families.items()):
        rows.append((f"[{_title(family)}]({family}.md)", ", ".join(f"`{each.type}`" for each in types)))
    return INDEX + "".join(f"| {first} | {second} |\n" for first, second in rows)


def _title(family: str) -> str:
    return family.replace("_", " ").capitalize()


def _page(family: str, types: list[LayerType]) -> str:
    parts = [HEAD.format(title=_title(family)), *(f"- `{each.type}`: {each.description}\n" for each in types)]
    counted = table(types, COUNTED, counted_rows)
    kept, dropped = table(types, KEPT, kept_rows), table(types, DROPPED, dropped_rows)
    for title, text in (("What is counted", counted), ("What is kept", kept), ("What is made and dropped", dropped)):
        if text:
            parts.append(f"\n## {title}\n\n{text}")
    notes = [f"- `{each.type}`: {each.counting}\n" for each in types if each.counting]
    if notes:
        parts.append("\n## How operations come about\n\n" + "".join(notes))
    return parts[0] + "\n" + "".join(parts[1:])


def table(types: Iterable[LayerType], head: tuple[str, ...], rows: Rows) -> str:
    """In Markdown; the type stands in its first line."""
    lines: list[tuple[str, ...]] = []
    for each in types:
        for number, row in enumerate(rows(each.examples)):
            lines.append((f"`{each.type}`" if number == 0 else "", f"`{row[0]}`" if row[0] else "", *row[1:]))
    if not lines:
        return ""
    ruled = [("layer", *head), ("---",) * (len(head) + 1), *lines]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in ruled)


def renew() -> None:
    EXAMPLES.write_text(examples(), encoding="utf-8")
    FOLDER.mkdir(parents=True, exist_ok=True)
    made = pages()
    for stale in {*FOLDER.glob("*.md")} - made.keys():
        stale.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
