"""What may be typed, command by command: its options, what may stand behind them, and its places. Completion scripts
and docs/command_line.md are made of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple, get_args

from archcost.cli.command import Entry, commands_of
from archcost.cli.parser import COMMANDS, parser
from archcost.cli.parsing import CommandParser, Parser, place_text

KINDS = {
    "NETWORK": "networks",
    "LAYER": "layers",
    "TYPE": "types",
    "H": "hardware",
    "PATTERN": "layers",
    "FILE": "files",
    "SHEET": "files",
}
"""What stands in a place, by what it is called in `--help`."""


class Value(NamedTuple):
    """What stands behind an option or in a place: one of some words, or a kind of KINDS; nothing of these is free."""

    words: tuple[str, ...] = ()
    kind: str = ""


class Option(NamedTuple):
    """`value` is None of a flag; `title` is the group of options that it is in."""

    names: tuple[str, ...]
    help: str
    metavar: str
    value: Value | None
    title: str = ""


class Place(NamedTuple):
    metavar: str
    help: str
    value: Value
    repeats: bool
    text: str
    """As the usage of the command has it: `[NETWORK …]`."""


class Offered(NamedTuple):
    """A command: its words, what it does, and what it takes. One with commands of its own takes none but these."""

    name: str
    help: str
    options: tuple[Option, ...]
    places: tuple[Place, ...]
    commands: tuple[str, ...]


def offered() -> Iterator[Offered]:
    """Every command, in the order of `--help`, those of a command behind it."""
    yield from _offered(parser(), COMMANDS)


def _offered(above: Parser, entries: tuple[Entry, ...]) -> Iterator[Offered]:
    parsers = commands_of(above)
    for entry in entries:
        made = parsers[entry.name.rpartition(" ")[2]].declared()
        inner = tuple(commands_of(made))
        yield Offered(entry.name, entry.help, tuple(_options(made, entry.name)), tuple(_places(made)), inner)
        if inner:
            from archcost.cli.hardware_commands import ENTRIES

            yield from _offered(made, ENTRIES)


def _options(made: CommandParser, command: str) -> Iterator[Option]:
    for group in made._action_groups:  # pyright: ignore[reportPrivateUsage]
        title = "" if group.title in ("options", "positional arguments") else str(group.title)
        for action in group._group_actions:  # pyright: ignore[reportPrivateUsage]
            if action.option_strings:
                flag = action.nargs == 0
                value = None if flag else _value(action, command)
                metavar = "" if flag else str(action.metavar or "|".join(map(str, action.choices or ())))
                yield Option(tuple(action.option_strings), _help(made, action), metavar, value, title)


def _places(made: CommandParser) -> Iterator[Place]:
    for action in made._actions:  # pyright: ignore[reportPrivateUsage]
        if not action.option_strings and not commands_of(made):
            repeats = action.nargs in ("*", "+")
            yield Place(str(action.metavar), _help(made, action), _value(action, ""), repeats, place_text(action))


def _help(made: CommandParser, action: argparse.Action) -> str:
    """Without the default that argparse adds in some releases of Python."""
    formatter = made._get_formatter()  # pyright: ignore[reportPrivateUsage]
    text = formatter._expand_help(action) if action.help else ""  # pyright: ignore[reportPrivateUsage]
    return text.removesuffix(f" (default: {action.default})")


def _value(action: argparse.Action, command: str) -> Value:
    if action.choices is not None:
        return Value(tuple(map(str, action.choices)))
    name = action.option_strings[-1] if action.option_strings else ""
    words = _words().get(f"{command} {name}") or _words().get(name, ())
    metavar = str(action.metavar)
    if metavar == "NAME" and not name:
        return Value(kind="hardware")
    return Value(words) if words else Value(kind=KINDS.get(metavar, ""))


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """Of options whose words the library checks."""
    from archcost import hardware
    from archcost.hardware.selection import KINDS as HARDWARE_KINDS
    from archcost.passes.optimizer import Optimizer
    from archcost.passes.run import Mode, OptimizerImpl, Precision
    from archcost.pictures import KINDS as PICTURES
    from archcost.planning.plan import Order
    from archcost.planning.vary import Word
    from archcost.report.chosen_layers import ORDERS, WORDS
    from archcost.spec.loss import PLAIN
    from archcost.terms.torch_releases import RELEASES

    return {
        "--mode": get_args(Mode),
        "--precision": get_args(Precision),
        "--optimizer": get_args(Optimizer),
        "--optimizer-impl": get_args(OptimizerImpl),
        "--recompute": ("none", "blocks", "auto"),
        "--loss": PLAIN,
        "--torch": RELEASES,
        "--vary": get_args(Word),
        "--order": get_args(Order),
        "--columns": WORDS,
        "summary --sort": ORDERS,
        "--vendor": tuple(sorted({profile.vendor for profile in hardware.shipped().profiles})),
        "--kind": HARDWARE_KINDS,
        "plot --kind": tuple(PICTURES),
        "--device": ("cpu", "cuda"),
        "--offload": ("none", "optimizer", "gradients", "weights", "activations"),
        "--weights": ("nf4", "fp4", "int8", "fp8", "int4"),
    }
