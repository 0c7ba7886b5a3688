"""Where text is shown: how wide that is, and whether it has colours. A colour repeats what a word says."""

from __future__ import annotations

import re
from typing import NamedTuple


class Screen(NamedTuple):
    """`width` is None where text goes to a file or through a pipe: then nothing of it is cut."""

    width: int | None = None
    colour: bool = False

    @property
    def prose(self) -> int:
        """Columns after which a line of prose is broken; wider ones are hard to read."""
        return WIDTH if self.width is None else min(self.width, WIDTH)

    def heading(self, text: str) -> str:
        return f"\x1b[1m{text}\x1b[0m" if self.colour and text.strip() else text

    def sentence(self, text: str) -> str:
        """Prose that may begin with a verdict."""
        return SENTENCE.sub(lambda said: verdict(said.group()), text) if self.colour else text


def verdict(word: str) -> str:
    """In its colour, where it has one; spaces around it stay."""
    code = VERDICTS.get(word.strip())
    return f"\x1b[{code}m{word}\x1b[0m" if code else word


WIDTH = 120
ANYWHERE = Screen()

GREEN, YELLOW, RED = "32", "33", "31"
VERDICTS = {
    "yes": GREEN,
    "fits": GREEN,
    "Fits": GREEN,
    "tight": YELLOW,
    "Tight": YELLOW,
    "changed": YELLOW,
    "no": RED,
    "does not fit": RED,
    "Does not fit": RED,
}
SENTENCE = re.compile(r"\A(Fits|Tight|Does not fit)\b")
COLUMNS = ("fits", "verdict")
"""Headers of columns whose cells are verdicts."""
