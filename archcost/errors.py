"""What is said to a user whose input is wrong: where, expected, found, what to do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from os.path import dirname, sep
from traceback import extract_tb
from typing import Any, ClassVar, Self, TypedDict, TypeVar


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Details(TypedDict, total=False):
    """What an error says beside the problem itself."""

    expected: str | None
    found: str | None
    hint: str | None


Mistake = TypeVar("Mistake", bound="ArchcostError")

MOST_TOLD = 10
"""Mistakes of one file that are told at once."""

LONGEST_TOLD = 2_500
"""Characters of them: about a screen."""


class ArchcostError(Exception):
    """A wrong input, told in one message. The command line ends with `exit_code`."""

    exit_code = 2

    others: tuple[ArchcostError, ...] = ()
    """Further mistakes of the same input, each of which stands whether or not this one does."""

    def __init__(
        self,
        problem: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        hint: str | None = None,
        layer: str | None = None,
        place: Place | None = None,
    ) -> None:
        super().__init__(problem)
        self.problem = problem
        self.expected = expected
        self.found = found
        self.hint = hint
        self.layer = layer
        self.place = place

    def at(self, layer: str | None = None, place: Place | None = None) -> Self:
        """The same error with the location filled in where it was still open."""
        located = type(self)(
            self.problem,
            expected=self.expected,
            found=self.found,
            hint=self.hint,
            layer=self.layer or layer,
            place=self.place or place,
        )
        located.others = self.others
        return located

    def __str__(self) -> str:
        """This mistake and the others, a blank line between two."""
        told = [self.alone()]
        for other in self.others[: MOST_TOLD - 1]:
            if len(text := other.alone()) + sum(map(len, told)) > LONGEST_TOLD:
                break
            told.append(text)
        more = 1 + len(self.others) - len(told)
        return "\n\n".join([*told, *([f"… and {more:,} more"] if more else [])])

    def alone(self) -> str:
        """This mistake without the others."""
        head = ": ".join(str(part) for part in (self.place, self.layer, self.problem) if part)
        details = (("expected", self.expected), ("found", self.found), ("try", self.hint))
        return "\n".join([head, *(f"  {label}: {text}" for label, text in details if text)])


class SpecError(ArchcostError):
    """A declaration that cannot be read, or that contradicts itself."""

    rest: Any = None
    """A spec without the entries that are wrong, where enough is left to look for more mistakes in it."""


class ShapeError(SpecError):
    """A layer that cannot take the tensors it is given."""


class Worded:
    """How a report of pydantic's on a declaration becomes an error. `archcost.spec` has the words, and layers stand
    below it, so the package says it here.
    """

    by: ClassVar[Callable[[Any, Mapping[str, Any], type], SpecError]]
    """(report, the fields that were given, the class that was called) → the error."""


class CheckError(ArchcostError):
    """The input is fine, but a comparison failed."""

    exit_code = 1


def together(mistakes: Sequence[Mistake]) -> Mistake:
    """Mistakes of one input as one error: the first, with the others behind it. Those given stay as they are."""
    first = mistakes[0].at()
    first.others = (*first.others, *(one for mistake in mistakes[1:] for one in (mistake, *mistake.others)))
    return first


MOST_COMPARED = 2_000


def nearest(word: str, known: Iterable[str], count: int = 3) -> str | None:
    """`did you mean` for a misspelt word: the nearest known ones, or None when nothing is near."""
    import difflib  # only errors need it

    compared = sorted(islice(known, MOST_COMPARED))
    matches = difflib.get_close_matches(word[:100], compared, n=count, cutoff=0.6)
    return " or ".join(repr(match) for match in matches) or None


def listing(words: Collection[str], most: int = 20) -> str:
    """`a, b, c`, cut where it would flood the terminal."""
    more = f", … ({len(words):,} in all)" if len(words) > most else ""
    return ", ".join(word[:100] for word in islice(words, most)) + more


def shorten(value: object, width: int = 60) -> str:
    """`repr` of a found value, cut so that a hostile file cannot flood the terminal."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**40:
        return "an integer of more than 40 digits"
    if isinstance(value, str) and len(value) > width:
        return f"{value[:width]!r}… ({len(value):,} characters)"
    text = repr(value)
    return text if len(text) <= width else text[:width] + "…"


def first_line(error: BaseException) -> str:
    return shorten(str(error).strip().partition("\n")[0] or type(error).__name__, 300)


def line_of(error: BaseException) -> Place | None:
    """The last line on the way to a mistake that is the user's own, not archcost's or that of what it stands on."""
    if isinstance(error, SyntaxError) and error.filename:
        return Place(error.filename, error.lineno or 1, error.offset or 1)
    others = (f"{dirname(__file__)}{sep}", f"{sep}torch{sep}", f"{sep}pydantic{sep}", f"{sep}importlib{sep}", "<frozen")
    own = [frame for frame in extract_tb(error.__traceback__) if not any(part in frame.filename for part in others)]
    return Place(own[-1].filename, own[-1].lineno or 1, 1) if own else None
