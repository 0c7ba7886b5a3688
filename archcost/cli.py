"""The command line: parse → one library call → render. What a command does not need, it does not import."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, cast

from archcost import __version__
from archcost.errors import ArchcostError, CheckError

if TYPE_CHECKING:
    from archcost.costs import ModelCost
    from archcost.report import Result
    from archcost.spec import ModelSpec

    Commands = argparse._SubParsersAction["CommandParser"]  # pyright: ignore[reportPrivateUsage]

MOST = 2**31 - 1
"""Of a batch, as of every other size in a spec."""

TABLE_FORMATS = ("text", "markdown", "latex", "html", "csv", "json")
WORKING_FORMATS = ("text", "markdown", "latex", "json")

Command = Callable[[argparse.Namespace], "tuple[str, int]"]
"""Options → what is printed, and the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: fine, 1: a check failed, 2: the input is wrong."""
    options = argparse.Namespace(debug=False)
    try:
        options = parser().parse_args(argv, options)
        text, code = options.run(options)
        _put(text, options.output)
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


def _put(text: str, output: str | None) -> None:
    if output is None:
        stdout = cast("TextIO", sys.stdout)
        if isinstance(stdout, io.TextIOWrapper):
            stdout.reconfigure(errors="replace")  # a terminal without × shows ? rather than nothing
        stdout.write(text)
        stdout.flush()
        return
    try:
        Path(output).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ArchcostError(f"{output}: cannot be written: {error.strerror}") from None


def _silence(stream: TextIO) -> None:
    """Keep Python from complaining again when it flushes the closed pipe at exit."""
    with contextlib.suppress(OSError):  # a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Parser(argparse.ArgumentParser):
    """Mistakes in the command line are told like any other wrong input."""

    def error(self, message: str) -> NoReturn:
        raise ArchcostError(message, hint=f"{self.prog} --help")


class CommandParser(Parser):
    """Names and options of one command in any order: `explain vgg_d --batch 2 fc6` has an option between two names."""

    mixing = False

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Any = None, namespace: Any = None
    ) -> tuple[Any, list[str]]:
        if self.mixing or self._subparsers:  # called back from below; commands of a command stand in their order
            return super().parse_known_args(args, namespace)
        self.mixing = True
        return self.parse_known_intermixed_args(args, namespace)


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="archcost",
        description="What does this neural network cost? Weights, operations and receptive fields, layer by layer.",
        epilog="NETWORK is the name of a shipped network, or the path of a .yaml, .yml or .json file.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"archcost {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    command = partial(_add_command, commands)

    _add_format(command("list", list_networks, "the networks that ship, with parameters, MACs and citation"))

    summary = command("summary", summarize, "the table of layers: output shape, parameters, MACs, FLOPs")
    summary.add_argument("network", metavar="NETWORK")
    summary.add_argument("--depth", type=_depth, metavar="N", help="fold the table at N dotted names")
    _add_run(summary)
    _add_format(summary)

    explaining = command("explain", explain, "the working of each number: formula, numbers put in, result")
    explaining.add_argument("network", metavar="NETWORK")
    explaining.add_argument("layer", metavar="LAYER", nargs="?", help="a layer or a block; default: the whole network")
    _add_run(explaining)
    _add_format(explaining, WORKING_FORMATS)

    comparing = command("compare", compare, "networks side by side, and which layers differ")
    comparing.add_argument("network", metavar="NETWORK")
    comparing.add_argument("networks", metavar="NETWORK", nargs="+")
    _add_run(comparing)
    _add_format(comparing)

    verifying = command("verify", verify, "cross-check every number with torch and fvcore")
    verifying.add_argument("network", metavar="NETWORK")
    verifying.add_argument("--device", default="cpu", metavar="cpu|cuda", help="where torch runs (default cpu)")
    _add_run(verifying)
    _add_format(verifying)

    locking = command("lock", lock, "write a reviewable table of layers, for archcost check")
    locking.add_argument("networks", metavar="NETWORK", nargs="+")
    _add_run(locking)

    checking = command("check", check, "compare networks with the tables of archcost lock")
    checking.add_argument("file", metavar="FILE")

    _add_hardware(commands)

    command("schema", schema, "the JSON Schema of the spec format, for editors")
    return top


def _add_parser(commands: Commands, name: str, help: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}.", allow_abbrev=False)


def _add_command(commands: Commands, name: str, run: Command, help: str) -> argparse.ArgumentParser:
    added = _add_parser(commands, name, help)
    added.set_defaults(run=run)
    added.add_argument("-o", "--output", metavar="FILE", help="write to a file instead of the terminal")
    added.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return added


def _add_hardware(commands: Commands) -> None:
    help = "the devices that ship, one of them in full, or a check of one's own"
    hardware = _add_parser(commands, "hardware", help)
    inner = hardware.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    _add_format(_add_command(inner, "list", list_hardware, "the devices that ship: memory, bandwidth, rates"))

    showing = _add_command(inner, "show", show_hardware, "every figure of a device, with its source and date")
    showing.add_argument("name", metavar="NAME", help="a shipped name, or the path of a file")
    _add_format(showing)

    checking = _add_command(inner, "check", check_hardware, "refuse a profile that is ill formed, or impossible")
    checking.add_argument("file", metavar="FILE")
    _add_format(checking)


def _add_format(added: argparse.ArgumentParser, formats: Sequence[str] = TABLE_FORMATS) -> None:
    added.add_argument("--format", choices=formats, default="text", help="default: text")


def _add_run(added: argparse.ArgumentParser) -> None:
    added.add_argument("--batch", type=_batch, default=1, metavar="N", help="samples at once (default 1)")
    added.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="KEY=VALUE",
        help="a parameter of the network (depth3=4), of a block (stage.channels=32), or of one use of it",
    )
    added.add_argument(
        "--input",
        action="append",
        default=[],
        dest="inputs",
        metavar="SHAPE",
        help="shape of one sample, 3x384x384 or 3x384x384:float16, once per input or as NAME=SHAPE",
    )
    added.add_argument("--strict", action="store_true", help="fail when the cost of any layer is unknown")


def _batch(text: str) -> int:
    return _positive(text, "the number of samples")


def _depth(text: str) -> int:
    return _positive(text, "the number of names to fold at")


def _positive(text: str, meaning: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 11 and 0 < int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"{meaning} is an integer from 1 to {MOST:,}, not {text[:40]!r}")
    return int(text)


def _spec(network: str, options: argparse.Namespace) -> ModelSpec:
    from archcost.spec import load

    spec = load(network)
    if not options.settings and not options.inputs:
        return spec
    from archcost.spec.overrides import override

    return override(spec, options.settings, options.inputs)


def _cost(network: str, options: argparse.Namespace) -> ModelCost:
    from archcost.costs import cost
    from archcost.graph import build

    found = cost(build(_spec(network, options), options.batch))
    if options.strict and found.unknown:
        raise CheckError(
            f"{found.network}: the cost of {len(found.unknown):,} layers is unknown", found=", ".join(found.unknown)
        )
    return found


def _render(result: Result, options: argparse.Namespace) -> str:
    from archcost.report import render

    return render(result, options.format)


def list_networks(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison import Listing, NetworkTotals
    from archcost.costs import cost
    from archcost.graph import build
    from archcost.spec import load, zoo

    costs = (cost(build(load(name))) for name in zoo.names())
    return _render(Listing(tuple(map(NetworkTotals.of, costs))), options), 0


def summarize(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.report.folding import Folded

    return _render(Folded(_cost(options.network, options), options.depth), options), 0


def explain(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.report.explain import explain

    return _render(explain(_cost(options.network, options), options.layer), options), 0


def compare(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison import compare

    return _render(compare([_cost(network, options) for network in (options.network, *options.networks)]), options), 0


def verify(options: argparse.Namespace) -> tuple[str, int]:
    spec = _spec(options.network, options)
    if options.strict:
        _cost(options.network, options)
    from archcost import pytorch

    result = pytorch.verify(spec, device=options.device, batch=options.batch)
    return _render(result, options), 0 if result.ok else 1


def lock(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.locks import Recipe, section, write

    folder = Path(options.output).parent if options.output else Path()
    settings, inputs = tuple(options.settings), tuple(options.inputs)
    sections = [
        section(Recipe(network, options.batch, settings, inputs).seen_from(folder), _cost(network, options))
        for network in options.networks
    ]
    return write(sections), 0


def check(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import locks

    outcomes = locks.check(Path(options.file))
    return locks.report(outcomes), 1 if any(outcome.changes for outcome in outcomes) else 0


def list_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware

    return _render(hardware.shipped(), options), 0


def show_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware

    return _render(hardware.load(options.name), options), 0


def check_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware

    return _render(hardware.check(options.file), options), 0


def schema(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.spec.schema import schema_text

    return schema_text(), 0
