"""`$parameters` of a spec and their values: those of the network, those of each use of a block, and expressions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Unpack

from archcost.errors import Details, SpecError, listing, nearest, shorten
from archcost.files.values import Path, as_list, spell
from archcost.spec.model import BlockUse, ModelSpec, Repeat, Value
from archcost.terms.expressions import FUNCTIONS, FormulaError, evaluate

MOST_ARITHMETIC = 100_000
"""The most characters of expressions that are evaluated, and values that are passed to blocks: about a second."""

Values = Mapping[str, Value]

_PARAMETER = re.compile(r"\$(\w+)")
_BARE_NAME = re.compile(r"(?<![\w$])[A-Za-z_]\w*")


class LimitError(SpecError):
    """The network exceeds MOST_LAYERS or MOST_ARITHMETIC."""


class Parameters:
    """Of one spec, while it is expanded.

    Uses of blocks and values are known by their identity, as both live as long: equal values of one block's parameters
    are made one object.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._arithmetic = 0
        self._bound: dict[tuple[int, int], Values] = {}
        self._equal: dict[tuple[str, str], Values] = {}
        self.outermost = self._with_defaults(spec.parameters, {}, {}, spec.name, ("parameters",))
        """Those of the network itself."""

    def fill(self, value: Value, values: Values, name: str, path: Path) -> Value:
        """A value with every `$expression` in it evaluated. Raises SpecError."""
        entries = as_list(value)
        if entries is not None:
            self._spend(len(entries), name, path)
            return tuple(self.fill(entry, values, name, path) for entry in entries)
        if not isinstance(value, str) or "$" not in value:
            return value
        used = _PARAMETER.findall(value)
        for parameter in used:
            self._require_known(parameter, value, values, name, path)
        whole = _PARAMETER.fullmatch(value.strip())
        if whole:
            found = values[whole.group(1)]
            self._spend(len(as_list(found) or ()), name, path)
            return found
        self._spend(len(value), name, path)
        return self._evaluated(value, used, values, name, path)

    def _evaluated(self, value: str, used: list[str], values: Values, name: str, path: Path) -> int:
        bare = next((word for word in _BARE_NAME.finditer(value) if word.group() not in FUNCTIONS), None)
        numbers: dict[str, int] = {}
        for parameter in used:
            number = values[parameter]
            if type(number) is not int:
                raise self._refuse(
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
            raise self._refuse(
                path,
                "cannot work out an expression",
                name,
                expected=str(error)[:200],
                found=f"{shorten(value)}, where {told}" if told and not bare else shorten(value),
                hint=f"${bare.group()}" if bare and bare.group() in values else None,
            ) from None

    def _require_known(self, parameter: str, value: str, values: Values, name: str, path: Path) -> None:
        if parameter not in values:
            raise self._refuse(
                path,
                f"unknown parameter ${parameter[:60]}",
                name,
                expected=listing([f"${known}" for known in values]) or "no parameters are declared here",
                found=shorten(value),
                hint=nearest(f"${parameter}", [f"${known}" for known in values]),
            )
        if values[parameter] is None:
            raise self._refuse(
                path,
                f"parameter ${parameter} has no value",
                name,
                expected="a value where the block is used, or a default",
                found="null",
            )

    def _spend(self, effort: int, name: str, path: Path) -> None:
        self._arithmetic += effort
        if self._arithmetic > MOST_ARITHMETIC:
            raise LimitError(
                "too much arithmetic",
                expected=f"expressions of at most {MOST_ARITHMETIC:,} characters in the whole network",
                found="more",
            ).at(layer=name, place=self._spec.source.place(path))

    def bind(self, use: BlockUse, values: Values, name: str, path: Path) -> Values:
        """The values of all parameters inside a use of a block: the network's and the block's own."""
        key = (id(use), id(values))
        if key in self._bound:
            return self._bound[key]
        block = self._spec.blocks.get(use.block)
        if block is None:
            raise self._refuse(
                (*path, "block"),
                f"unknown block {shorten(use.block)}",
                name,
                expected=listing(self._spec.blocks) or "no blocks are declared",
                found=shorten(use.block),
                hint=nearest(use.block, self._spec.blocks),
            )
        for parameter in use.parameters:
            if parameter not in block.parameters:
                raise self._refuse(
                    (*path, parameter),
                    f"block {use.block!r} has no parameter {shorten(parameter)}",
                    name,
                    expected=listing(block.parameters) or "no parameters",
                    found=shorten(parameter),
                    hint=nearest(parameter, block.parameters),
                )
        given = {key: self.fill(value, values, name, (*path, key)) for key, value in use.parameters.items()}
        open_ = [key for key, default in block.parameters.items() if default is None and key not in given]
        if open_:
            raise self._refuse(
                path,
                f"block {use.block!r} needs {listing(open_)}",
                name,
                expected=f"{open_[0]}: …",
                found=f"only {listing(given)}" if given else "no parameters",
            )
        inside = ("blocks", use.block, "parameters")
        bound = self._with_defaults(block.parameters, given, self.outermost, name, inside)
        self._bound[key] = self._equal.setdefault((use.block, repr(bound)), bound)
        return self._bound[key]

    def _with_defaults(self, declared: Values, given: Values, outer: Values, name: str, path: Path) -> Values:
        """The `outer` values and those declared, given or by default. A default may use all that stand before it."""
        self._spend(len(declared) + len(outer), name, path)
        values = dict(outer)
        for key, default in declared.items():
            values[key] = given[key] if key in given else self.fill(default, values, name, (*path, key))
        return values

    def repeat_count(self, entry: Repeat, name: str, values: Values, path: Path) -> int:
        rounds = self.fill(entry.repeat, values, name, (*path, "repeat"))
        if type(rounds) is not int or rounds < 0:
            raise self._refuse(
                (*path, "repeat"),
                "wrong value for 'repeat'",
                name,
                expected="an integer from 0",
                found=f"{spell(rounds)}, from {shorten(entry.repeat)}",
            )
        return rounds

    def _refuse(self, path: Path, problem: str, layer: str, **details: Unpack[Details]) -> SpecError:
        return SpecError(problem, **details).at(layer=layer, place=self._spec.source.place(path))
