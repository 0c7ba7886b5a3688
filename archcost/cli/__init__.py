"""The command line."""

from __future__ import annotations

from collections.abc import Sequence

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it: 128 and the signal's number."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command: that of the process, or `argv`. 0: fine, 1: a check failed, 2: the input is wrong."""
    try:  # Ctrl-C may come while the command is still being imported
        from archcost.cli.run import run

        return run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED
