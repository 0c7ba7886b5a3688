"""The command line: parse → one library call → render. What a command does not need, it does not import."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import io
import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TextIO, cast

from archcost.cli.commands import one_device_each
from archcost.cli.parser import parser
from archcost.errors import ArchcostError
from archcost.files.write import recording_reads

atexit.register(gc.freeze)  # what lives to the end needs no search for cycles there: modules and classes


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command: that of the process, or `argv`. 0: fine, 1: a check failed, 2: the input is wrong."""
    if argv is None:
        argv = sys.argv[1:]
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # looking for some takes longer than a network
    threshold = gc.get_threshold()
    gc.set_threshold(100_000)  # about as many objects as a command makes to keep
    try:
        return _run(argv)
    finally:
        gc.set_threshold(*threshold)


def _run(argv: Sequence[str]) -> int:
    options = argparse.Namespace(debug=False)
    try:
        options = parser(*argv[:1]).parse_args(one_device_each(argv), options)
        with recording_reads() as inputs, _showing_progress(argv):
            written, code = options.run(options)
        _put(written, options, inputs)
        return code
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    except BrokenPipeError:  # the reader has seen enough, as `| head` does
        _silence(sys.stdout)
        return 0
    except KeyboardInterrupt:
        return 130
    except ArchcostError as error:
        if options.debug:
            raise
        print(f"archcost: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if options.debug:
            raise
        print(f"archcost: internal error: {type(error).__name__}: {error}", file=sys.stderr)
        print("  try: the same with --debug, and report what it prints", file=sys.stderr)
        return 2


@contextlib.contextmanager
def _showing_progress(argv: Sequence[str]) -> Generator[None]:
    """On a terminal, of what takes longer than a second. Calibration shows more by itself."""
    if list(argv[:2]) == ["hardware", "calibrate"] or not sys.stderr.isatty():
        yield
        return
    from archcost.files.stage import listening
    from archcost.report.progress import Elapsed

    with Elapsed(" ".join(["archcost", *argv[:2]])) as elapsed, listening(elapsed.at):
        yield


def _put(written: str | bytes, options: argparse.Namespace, inputs: Sequence[Path]) -> None:
    if options.output is None:
        assert isinstance(written, str), "what is no text is written to a file alone"
        stdout = cast("TextIO", sys.stdout)
        if isinstance(stdout, io.TextIOWrapper):
            stdout.reconfigure(errors="replace")  # a terminal without × shows ? rather than nothing
        stdout.write(written)
        stdout.flush()
        return
    from archcost.cli import outputs

    outputs.save(options.saves, options.output, written, inputs)


def _silence(stream: TextIO) -> None:
    """Keep Python from complaining again when it flushes the closed pipe at exit."""
    with contextlib.suppress(OSError):  # a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
