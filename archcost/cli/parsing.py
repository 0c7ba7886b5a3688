"""Parsers of the command line: every mistake in it is told like any other wrong input, with the nearest right word."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NoReturn

from archcost.errors import ArchcostError, listing, nearest, shorten

NETWORK = "the name of a shipped one, a file (.yaml, .json, .onnx), or module:callable"


class Once:
    """An option that stands once. A second one is refused, since it would replace the first in silence."""

    dest: str

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        if option_string is not None:
            given: tuple[str, ...] = getattr(namespace, "given", ())
            if self.dest in given:
                parser.error(f"argument {option_string}: given twice, and it takes one value")
            namespace.given = (*given, self.dest)
        super().__call__(parser, namespace, values, option_string)  # pyright: ignore  # argparse's own action


class OnceStored(Once, argparse._StoreAction):  # pyright: ignore[reportPrivateUsage]
    """A value."""


class OnceTrue(Once, argparse._StoreTrueAction):  # pyright: ignore[reportPrivateUsage]
    """A flag."""


class OnceEither(Once, argparse.BooleanOptionalAction):
    """A flag, or its opposite."""


class Parser(argparse.ArgumentParser):
    """One that raises ArchcostError."""

    groups: Mapping[str, Sequence[tuple[str, str]]] | None = None
    """Commands and what they do, by the heading under which `--help` lists them."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.register("action", None, OnceStored)
        self.register("action", "store", OnceStored)
        self.register("action", "store_true", OnceTrue)

    def error(self, message: str) -> NoReturn:
        raise ArchcostError(message, hint=f"{self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """The same as argparse does, with the nearest of the words that may stand there."""
        choices: Collection[Any] | None = action.choices  # pyright: ignore[reportAssignmentType]
        if choices is None or value in choices:
            return
        name = "/".join(action.option_strings) or action.metavar or action.dest
        words = [str(choice) for choice in choices]
        raise ArchcostError(
            f"argument {name}: invalid choice: {shorten(value)}",
            expected=f"one of {listing(words, 40)}",
            hint=nearest(str(value).lower(), words) or self._other_hint(str(value)),
        )

    def _other_hint(self, word: str) -> str:
        """Of a network without a command, which commands it might be for."""
        from archcost.spec import zoo

        if self.groups is not None and (word in zoo.names() or word.endswith((".yaml", ".yml", ".json", ".onnx"))):
            return f"{self.prog} summary {word}"
        return f"{self.prog} --help"

    @property
    def options(self) -> list[str]:
        """What may stand with a dash before it."""
        return [word for action in self._actions for word in action.option_strings]

    def format_help(self) -> str:
        if self.groups is None:
            return super().format_help()
        import shutil

        width = max(shutil.get_terminal_size().columns - 2, 40)
        blocks = [f"usage: {self.prog} COMMAND …", textwrap.fill(self.description or "", width)]
        longest = max(len(name) for group in self.groups.values() for name, _ in group)
        for title, commands in self.groups.items():
            lines = [
                textwrap.fill(f"  {name.ljust(longest)}  {told}", width, subsequent_indent=" " * (longest + 4))
                for name, told in commands
            ]
            blocks.append("\n".join([f"{title}:", *lines]))
        blocks.append("COMMAND --help has the options of a command, with examples; --version the version.")
        blocks += [textwrap.fill(self.epilog, width)] if self.epilog else []
        return "\n\n".join(blocks) + "\n"


class CommandParser(Parser):
    """Names and options of one command in any order: `explain vgg_d --batch 2 fc6` has an option between two names."""

    mixing = False
    declare: Callable[[argparse.ArgumentParser], None] | None = None
    """Adds its options, once it is to read some."""

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Any = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        self.declared()
        if self.mixing or self._subparsers:  # called back from below; commands of a command stand in their order
            return super().parse_known_args(args, namespace)
        self.mixing = True
        found, others = self.parse_known_intermixed_args(args, namespace)
        self.mixing = False
        found.parser = self
        return found, others

    def declared(self) -> CommandParser:
        """Itself, with its options."""
        if self.declare is not None:
            declare, self.declare = self.declare, None
            declare(self)
            self._describe_places()
        return self

    def _describe_places(self) -> None:
        """In a usage of one line, and what a network may be."""
        if self._subparsers:
            return
        places = [action for action in self._actions if not action.option_strings]
        self.usage = " ".join([self.prog, *map(place_text, places), "[option …]"])
        if places and places[0].metavar == "NETWORK":
            places[0].help = places[0].help or NETWORK

    def format_help(self) -> str:
        """With examples behind it."""
        from archcost.cli.examples import EXAMPLES

        examples = EXAMPLES.get(self.prog.partition(" ")[2], ())
        lines = [line for command, told in examples for line in (f"  {command}", f"      {told}")]
        return "\n".join([super().format_help(), *(["examples:", *lines, ""] if lines else [])])


def place_text(action: argparse.Action) -> str:
    """What stands in a place of the command: `NETWORK`, `[LAYER]`, `NETWORK …`."""
    text = f"{action.metavar}{' …' * (action.nargs in ('*', '+'))}"
    return f"[{text}]" if action.nargs in ("*", "?") else text


def refuse_others(parser: Parser, others: Sequence[str], argv: Sequence[str]) -> NoReturn:
    """Of words that no option or place of the command takes."""
    word, repeated = others[0], [word for word in argv if word in _repeated(parser)]
    formats: tuple[str, ...] = parser.get_default("formats") or ()
    if word.removeprefix("--") in formats:
        hint = f"--format {word.removeprefix('--')}"
    elif word.startswith("-"):
        hint = nearest(word.partition("=")[0].lstrip("-"), [option.lstrip("-") for option in parser.options])
        hint = hint and "--" + hint.replace("'", "").replace(" or ", " or --")
    else:
        hint = f"an option before each value, as in {repeated[0]} A {repeated[0]} B" if repeated else None
    problem = f"unrecognized arguments: {' '.join([word[:60] for word in others[:10]])}"
    raise ArchcostError(problem, hint=hint or f"{parser.prog} --help")


def several_each(parser: Parser, argv: Sequence[str], others: Sequence[str]) -> list[str] | None:
    """The words with those that were too many as further values of the option that they follow: `--freeze A B` as
    `--freeze A --freeze B`. None where that is not the only way to read them.
    """
    if any(word.startswith("-") for word in others):
        return None
    repeated = _repeated(parser)
    runs: list[tuple[int, int]] = []  # where an option stands, and where the words that follow its value end
    for place, word in enumerate(argv):
        if word in repeated:
            end = place + 2
            while end < len(argv) and not argv[end].startswith("-"):
                end += 1
            if end > place + 2:
                runs.append((place, end))
    if len(runs) != 1 or runs[0][1] - runs[0][0] - 2 < len(others):
        return None
    place = runs[0][0]
    first, last = place + 2, place + 2 + len(others)
    more = [each for word in argv[first:last] for each in (argv[place], word)]
    return [*argv[:first], *more, *argv[last:]]


def _repeated(parser: Parser) -> set[str]:
    """Options that stand once per value."""
    return {
        word
        for action in parser._actions  # pyright: ignore[reportPrivateUsage]
        if isinstance(action, argparse._AppendAction)  # pyright: ignore[reportPrivateUsage]
        for word in action.option_strings
    }
