"""`archcost lint`: what is certainly odd in a network, and the line by which other commands point there."""

from __future__ import annotations

import argparse

from archcost.cli.command import Command
from archcost.cli.given import rendered, spec_of
from archcost.cli.options import add_format, add_network

FORMATS = ("text", "markdown", "html", "csv", "json")


def _lint(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    add_network(added)
    add_format(added, FORMATS)


def lint(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.lints import lint

    found = lint(spec_of(options.network, options))
    return rendered(found, options), found.exit_code


COMMANDS = {"lint": Command(lint, _lint)}
