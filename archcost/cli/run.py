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

from archcost.cli.defaults import settle_settings, taken_text
from archcost.cli.options import settle_format
from archcost.cli.parser import parser
from archcost.cli.parsing import refuse_others, several_each
from archcost.cli.words import one_device_each
from archcost.errors import ArchcostError
from archcost.files.write import recording_reads

MOST_COMPLAINED = 1_000
"""Characters of a line of a message."""

atexit.register(gc.freeze)  # what lives to the end needs no search for cycles there: modules and classes


def run(argv: Sequence[str] | None = None) -> int:
    """The command of `archcost.cli.main`, with all that it needs imported."""
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
        options = parsed(one_device_each(argv), options)
        settle_format(options)
        settle_settings(options)
        with recording_reads() as inputs, _showing_progress(argv):
            written, code = options.run(options)
        _put(written, options, inputs)
        return code
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    except BrokenPipeError:  # the reader has seen enough, as `| head` does
        _silence(sys.stdout)
        return 0
    except ArchcostError as error:
        if options.debug:
            raise
        _complain(f"archcost: {error}")
        if settings := taken_text(options):
            _complain(f"  {settings}")
        return error.exit_code
    except Exception as error:
        if options.debug:
            raise
        _complain(f"archcost: internal error: {type(error).__name__}: {error}")
        _complain("  try: the same with --debug, and report what it prints")
        return 2


def parsed(argv: Sequence[str], options: argparse.Namespace) -> argparse.Namespace:
    """`help COMMAND` is `COMMAND --help`. Raises ArchcostError for words that the command does not take."""
    if argv[:1] == ["help"]:
        argv = [*argv[1:], "--help"]
    found, others = parser(*argv[:1]).parse_known_args(argv, options)
    if not others:
        return found
    again = several_each(found.parser, argv, others)
    if again is None:
        refuse_others(found.parser, others, argv)
    found, others = parser(*argv[:1]).parse_known_args(again)
    return found if not others else refuse_others(found.parser, others, argv)


@contextlib.contextmanager
def _showing_progress(argv: Sequence[str]) -> Generator[None]:
    """On a terminal, of what takes longer than a second. Calibration shows more by itself."""
    quiet = any(word in ("-q", "--quiet") for word in argv)
    is_terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"  # which could not clear the line
    if quiet or list(argv[:2]) == ["hardware", "calibrate"] or not is_terminal:
        yield
        return
    from archcost.files.stage import listening
    from archcost.report.progress import Elapsed

    with Elapsed(" ".join(["archcost", *argv[:2]])) as elapsed, listening(elapsed.at):
        yield


def _put(written: str | bytes, options: argparse.Namespace, inputs: Sequence[Path]) -> None:
    if options.output is None:
        assert isinstance(written, str), "what is no text is written to a file alone"
        _print(written)
        return
    from archcost.cli import outputs

    outputs.save(options.saves, options.output, written, inputs)


def _print(written: str) -> None:
    """Raises ArchcostError where the terminal or what stands for it takes no more, as a full disk."""
    stdout = cast("TextIO", sys.stdout)
    _spell_in_ascii(stdout)
    try:
        stdout.write(written)
        stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _silence(stdout)
        raise ArchcostError(f"the output cannot be written: {error.strerror}") from None


def _complain(text: str) -> None:
    """Whatever words the message repeats, none moves the terminal's cursor, nor floods it."""
    lines = [line if len(line) <= MOST_COMPLAINED else f"{line[:MOST_COMPLAINED]}…" for line in text.split("\n")]
    text = "\n".join(["".join(each if each.isprintable() else repr(each)[1:-1] for each in line) for line in lines])
    stderr = cast("TextIO", sys.stderr)
    _spell_in_ascii(stderr)
    print(text, file=stderr)


def _spell_in_ascii(stream: TextIO) -> None:
    """What the stream's encoding has no character for."""
    if isinstance(stream, io.TextIOWrapper) and not stream.encoding.lower().startswith("utf"):
        from archcost.cli.ascii import SPELLED  # which registers it

        stream.reconfigure(errors=SPELLED)


def _silence(stream: TextIO) -> None:
    """Keep Python from complaining again when it flushes the closed pipe at exit."""
    with contextlib.suppress(OSError):  # a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
