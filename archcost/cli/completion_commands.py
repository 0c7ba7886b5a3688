"""`archcost completion`: a script for a shell."""

from __future__ import annotations

import argparse

from archcost.cli.command import Command


def _completion(added: argparse.ArgumentParser) -> None:
    from archcost.cli.completion import SHELLS

    added.add_argument("shell", metavar="SHELL", choices=SHELLS, help=" or ".join([", ".join(SHELLS[:-1]), SHELLS[-1]]))


def completion(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.cli.completion import script

    return script(options.shell), 0


COMMANDS = {"completion": Command(completion, _completion)}
