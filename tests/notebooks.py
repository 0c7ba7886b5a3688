"""The first tutorials as notebooks, made from their Markdown: docs/tutorials/NAME.ipynb beside NAME.md.

Without outputs: the page shows them, and a notebook is there to be run. A doctest becomes the cell that one would have
typed, `$ archcost …` becomes `!archcost …`, and what the page folds away has its source folded. A comment
`<!-- notebook … -->` is a cell of the notebook alone: a result that shows itself as a table or a picture.
"""

from __future__ import annotations

import ast
import doctest
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.documents import ROOT, commands

FOLDER = ROOT / "docs" / "tutorials"
NAMES = ("count_vgg", "two_towers", "four_ways_up")

PART = re.compile(r"^```(\w*)\n(.*?)^```$|^<!-- (notebook)\n(.*?)^-->$", re.MULTILINE | re.DOTALL)
FOLD = re.compile(r"^</?details>\n?|^<summary>(.*)</summary>$", re.MULTILINE)

Cell = dict[str, Any]


def files() -> dict[Path, str]:
    """By path what each notebook should be."""
    return {FOLDER / f"{name}.ipynb": notebook((FOLDER / f"{name}.md").read_text()) for name in NAMES}


def notebook(page: str) -> str:
    """nbformat 4.5, with cells numbered in place of random ids."""
    numbered = [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells(page), 1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    whole = {"cells": numbered, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def cells(page: str) -> Iterator[Cell]:
    place, folded = 0, False
    for part in PART.finditer(page):
        sources = list(_sources(part.group(1) or part.group(3), part.group(2) or part.group(4)))
        if not sources:
            continue  # a file that is shown stays in the text
        text = page[place : part.start()]
        place = part.end()
        yield from _text(text)
        folded = text.rfind("<details>") > text.rfind("</details>") or (folded and "</details>" not in text)
        yield from (_code(source, folded) for source in sources)
    yield from _text(page[place:])


def _sources(language: str, block: str) -> Iterable[str]:
    match language:
        case "python":
            return _typed(block)
        case "console":
            return [f"!{command}" for command in commands(block)]
        case "notebook":
            return [block.rstrip()]
        case _:
            return []


def _typed(block: str) -> Iterator[str]:
    """A cell ends with what shows something, as a notebook shows the last value of a cell alone."""
    lines = ""
    for example in doctest.DocTestParser().get_examples(block):
        lines += example.source
        if example.want:
            yield lines.rstrip()
            lines = ""
    if lines:
        yield lines.rstrip()


def _text(text: str) -> Iterator[Cell]:
    shown = FOLD.sub(lambda fold: f"**{fold.group(1)}**" if fold.group(1) else "", text).strip()
    if shown:
        yield {"cell_type": "markdown", "metadata": {}, "source": shown.splitlines(keepends=True)}


def _code(source: str, folded: bool) -> Cell:
    metadata = {"jupyter": {"source_hidden": True}} if folded else {}
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": metadata,
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


def run(text: str, shell: Any) -> Iterator[tuple[str, Any]]:
    """Each code cell in order with the value that a notebook would show; `shell` answers what begins with `!`."""
    names: dict[str, Any] = {}
    for cell in json.loads(text)["cells"]:
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            yield source, shell(source[1:]) if source.startswith("!") else _value(source, names)


def _value(source: str, names: dict[str, Any]) -> Any:
    """Of the last expression of a cell; None where it ends with another statement."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
    return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if isinstance(last, ast.Expr) else None


def renew() -> None:
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
