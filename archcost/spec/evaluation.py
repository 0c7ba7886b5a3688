"""`$expressions` of a spec, worked out with the values of its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Unpack

from archcost.errors import Details, SpecError, listing, nearest, shorten
from archcost.files.values import Path, as_list, spell
from archcost.spec.source import Source
from archcost.spec.values import Value
from archcost.terms.expressions import FUNCTIONS, FormulaError, evaluate

MOST_ARITHMETIC = 100_000
"""The most characters of expressions that are evaluated, and values that are passed to blocks: about a second."""

Values = Mapping[str, Value]

_PARAMETER = re.compile(r"\$(\w+)")
_BARE_NAME = re.compile(r"(?<![\w$])[A-Za-z_]\w*")


def plain_name(value: object) -> str | None:
    """The parameter that stands alone in a value, as in `$width`."""
    whole = _PARAMETER.fullmatch(value.strip()) if isinstance(value, str) else None
    return whole.group(1) if whole else None


def names_in(value: str) -> list[str]:
    """The parameters that an expression mentions, in order."""
    return list(dict.fromkeys(_PARAMETER.findall(value)))


class LimitError(SpecError):
    """The network exceeds MOST_LAYERS or MOST_ARITHMETIC."""


class Evaluation:
    """Of the expressions of one spec, whose arithmetic has a limit."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._arithmetic = 0

    def fill(self, value: Value, values: Values, name: str, path: Path) -> Value:
        """A value with every `$expression` in it evaluated. Raises SpecError."""
        entries = as_list(value)
        if entries is not None:
            self.spend(len(entries), name, path)
            return tuple(self.fill(entry, values, name, path) for entry in entries)
        if not isinstance(value, str) or "$" not in value:
            return value
        used = _PARAMETER.findall(value)
        for parameter in used:
            self._require_known(parameter, value, values, name, path)
        alone = plain_name(value)
        if alone:
            found = values[alone]
            self.spend(len(as_list(found) or ()), name, path)
            return found
        self.spend(len(value), name, path)
        return self._evaluated(value, used, values, name, path)

    def _evaluated(self, value: str, used: list[str], values: Values, name: str, path: Path) -> int:
        bare = next((word for word in _BARE_NAME.finditer(value) if word.group() not in FUNCTIONS), None)
        numbers: dict[str, int] = {}
        for parameter in used:
            number = values[parameter]
            if type(number) is not int:
                raise self.refuse(
                    path,
                    "cannot work out an expression",
                    name,
                    expected="integers",
                    found=f"{shorten(value)}, where ${parameter} is {spell(number)}",
                )
            numbers[parameter] = number
        try:
            if bare:
                raise FormulaError("integer arithmetic such as $width * 2")
            return evaluate(_PARAMETER.sub(r"(\1)", value), numbers)
        except FormulaError as error:
            told = ", ".join(f"${key} = {number:,}" for key, number in list(numbers.items())[:8])
            raise self.refuse(
                path,
                "cannot work out an expression",
                name,
                expected=str(error)[:200],
                found=f"{shorten(value)}, where {told}" if told and not bare else shorten(value),
                hint=f"${bare.group()}" if bare and bare.group() in values else None,
            ) from None

    def _require_known(self, parameter: str, value: str, values: Values, name: str, path: Path) -> None:
        if parameter not in values:
            raise self.refuse(
                path,
                f"unknown parameter ${parameter[:60]}",
                name,
                expected=listing([f"${known}" for known in values]) or "no parameters are declared here",
                found=shorten(value),
                hint=nearest(f"${parameter}", [f"${known}" for known in values]),
            )
        if values[parameter] is None:
            raise self.refuse(
                path,
                f"parameter ${parameter} has no value",
                name,
                expected="a value where the block is used, or a default",
                found="null",
            )

    def spend(self, effort: int, name: str, path: Path) -> None:
        self._arithmetic += effort
        if self._arithmetic > MOST_ARITHMETIC:
            raise LimitError(
                "too much arithmetic",
                expected=f"expressions of at most {MOST_ARITHMETIC:,} characters in the whole network",
                found="more",
            ).at(layer=name, place=self._source.place(path))

    def with_defaults(self, declared: Values, given: Values, outer: Values, name: str, path: Path) -> Values:
        """The `outer` values and those declared, given or by default. A default may use all that stand before it."""
        self.spend(len(declared) + len(outer), name, path)
        values = dict(outer)
        for key, default in declared.items():
            values[key] = given[key] if key in given else self.fill(default, values, name, (*path, key))
        return values

    def refuse(self, path: Path, problem: str, layer: str, **details: Unpack[Details]) -> SpecError:
        return SpecError(problem, **details).at(layer=layer, place=self._source.place(path))
