"""What a command is, and how a parser comes to have some."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import NamedTuple

from archcost.cli.defaults import declare_config
from archcost.cli.options import Action, add_output
from archcost.cli.parsing import CommandParser


class Command(NamedTuple):
    """What a command does, and the function that declares its options; `saves` is the kind of file that it writes.

    One without `run` has commands of its own.
    """

    run: Action | None
    declare: Callable[[argparse.ArgumentParser], None]
    saves: str = "report"


class Entry(NamedTuple):
    """A line of `--help`: the words of a command, what it does, and the module of `archcost.cli` whose `COMMANDS` has
    it, which is imported when the command is given.
    """

    name: str
    help: str
    module: str

    def command(self) -> Command:
        commands: Mapping[str, Command] = import_module(f"archcost.cli.{self.module}").COMMANDS
        return commands[self.name]


def add_commands(parser: argparse.ArgumentParser, entries: Sequence[Entry]) -> None:
    named = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    for entry in entries:
        description = f"{entry.help[0].upper()}{entry.help[1:]}."
        word = entry.name.rpartition(" ")[2]
        added = named.add_parser(word, help=entry.help, description=description, allow_abbrev=False)
        added.declare = partial(_declare, entry)


def _declare(entry: Entry, added: argparse.ArgumentParser) -> None:
    command = entry.command()
    if command.run is not None:
        added.set_defaults(run=command.run, saves=command.saves)
        add_output(added, command.saves)
    command.declare(added)
    declare_config(added, entry.name)


def commands_of(parser: argparse.ArgumentParser) -> Mapping[str, CommandParser]:
    """Those that were added, by their last word."""
    found: dict[str, CommandParser] = {}
    for action in parser._actions:  # pyright: ignore[reportPrivateUsage]
        if isinstance(action, argparse._SubParsersAction):  # pyright: ignore[reportPrivateUsage]
            found |= action.choices  # pyright: ignore[reportUnknownMemberType]
    return found
