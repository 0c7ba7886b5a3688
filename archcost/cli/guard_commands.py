"""The command that holds networks to budgets and locks: `archcost check`."""

from __future__ import annotations

import argparse

from archcost.cli.command import Command
from archcost.cli.given import rendered
from archcost.cli.options import add_format

FORMATS = ("text", "json", "junit", "github", "markdown")


def _check(added: argparse.ArgumentParser) -> None:
    added.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="a lock, or a file of budgets; default: the nearest archcost.yaml or pyproject.toml",
    )
    added.add_argument(
        "--update", action="store_true", help="write changed tables of locks anew; budgets are never rewritten"
    )
    add_format(added, FORMATS)


def check(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.guarding.check import check

    result = check(options.files, options.update)
    return rendered(result, options), result.exit_code


COMMANDS = {"check": Command(check, _check)}
