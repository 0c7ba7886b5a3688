"""`grade`: a filled sheet → what is right, what is wrong, and the slip that a wrong number is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

from archcost.errors import ArchcostError, Place, shorten
from archcost.files.result import Result
from archcost.files.write import record_read
from archcost.teaching.questions import Question
from archcost.teaching.reading import LEAST_DIGITS, Conventions, Reading, conventions, extents, plain_text, readings
from archcost.teaching.sheet import HEAD, VERSION, Recipe, Worksheet, answers_digest, head_digest, made
from archcost.teaching.slips import MAC_FOR_FLOP, Slip
from archcost.tensors import format_shape
from archcost.units import count

Status = Literal["right", "wrong", "blank"]

LARGEST_FILE = 2**20


@dataclass(frozen=True, slots=True)
class Mark:
    """One answer: what was given, what it should be, and what is to say of it."""

    number: int
    question: Question
    given: str
    status: Status
    said: str

    @property
    def expected(self) -> str:
        answer = self.question.answer
        return count(answer) if isinstance(answer, int) else format_shape(answer)

    def to_dict(self) -> dict[str, Any]:
        answer = self.question.answer
        return {
            "number": self.number,
            "question": self.question.text,
            "given": self.given,
            "status": self.status,
            "said": self.said,
            "answer": [answer] if isinstance(answer, int) else list(answer),
            "working": self.question.working,
        }


@dataclass(frozen=True, repr=False)
class Graded(Result):
    """A filled sheet with its marks."""

    sheet: Worksheet
    conventions: Conventions
    marks: tuple[Mark, ...]

    @property
    def right(self) -> int:
        return sum(mark.status == "right" for mark in self.marks)

    @property
    def all_right(self) -> bool:
        return self.right == len(self.marks)

    @property
    def headline(self) -> str:
        return f"{self.sheet.title}: {self.right} of {len(self.marks)} right"

    def to_dict(self) -> dict[str, Any]:
        stated = self.conventions
        return {
            "schema": "archcost.grade/1",
            "network": self.sheet.network,
            "seed": self.sheet.recipe.seed,
            "right": self.right,
            "questions": len(self.marks),
            "conventions": {
                "flops_are_macs": stated.flops_are_macs,
                "without_biases": stated.without_biases,
                "binary_units": stated.binary_units,
                "not_understood": list(stated.unread),
            },
            "marks": [mark.to_dict() for mark in self.marks],
        }


def grade(path: str | Path) -> Graded:
    """The marks of a filled sheet, in Markdown or LaTeX.

    Raises ArchcostError for what is no sheet, one whose first line was edited, one of a network that has become
    another, and one in which no answer is a number.
    """
    text = _text(path)
    sheet = _sheet(text, str(path))
    given = _answers(text, len(sheet.questions), str(path))
    stated = conventions(_conventions(text))
    marks = tuple(
        marked(number, question, given.get(number, ""), stated) for number, question in enumerate(sheet.questions, 1)
    )
    answered = [mark for mark in marks if mark.status != "blank"]
    if answered and not any(_is_number(mark) for mark in answered):
        raise ArchcostError(
            f"{path}: no answer of it is a number",
            expected=f"numbers behind Answer 1 to {len(marks)}",
            found=shorten(answered[0].given),
        )
    return Graded(sheet, stated, marks)


def _is_number(mark: Mark) -> bool:
    return bool(readings(mark.given) if isinstance(mark.question.answer, int) else extents(mark.given))


def _text(path: str | Path) -> str:
    try:
        with open(path, "rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ArchcostError(f"{path}: cannot be read: {reason}", expected="a worksheet that was filled") from None
    record_read(Path(path))
    if len(content) > LARGEST_FILE:
        raise _no_sheet(str(path), "a file of more than 1 MiB")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise _no_sheet(str(path), "bytes that are no text") from None


def _no_sheet(path: str, found: str) -> ArchcostError:
    return ArchcostError(
        f"{path}: is no worksheet",
        expected="a file that archcost worksheet wrote, with its first line as it was",
        found=found,
        hint="archcost worksheet NETWORK --seed N -o sheet.md",
    )


def _sheet(text: str, path: str) -> Worksheet:
    """The sheet that was written, made again."""
    first = text.partition("\n")[0]
    head = HEAD.fullmatch(first)
    if head is None:
        raise _no_sheet(path, shorten(first) if first.strip() else "an empty first line")
    if int(head.group(1)) != VERSION:
        raise ArchcostError(
            f"{path}: a worksheet of another form",
            expected=f"worksheet {VERSION}",
            found=f"worksheet {int(head.group(1))}",
            hint="the archcost that wrote it",
        )
    told = _told(head.group(2), path)
    sheet = made(_recipe(told, path))
    if answers_digest(sheet.questions) != told.get("answers"):
        raise ArchcostError(
            f"{path}: is of another {sheet.network} than the one that is here",
            expected="the network and the release of archcost that it was made with",
            found=f"other answers, by archcost {shorten(str(told.get('archcost')))}",
            hint="archcost worksheet again",
        )
    return sheet


def _told(head: str, path: str) -> dict[str, Any]:
    try:
        told: Any = json.loads(head)
    except (ValueError, RecursionError):
        raise _edited(path) from None
    if not isinstance(told, dict):
        raise _edited(path)
    plain = cast("dict[str, Any]", told)
    if plain.pop("check", None) != head_digest(plain):
        raise _edited(path)
    return plain


def _edited(path: str) -> ArchcostError:
    return ArchcostError(
        "its first line was edited, and nobody can tell what was asked",
        expected="the line that archcost worksheet wrote",
        found="another",
        hint="the sheet again, by its network and seed, and the answers copied into it",
        place=Place(path, 1, 1),
    )


def _recipe(told: Mapping[str, Any], path: str) -> Recipe:
    try:
        return Recipe(
            str(told["network"]),
            int(told["seed"]),
            int(told["questions"]),
            int(told["batch"]),
            tuple(map(str, told["set"])),
            tuple(map(str, told["input"])),
            None if told["sequence"] is None else int(told["sequence"]),
        )
    except (KeyError, TypeError, ValueError):
        raise _edited(path) from None


_ANSWER = re.compile(r"\s*(?:[->+]\s*)?\**Answer (\d{1,9})\**\s*:\**(.*)")
_LATEX_ANSWER = re.compile(r"\s*\\answer\s*\{(\d{1,9})\}\s*\{(.*)\}\s*(?:\\\\)?\s*")
_AFTER = re.compile(r"\s*(?:\**Working|\**Conventions|#|\\item|\\end)")


def _answers(text: str, number: int, path: str) -> dict[int, str]:
    """By number. An answer may stand below its blank as well. Raises ArchcostError for one that stands twice."""
    found: dict[int, str] = {}
    lines = text.split("\n")
    for place, line in enumerate(lines):
        match = _ANSWER.fullmatch(line) or _LATEX_ANSWER.fullmatch(line)
        if match is None:
            continue
        which = int(match.group(1))
        if which in found or not 1 <= which <= number:
            raise ArchcostError(
                f"answer {which:,} stands twice" if which in found else f"there is no question {which:,}",
                expected=f"one answer each, 1 to {number}",
                place=Place(path, place + 1, 1),
            )
        found[which] = _unblanked(match.group(2)) or _below(lines[place + 1 :])
    return found


def _below(lines: Sequence[str]) -> str:
    for line in lines:
        if _AFTER.match(line) or _ANSWER.fullmatch(line):
            return ""
        if line.strip():
            return _unblanked(line)
    return ""


def _unblanked(text: str) -> str:
    return re.sub(r"_{2,}|\.{4,}", " ", text).strip().strip("*").strip()


def _conventions(text: str) -> str:
    found = re.search(r"^\s*(?:\**Conventions:\**(.*)|\\conventions\s*\{(.*)\})\s*$", text, re.MULTILINE)
    return _unblanked(found.group(1) or found.group(2) or "") if found else ""


def is_filled(text: str) -> bool:
    """Whether somebody has written anything into the blanks of a sheet."""
    try:
        return any(_answers(text, 10**9, "").values()) or bool(_conventions(text))
    except ArchcostError:
        return True


def marked(number: int, question: Question, given: str, stated: Conventions) -> Mark:
    if not given:
        return Mark(number, question, given, "blank", "")
    if isinstance(question.answer, tuple):
        return _marked_extents(number, question, question.answer, given)
    found = readings(given)
    given = plain_text(given)[:200]
    if not found:
        return Mark(number, question, given, "wrong", "this is no number, or its unit is not understood")
    target, slips = _by_convention(question, question.answer, stated)
    results = [_judged(question, _in_unit(reading, question, stated), target, slips) for reading in found]
    best = min(results, key=lambda result: (result[0] != "right", not result[1]))
    return Mark(number, question, given, *best)


def _by_convention(question: Question, answer: int, stated: Conventions) -> tuple[int, tuple[Slip, ...]]:
    """The right answer and the slips in the conventions that are stated."""
    slips = question.slips
    if stated.without_biases and question.without_biases is not None:
        kept = tuple(slip for slip in slips if slip.answer != question.without_biases)
        return question.without_biases, (*kept, Slip("these are with biases, and the sheet states without", answer))
    if stated.flops_are_macs and question.unit == "FLOPs":
        halved = [
            Slip(slip.what, slip.answer // 2)
            for slip in slips
            if isinstance(slip.answer, int) and slip.what != MAC_FOR_FLOP
        ]
        return answer // 2, (*halved, Slip("a MAC is two FLOPs here, and the sheet states one", answer))
    return answer, slips


def _in_unit(reading: Reading, question: Question, stated: Conventions) -> Reading:
    """In the unit that is asked for: MACs stated as such are two FLOPs each, bits an eighth of a byte."""
    factor = Fraction(1)
    if not stated.flops_are_macs and (question.unit, reading.unit) == ("FLOPs", "MACs"):
        factor = Fraction(2)
    elif not stated.flops_are_macs and (question.unit, reading.unit) == ("MACs", "FLOPs"):
        factor = Fraction(1, 2)
    elif (question.unit, reading.unit) == ("bytes", "bits"):
        factor = Fraction(1, 8)
    if stated.binary_units and question.unit == "bytes" and reading.prefix and not reading.is_binary:
        factor *= Fraction(1024, 1000) ** reading.prefix
    if factor == 1:
        return reading
    return Reading(
        reading.value * factor, reading.step * factor, reading.digits, reading.unit, reading.prefix, reading.is_binary
    )


def _judged(question: Question, reading: Reading, target: int, slips: Sequence[Slip]) -> tuple[Status, str]:
    """An answer is exact first: `48,000` may be a slip, and not 48,120 in round numbers."""
    if reading.value == target:
        return "right", ""
    exactly = [slip for slip in slips if slip.answer == reading.value]
    if exactly:
        return "wrong", _named(exactly)
    if reading.is_about(target):
        if reading.digits < LEAST_DIGITS:
            return "wrong", f"right as far as it goes: at least {LEAST_DIGITS} digits are asked for"
        return "right", "rounded"
    if reading.digits < LEAST_DIGITS:
        return "wrong", ""
    about = [slip for slip in slips if slip.answer != target and _is_slip(reading, slip)]
    return "wrong", _named([*about, *(Slip(what, target) for what in _scales(question, reading, target))])


def _named(slips: Sequence[Slip]) -> str:
    """What it was; of several that give this number, all."""
    told = list(dict.fromkeys(slip.what + (f" ({slip.working})" if slip.working else "") for slip in slips))
    return told[0] if len(told) == 1 else ("either " + ", or ".join(told) if told else "")


def _is_slip(reading: Reading, slip: Slip) -> bool:
    return isinstance(slip.answer, int) and reading.is_about(slip.answer)


def _scales(question: Question, reading: Reading, target: int) -> list[str]:
    """The right digits with another unit."""
    found: list[str] = []
    for power, what in ((3, "thousands for millions"), (6, "units for millions"), (-3, "millions for thousands")):
        scale = Fraction(10) ** power
        if Reading(reading.value * scale, reading.step * scale).is_about(target):
            found.append(f"off by {10 ** abs(power):,}, as {what} are")
    if question.unit == "bytes" and reading.prefix:
        scale = Fraction(1024, 1000) ** reading.prefix
        scale = 1 / scale if reading.is_binary else scale
        if Reading(reading.value * scale, reading.step * scale).is_about(target):
            found.append("1,000 for 1,024: kB, MB and GB are powers of 1,000, KiB, MiB and GiB of 1,024")
    return found


def _marked_extents(number: int, question: Question, answer: tuple[int, ...], given: str) -> Mark:
    """Channels first or last, with or without a batch of 1 before them."""
    found = extents(given)
    if found is None:
        return Mark(number, question, given[:200], "wrong", "these are no extents, such as 16×5×5")
    if len(found) == len(answer) + 1 and found[0] == 1:
        found = found[1:]
    if found in _orders(answer):
        return Mark(number, question, given[:200], "right", "")
    known = [slip for slip in question.slips if isinstance(slip.answer, tuple) and found in _orders(slip.answer)]
    if not known and found == answer[1:]:
        known = [Slip("the channels are left out", found)]
    return Mark(number, question, given[:200], "wrong", _named(known))


def _orders(answer: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    return answer, (*answer[1:], answer[0])
