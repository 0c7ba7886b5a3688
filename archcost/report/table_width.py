"""A table that is too wide for a screen, made narrower: no number is cut, and no two names become one."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Literal

LEAST = 14
LEAST_PROSE = 24
MOST_WORD = 40
WHOLE = re.compile("[█▒░]|[0-9]×[0-9]")
"""Bars and shapes are not cut."""

Cell = list[str]
"""The lines of a cell."""


def fitted(
    rows: Sequence[Sequence[str]], aligns: Sequence[Literal["left", "right"]], width: int
) -> tuple[list[list[Cell]], list[int]]:
    """The lines of each cell, and the widths of the columns, one space apart; the first row has the headers.

    Headers are broken between words first; then texts, which are what else is aligned to the left: the last column,
    those within, the first. A word that is too long by itself, as a name, loses its middle. A table may stay too wide.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    last = len(columns) - 1
    headers = [textwrap.wrap(column[0], max(_natural(column), _longest_word(column[:1]), 1)) for column in columns]
    widths = [max(_natural(column), *map(len, lines or [""])) for column, lines in zip(columns, headers, strict=True)]
    texts = [
        place for place, align in enumerate(aligns) if align == "left" and not any(map(WHOLE.search, columns[place]))
    ]
    for places in ([last], range(1, last), [0]):
        least = {place: _least(columns[place], place == last) for place in places if place in texts}
        _shrink(widths, least, width - last)
    cells: list[list[Cell]] = []
    for place, (header, column) in enumerate(zip(headers, columns, strict=True)):
        lines, widths[place] = _broken(column[1:], widths[place])
        cells.append([header, *lines])
    return [list(row) for row in zip(*cells, strict=True)], widths


def _natural(column: Sequence[str]) -> int:
    return max(map(len, column[1:]), default=0)


def _longest_word(texts: Sequence[str]) -> int:
    return max((len(word) for text in texts for word in text.split()), default=0)


def _least(column: Sequence[str], is_last: bool) -> int:
    """Names may be cut; what has several words is at least as wide as the longest of them."""
    prose = [text for text in column[1:] if " " in text]
    least = max(LEAST, min(_longest_word(prose), MOST_WORD), _longest_word(column[:1]))
    return max(least, LEAST_PROSE) if prose and is_last else least


def _shrink(widths: list[int], least: Mapping[int, int], room: int) -> None:
    """Those columns, the widest first, as far as each may."""
    while sum(widths) > room:
        left = [place for place in least if widths[place] > least[place]]
        if not left:
            return
        widths[max(left, key=lambda place: widths[place])] -= 1


def _broken(texts: Sequence[str], width: int) -> tuple[list[Cell], int]:
    """Of as many columns or, where it takes that for texts that differ to differ still, more."""
    if max(map(len, texts), default=0) <= width:
        return [[text] for text in texts], width
    apart = len(set(texts))
    while True:
        cells = [_lines(text, width) for text in texts]
        if len({tuple(cell) for cell in cells}) == apart:
            return cells, width
        width += 1


def _lines(text: str, width: int) -> Cell:
    if len(text) <= width:
        return [text]
    if " " not in text:
        return [middle(text, width)]
    words = [middle(word, width) for word in text.split()]
    return textwrap.wrap(" ".join(words), width, break_on_hyphens=False) or [""]


def middle(word: str, width: int) -> str:
    """`stage1.bl…lu.conv2`, of so many characters."""
    if len(word) <= width:
        return word
    head = (width - 1) // 2
    return f"{word[:head]}…{word[len(word) - (width - 1 - head) :]}"
