"""The slips that are known of a number: the formula of `explain`, with what somebody forgets put in or left out.

A slip is worked out and never guessed: an answer is one if it is that very number. Of two slips that give the same
number nobody can tell which it was, so both are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from archcost.report.explain import Line
from archcost.report.explain_text import working
from archcost.terms.expressions import FormulaError, exact, names

Answer = int | tuple[int, ...]
"""A number, or the extents of a tensor."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What was forgotten or taken for something else, and the number that comes of it."""

    what: str
    answer: Answer
    working: str = ""


BIAS = "the bias is forgotten"
CHANNELS = "the input channels are forgotten"
MAC_FOR_FLOP = "these are MACs: a MAC is two FLOPs"
FLOP_FOR_MAC = "these are FLOPs: a MAC is two of them"
NO_BATCH = "the batch is forgotten"

ONE_BIAS = " + 1)"
"""How a formula of parameters adds a bias to the kernel of each output."""


Values = Mapping[str, int | Fraction]

AxisRule = Callable[[Line], int | None]
"""One axis of an output → what comes of it with a slip; None where the layer has no such thing."""

NOTHING: Values = {}


def altered(line: Line, what: str, put: Values = NOTHING, formula: str | None = None) -> Iterator[Slip]:
    """The line with another formula, or other values of letters that it has; nothing where it has none of them."""
    written = line.formula if formula is None else formula
    values = {**line.values, **put}
    if not written or not put.keys() <= names(written) or not names(written) <= values.keys():
        return
    if formula is None and all(line.values.get(name) == value for name, value in put.items()):
        return
    try:
        result = exact(written, values)
    except FormulaError:
        return
    if result.denominator == 1 and result > 0:
        text = " = ".join(working(Line.of(line.quantity, written, values)))
        yield Slip(what, int(result), text)


def of_parameters(line: Line) -> Iterator[Slip]:
    """640 for 1,792: the lecture's slip is the second."""
    plain = line.formula.replace(ONE_BIAS, ")")
    one_channel = line.values.get("g", 1)
    if ONE_BIAS in line.formula:
        yield from altered(line, BIAS, formula=plain)
    if "C_in" in line.values and line.values["C_in"] != one_channel:
        yield from altered(line, CHANNELS, {"C_in": one_channel})
        if ONE_BIAS in line.formula:
            yield from altered(line, "the input channels and the bias are forgotten", {"C_in": one_channel}, plain)
    if "g" in line.values:
        yield from altered(line, "the groups are forgotten", {"g": 1})
    yield from altered(line, "this is one kernel: the output channels are forgotten", {"C_out": 1})
    if line.formula == "(n_in + 1)*n_out":
        yield from altered(line, "a bias for each input in place of each output", formula="(n_out + 1)*n_in")


def of_macs(line: Line, sizes: Values) -> Iterator[Slip]:
    """`sizes` are letters of the layer's output and input sizes."""
    yield from altered(line, CHANNELS, {"C_in": line.values.get("g", 1)})
    if "g" in line.values:
        yield from altered(line, "the groups are forgotten", {"g": 1})
    for inner, outer, what in (("out", "in", "input"), ("in", "out", "output")):
        axes = [name for name in line.values if name.endswith(f"_{inner}") and name[0] in "DHW"]
        if not axes:
            continue
        at = f"counted once, and not at each position of the {'output' if inner == 'out' else 'input'}"
        yield from altered(line, at, dict.fromkeys(axes, 1))
        other = {name: sizes[f"{name[0]}_{outer}"] for name in axes if f"{name[0]}_{outer}" in sizes}
        if len(other) == len(axes):
            yield from altered(line, f"counted at the positions of the {what}", other)
    if line.values.get("B", 1) != 1:
        yield from altered(line, NO_BATCH, {"B": 1})


def of_extents(lines: Sequence[Line], channels: int, channels_in: int | None) -> Iterator[Slip]:
    """Of the extents of an output, every axis with the same slip."""
    right = tuple(int(line.result or 0) for line in lines)
    if channels_in is not None and channels_in != channels:
        yield Slip("these are the channels of the input", (channels_in, *right))
    for what in _EXTENTS:
        found = [_EXTENTS[what](line) for line in lines]
        if all(each is not None for each in found):
            extents = tuple(each or 0 for each in found)
            if extents != right and min(extents) > 0:
                yield Slip(what, (channels, *extents))


def _put(letter: str, value: int):
    def result(line: Line) -> int | None:
        axis = line.quantity[-1]
        return _evaluated(line.formula, {**line.values, f"{letter}_{axis}": value}) if _has(line, letter) else None

    return result


def _has(line: Line, letter: str) -> bool:
    return f"{letter}_{line.quantity[-1]}" in line.values


def _evaluated(formula: str, values: Values) -> int | None:
    try:
        result = exact(formula, values)
    except FormulaError:
        return None
    return int(result) if result.denominator == 1 else None


def _is_transposed(line: Line) -> bool:
    return "_in - 1)*s_" in line.formula


def _is_window(line: Line) -> bool:
    return "//s_" in line.formula and line.formula.endswith(" + 1")


def _without_one(line: Line) -> int | None:
    return int(line.result or 0) - 1 if _is_window(line) or _is_transposed(line) else None


def _one_sided(line: Line) -> int | None:
    return _evaluated(line.formula.replace("2*p", "p"), line.values) if _has(line, "p") else None


def _rounded_up(line: Line) -> int | None:
    if not _is_window(line):
        return None
    above, _, below = line.formula.removesuffix(" + 1").rpartition("//")
    rest = _evaluated(f"{above} % {below}", line.values)
    return None if rest is None else int(line.result or 0) + (rest > 0)


def _as_convolution(line: Line) -> int | None:
    axis = line.quantity[-1]
    window = f"({axis}_in + 2*p_{axis} - d_{axis}*(k_{axis} - 1) - 1)//s_{axis} + 1"
    return _evaluated(window, line.values) if _is_transposed(line) else None


def _without_less_one(line: Line) -> int | None:
    axis = line.quantity[-1]
    return (
        _evaluated(line.formula.replace(f"({axis}_in - 1)", f"{axis}_in"), line.values)
        if _is_transposed(line)
        else None
    )


_EXTENTS: Mapping[str, AxisRule] = {
    "the padding is forgotten": _put("p", 0),
    "padding is on both sides": _one_sided,
    "one less: the formula ends with + 1": _without_one,
    "the stride is taken as 1": _put("s", 1),
    "rounded up: a window that does not fit whole is left out": _rounded_up,
    "a convolution's formula: this one is transposed": _as_convolution,
    "the output padding is forgotten": _put("o", 0),
    "the first of the inputs takes no stride: (H_in − 1)·s": _without_less_one,
}
"""What is forgotten, with the rule of one axis."""
