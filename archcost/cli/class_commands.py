"""The commands of a class: `archcost worksheet` and `grade`."""

from __future__ import annotations

import argparse

from archcost.cli.command import Command
from archcost.cli.given import rendered
from archcost.cli.options import add_format, batch, sequence


def _worksheet(added: argparse.ArgumentParser) -> None:
    from archcost.teaching.sheet import DEFAULT

    added.add_argument("network", metavar="NETWORK", help="one that ships, or a file")
    added.add_argument("--seed", type=int, default=1, metavar="N", help="the same seed, the same sheet (default 1)")
    added.add_argument(
        "--questions", type=int, default=DEFAULT, metavar="K", help=f"how many (default {DEFAULT}, one of each kind)"
    )
    added.add_argument("--key", action="store_true", help="the same sheet with its answers and their working")
    added.add_argument("--batch", type=batch, default=1, metavar="N", help="samples at once (default 1)")
    added.add_argument("--set", action="append", default=[], dest="settings", metavar="KEY=VALUE", help="as of summary")
    added.add_argument("--input", action="append", default=[], dest="inputs", metavar="SHAPE", help="as of summary")
    added.add_argument("--sequence", type=sequence, metavar="N", help="tokens of one sample")
    added.add_argument("--format", choices=("markdown", "latex"), default=None, help="default: by the file's ending")


def worksheet(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.teaching import worksheet

    sheet = worksheet(
        options.network,
        options.seed,
        options.questions,
        batch=options.batch,
        settings=options.settings,
        inputs=options.inputs,
        sequence=options.sequence,
    )
    by_ending = "latex" if (options.output or "").lower().endswith(".tex") else "markdown"
    written = sheet.latex if (options.format or by_ending) == "latex" else sheet.markdown
    return written(options.key), 0


def _grade(added: argparse.ArgumentParser) -> None:
    added.add_argument("sheet", metavar="SHEET", help="a worksheet that was filled")
    add_format(added)


def grade(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.teaching import grade

    graded = grade(options.sheet)
    return rendered(graded, options), 0 if graded.all_right else 1


COMMANDS = {"worksheet": Command(worksheet, _worksheet, "sheet"), "grade": Command(grade, _grade)}
