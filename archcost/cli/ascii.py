"""What stands for a character that a terminal's encoding does not have: `1x64x112x112`, not `1?64?112?112`."""

from __future__ import annotations

import codecs
import unicodedata

SPELLED = "archcost.spelled"
"""Name of the error handler of codecs that this module registers."""

SPELLINGS = {
    "×": "x",
    "·": "*",
    "−": "-",
    "–": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "√": "sqrt",
    "Σ": "sum",
    "∞": "inf",
    "⌊": "floor(",
    "⌋": ")",
    "⌈": "ceil(",
    "⌉": ")",
    "‖": "|",
    "ᵀ": "^T",
    "²": "^2",
    "³": "^3",
    "█": "#",
    "▒": "+",
    "░": ".",
}
"""Of those that reports are made of. Of letters, their names and what they are without accents."""


def spelled(character: str) -> str:
    if character in SPELLINGS:
        return SPELLINGS[character]
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    if plain:
        return plain
    name = unicodedata.name(character, "")
    return name.rpartition(" ")[2].lower() if name.startswith("GREEK") else "?" * (not unicodedata.combining(character))


def _replace(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    return "".join(map(spelled, error.object[error.start : error.end])), error.end


codecs.register_error(SPELLED, _replace)
