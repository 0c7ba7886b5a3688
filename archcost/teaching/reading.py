"""An answer as somebody wrote it → the numbers that it may mean; and the conventions that somebody states."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from archcost.terms.expressions import FormulaError, exact

LONGEST = 300
LEAST_DIGITS = 3

_DECIMAL = {
    "k": 3,
    "K": 3,
    "thousand": 3,
    "m": 6,
    "M": 6,
    "mio": 6,
    "million": 6,
    "millions": 6,
    "G": 9,
    "g": 9,
    "bn": 9,
    "billion": 9,
    "billions": 9,
    "T": 12,
    "t": 12,
    "trillion": 12,
    "": 0,
}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4}
_NOUNS = {
    **dict.fromkeys(("mac", "macs"), "MACs"),
    **dict.fromkeys(("flop", "flops"), "FLOPs"),
    **dict.fromkeys(("b", "byte", "bytes"), "bytes"),
    **dict.fromkeys(("bit", "bits"), "bits"),
    **dict.fromkeys(("parameter", "parameters", "params", "weight", "weights", "value", "values"), "parameters"),
}
_UNIT = re.compile(
    r"(thousand|millions?|mio|billions?|bn|trillion|[KMGT]i|[kKmMgGtT])?[ .-]*"
    r"(macs?|flops?|bytes?|bits?|b|parameters?|params|weights?|values?)?\.?$",
    re.IGNORECASE,
)
_POWER = r"(?:[eE]\+?(\d{1,2})|(?:[×x*·]|\\cdot|\\times)\s*10\s*\^?\s*\{?(\d{1,2})\}?)"
_NUMBER = re.compile(rf"[≈~]?\s*(-?\d[\d ,.'_]*?)\s*{_POWER}?\s*([A-Za-z .-]*)$")
_ARITHMETIC = re.compile(r"[\d\s+*/()-]+$")


@dataclass(frozen=True, slots=True)
class Reading:
    """One number that an answer may mean. `step` is the worth of its last digit where it is rounded, else 0."""

    value: Fraction
    step: Fraction = Fraction(0)
    digits: int = 99
    unit: str | None = None
    """MACs, FLOPs, bytes, bits or parameters, where it stands there."""
    prefix: int | None = None
    """Of bytes, the power of 1,000 or 1,024 that stands there."""
    is_binary: bool = False

    def is_about(self, target: Fraction | int) -> bool:
        """Whether it is the target, or what rounding or cutting off at its last digit makes of it."""
        return self.value == target or abs(self.value - target) * 2 <= self.step or 0 <= target - self.value < self.step


def readings(text: str) -> tuple[Reading, ...]:
    """The likeliest first; none where the text is no number. `1.792` may be a thousand and more, or less than two."""
    plain = plain_text(text)
    if len(plain) > LONGEST:
        return ()
    last = re.split(r"[=≈]", plain)[-1].strip() or plain
    found = _NUMBER.fullmatch(last)
    if found is None:
        return tuple(_worked_out(last))
    digits, exponent, power, unit = found.groups()
    read = _UNIT.fullmatch(unit.strip())
    if read is None:
        return ()
    prefix, noun = read.group(1) or "", _NOUNS.get((read.group(2) or "").lower())
    if noun == "bytes" and not prefix and read.group(2) == "B":
        prefix = ""
    return tuple(_scaled(digits.strip(), int(exponent or power or 0), prefix, noun))


def plain_text(text: str) -> str:
    """Without what LaTeX and Markdown put around numbers."""
    for marked, plain in (
        ("{,}", ","),
        ("\\,", " "),
        ("\\;", " "),
        ("~", " "),
        ("\\%", "%"),
        ("−", "-"),
        ("$", ""),
        ("`", ""),
    ):
        text = text.replace(marked, plain)
    text = re.sub(r"[\u00a0\u2009\u202f\u2007]", " ", text).replace("’", "'")
    return re.sub(r"\*\*|__+|\\(?:text|mathrm|textbf)\b|(?<=[a-z])\}|\{(?=[A-Za-z])", " ", text).strip().rstrip(".")


def _worked_out(text: str) -> Iterator[Reading]:
    """Arithmetic that was left to be done: `28*64`."""
    written = re.sub(r"\s*(?:·|×|x|\\cdot|\\times)\s*", "*", text)
    if _ARITHMETIC.fullmatch(written):
        try:
            yield Reading(exact(written, {}))
        except (FormulaError, RecursionError):
            return


def _scaled(digits: str, exponent: int, prefix: str, noun: str | None) -> Iterator[Reading]:
    binary = next((power for name, power in _BINARY.items() if name.lower() == prefix.lower()), None)
    ten = 0 if binary is not None else _DECIMAL[prefix if prefix in _DECIMAL else prefix.lower()]
    factor = Fraction(10) ** (exponent + ten) * (Fraction(1024) ** binary if binary is not None else 1)
    is_scaled = bool(exponent or ten or binary)
    for number, decimals in _numbers(digits):
        significant = str(abs(number)).strip() if number else "0"
        zeros = len(significant) - len(significant.rstrip("0"))
        value = Fraction(number, 10**decimals) * factor
        is_rounded = is_scaled or decimals > 0 or (zeros >= 3 and abs(number) >= 1000)
        trailing = 0 if decimals else zeros
        step = Fraction(10) ** (trailing - decimals) * factor if is_rounded else Fraction(0)
        many = len(significant) - trailing if is_rounded else 99
        power = (binary if binary is not None else ten // 3) if noun in ("bytes", None) and is_scaled else None
        yield Reading(value, step, many, noun, power, binary is not None)


def _numbers(digits: str) -> Iterator[tuple[int, int]]:
    """The digits as an integer, and how many of them are decimals. A point or comma may mean either; English first."""
    bare = re.sub(r"(?<=\d)[ '_](?=\d{3}(?!\d))", "", digits)
    if re.fullmatch(r"-?\d+", bare):
        yield int(bare), 0
        return
    for group, point in ((",", "."), (".", ",")):
        if re.fullmatch(rf"-?\d{{1,3}}(?:\{group}\d{{3}})+(?:\{point}\d+)?", bare):
            yield _split(bare.replace(group, ""), point)
        elif re.fullmatch(rf"-?\d+\{point}\d+", bare):
            yield _split(bare, point)


def _split(number: str, point: str) -> tuple[int, int]:
    whole, _, decimals = number.partition(point)
    return int(whole + decimals), len(decimals)


_EXTENTS = re.compile(r"[\[(]?\s*\d{1,9}(?:\s*(?:[×x*,;·]|\\times|\\cdot|\s)\s*\d{1,9})*\s*[\])]?")


def extents(text: str) -> tuple[int, ...] | None:
    """`16×5×5`, `16 x 5 x 5`, `(16, 5, 5)`; None for what is none of these."""
    plain = plain_text(text).replace("\\times", "×")
    last = plain.rpartition("=")[2].strip()
    if len(plain) > LONGEST or not _EXTENTS.fullmatch(last):
        return None
    return tuple(map(int, re.findall(r"\d+", last)))


@dataclass(frozen=True, slots=True)
class Conventions:
    """What somebody counts otherwise than the sheet; and what they state that is not understood."""

    flops_are_macs: bool = False
    without_biases: bool = False
    binary_units: bool = False
    """kB, MB and GB are powers of 1,024."""
    unread: tuple[str, ...] = ()


_STATED = (
    (
        re.compile(r"(1 )?flops? *(=|are|is) *(1 )?macs?|(1 )?macs? *(=|are|is) *(1 |one )?flops?", re.I),
        "flops_are_macs",
    ),
    (
        re.compile(r"(1 |a )?macs? *(=|are|is) *(2|two) *(flops?)?|flops? *(=|are|is) *(2|two) *[·*x×]? *macs?", re.I),
        None,
    ),
    (re.compile(r"(with ?out|no|not counting|excluding) (the )?bias(es)?", re.I), "without_biases"),
    (re.compile(r"(with|counting|including) (the )?bias(es)?", re.I), None),
    (
        re.compile(r"([kmg]b|units?|bytes?)( (are|is|=|in))? *binary|1 ?[kmg]b *= *(1,?024|2\^(10|20|30)).*", re.I),
        "binary_units",
    ),
    (re.compile(r"([kmg]b|units?|bytes?)( (are|is|=|in))? *decimal|1 ?[kmg]b *= *(1,?000|10\^[369]).*", re.I), None),
)


def conventions(text: str) -> Conventions:
    """Each between commas, semicolons or `and`; the sheet's own are understood as well, and change nothing."""
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain_text(text))
    found: dict[str, bool] = {}
    unread: list[str] = []
    for part in filter(None, (each.strip() for each in re.split(r"[,;]|\band\b", plain))):
        for pattern, name in _STATED:
            if pattern.fullmatch(part):
                if name:
                    found[name] = True
                break
        else:
            unread.append(part[:80])
    return Conventions(**found, unread=tuple(unread))
