"""The screen that is written to, if it is one."""

from __future__ import annotations

import argparse
import os
import sys

from archcost.report.screen import ANYWHERE, Screen

LEAST = 40
"""Columns; on a narrower screen lines are broken by the terminal."""


def screen(options: argparse.Namespace) -> Screen:
    """Standard output, where the answer is text and goes there."""
    if options.output is not None or options.format != "text":
        return ANYWHERE
    return Screen(_width() if sys.stdout.isatty() else None, has_colours())


def _width() -> int | None:
    import shutil

    width = shutil.get_terminal_size((0, 0)).columns
    return max(width, LEAST) if width else None


def has_colours() -> bool:
    """NO_COLOR forbids them, FORCE_COLOR asks for them; else a terminal that is not dumb has them.

    In this order, as Python itself does: https://no-color.org, https://force-color.org.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM", "") not in ("dumb", "") and sys.stdout.isatty()
