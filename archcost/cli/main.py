"""The command line: parse → one library call → render. What a command does not need, it does not import."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from archcost import __version__
from archcost.cli.commands import (
    calibrate_hardware,
    check,
    check_hardware,
    compare,
    estimate,
    explain,
    export,
    fit,
    import_network,
    list_hardware,
    list_networks,
    lock,
    one_device_each,
    plan,
    schema,
    show_hardware,
    summarize,
    sweep,
    timeline,
    verify,
)
from archcost.cli.options import (
    WORKING_FORMATS,
    CommandParser,
    Parser,
    add_command,
    add_engine,
    add_format,
    add_network,
    add_parser,
    add_run,
    add_settings,
    add_threads,
    batches,
    checkpoints,
    depth,
    devices,
    threads,
)
from archcost.errors import ArchcostError
from archcost.files.write import noting

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[CommandParser]  # pyright: ignore[reportPrivateUsage]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: fine, 1: a check failed, 2: the input is wrong."""
    options = argparse.Namespace(debug=False)
    try:
        options = parser().parse_args(one_device_each(sys.argv[1:] if argv is None else argv), options)
        with noting() as inputs:
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


def parser() -> argparse.ArgumentParser:
    top = Parser(
        prog="archcost",
        description="What does this neural network cost? Weights, operations and receptive fields, layer by layer.",
        epilog="NETWORK is the name of a shipped network, the path of a .yaml, .json or .onnx file, or "
        "module:callable, "
        "your own Python that makes a torch module (with --args and --input).",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"archcost {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    command = partial(add_command, commands)

    add_format(command("list", list_networks, "the networks that ship, with parameters, MACs and citation"))

    summary = command("summary", summarize, "the table of layers: output shape, parameters, MACs, FLOPs")
    summary.add_argument("network", metavar="NETWORK")
    summary.add_argument("--depth", type=depth, metavar="N", help="fold the table at N dotted names")
    summary.add_argument("--time", action="store_true", help="seconds of each layer in a step on --hardware")
    summary.add_argument("--hardware", metavar="H", help="a device by name (archcost hardware list) or file")
    add_run(summary)
    add_settings(summary)
    add_engine(summary)
    add_threads(summary)
    add_format(summary)

    explaining = command("explain", explain, "the working of each number: formula, numbers put in, result")
    explaining.add_argument("network", metavar="NETWORK")
    explaining.add_argument("layer", metavar="LAYER", nargs="?", help="a layer or a block; default: the whole network")
    add_run(explaining)
    add_format(explaining, WORKING_FORMATS)

    for name, help in (("compare", "networks side by side, and which layers differ"), ("diff", "the same as compare")):
        comparing = command(name, compare, help)
        comparing.add_argument("network", metavar="NETWORK")
        comparing.add_argument("networks", metavar="NETWORK", nargs="+")
        add_run(comparing)
        add_format(comparing)

    estimating = command("estimate", estimate, "the memory that a step takes on a device, and whether it fits")
    estimating.add_argument("network", metavar="NETWORK")
    estimating.add_argument(
        "--hardware", metavar="H", help="required: a device by name (archcost hardware list) or file"
    )
    add_run(estimating)
    add_settings(estimating)
    add_engine(estimating)
    add_threads(estimating)
    add_format(estimating)

    lining = command("timeline", timeline, "the memory of a step through time, and what is alive at the peak")
    lining.add_argument("network", metavar="NETWORK")
    where = lining.add_mutually_exclusive_group()
    where.add_argument("--hardware", metavar="H", help="a device by name (archcost hardware list) or file")
    where.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="whose kernels run, without --hardware (default cuda)"
    )
    lining.add_argument("--depth", type=depth, metavar="N", help="fold the moments at N dotted names")
    add_run(lining)
    add_settings(lining)
    add_format(lining)

    fitting = command("fit", fit, "where a network fits, the largest batch there, what binds, and what to change")
    fitting.add_argument("network", metavar="NETWORK")
    fitting.add_argument(
        "--hardware",
        action="append",
        default=[],
        metavar="H",
        help="a device by name or file, once per device; default: all that ship",
    )
    fitting.add_argument(
        "--vary", default="batch", metavar="V", help="what the largest is sought of: batch (default), input, width"
    )
    add_run(fitting)
    add_settings(fitting)
    add_engine(fitting)
    add_format(fitting)

    _add_plan(command("plan", plan, "a whole run on each device: steps, hours, energy, money, CO2, checkpoints"))
    _add_sweep(command("sweep", sweep, "many configurations at once, as a table: memory and time of each"))

    verifying = command("verify", verify, "cross-check every number with torch and fvcore, or with the module itself")
    verifying.add_argument("network", metavar="NETWORK")
    verifying.add_argument("--device", default="cpu", metavar="cpu|cuda", help="where torch runs (default cpu)")
    verifying.add_argument("--measure", action="store_true", help="also run steps, and compare their memory")
    verifying.add_argument(
        "--calibration", metavar="FILE", help="with --measure, compare their time with what this file says as well"
    )
    add_run(verifying)
    add_settings(verifying)
    add_format(verifying)

    locking = command("lock", lock, "write a reviewable table of layers, for archcost check", saves="lock")
    locking.add_argument("networks", metavar="NETWORK", nargs="+")
    add_run(locking)

    checking = command("check", check, "compare networks with the tables of archcost lock")
    checking.add_argument("file", metavar="FILE")

    importing = command("import", import_network, "write any NETWORK as a spec that loads again", saves="spec")
    importing.add_argument("network", metavar="NETWORK")
    add_run(importing)

    _add_hardware(commands)

    exporting = command(
        "export", export, "an ONNX file of the network: its shapes, and weights without values", saves="onnx"
    )
    exporting.add_argument("network", metavar="NETWORK")
    add_run(exporting, any_batch=True)

    command("schema", schema, "the JSON Schema of the spec format, for editors")
    return top


def _add_plan(planning: argparse.ArgumentParser) -> None:
    planning.add_argument("network", metavar="NETWORK")
    planning.add_argument(
        "--hardware",
        action="append",
        default=[],
        metavar="H",
        help="a device by name or file, once per device; default: all that ship",
    )
    planning.add_argument("--dataset-size", metavar="N", help="samples of the data set: 1281167, or 1.2M")
    planning.add_argument("--epochs", metavar="E", help="how often the data set is gone through")
    planning.add_argument("--tokens", metavar="T", help="tokens in all, instead of the two: 300B, 2T")
    planning.add_argument(
        "--count",
        type=devices,
        default=1,
        metavar="K",
        help="devices that share each batch, all with the whole network (default 1)",
    )
    for option, unit in (("--price", "USD/h"), ("--power", "W")):
        planning.add_argument(
            option,
            action="append",
            default=[],
            metavar="[H=]V",
            help=f"of a device, in {unit}: a number for all, or H=V for one; unknown without"
            + (", and at most the TDP" if option == "--power" else ""),
        )
    planning.add_argument("--carbon", metavar="G", help="g of CO2 a kWh of the grid; unknown without")
    planning.add_argument(
        "--keep", type=checkpoints, default=1, metavar="N", help="checkpoints that are there at a time (default 1)"
    )
    planning.add_argument("--order", default="time", metavar="O", help="of the table: time (default), cost")
    add_run(planning)
    add_settings(planning)
    add_engine(planning)
    add_format(planning)


def _add_sweep(sweeping: argparse.ArgumentParser) -> None:
    sweeping.add_argument("network", metavar="NETWORK")
    sweeping.add_argument(
        "--batch",
        action="append",
        type=batches,
        metavar="N",
        help="samples at once (default 1): 8, 1-512, or 8-512:8, once per value or range",
    )
    sweeping.add_argument(
        "--hardware",
        action="append",
        metavar="H",
        help="required: a device by name (archcost hardware list) or file, once per device",
    )
    sweeping.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="[H=]V",
        help="of a device, in USD/h: a number for all, or H=V for one; adds what a million samples cost",
    )
    sweeping.add_argument("--fitting", action="store_true", help="only rows whose verdict is fits: those that are safe")
    sweeping.add_argument(
        "--pareto", metavar="COLUMNS", help="only rows that none beats in these columns, with commas between"
    )
    sweeping.add_argument(
        "--allocator", action="store_true", help="also play the GPU's allocator, row by row: what it hands out"
    )
    add_network(sweeping)
    add_settings(sweeping, several=True)
    add_engine(sweeping, several=True)
    add_format(sweeping)


def _add_calibrate(inner: Commands) -> None:
    help = "time this machine, class by class of layers, for estimate --calibration"
    calibrating = add_command(inner, "calibrate", calibrate_hardware, help, saves="calibration")
    calibrating.add_argument("--device", default="cpu", metavar="cpu|cuda", help="what is timed (default cpu)")
    calibrating.add_argument(
        "--threads", type=threads, metavar="N", help="threads of the CPU that the step will run on; default: torch's"
    )
    calibrating.add_argument("--quick", action="store_true", help="in a few seconds, with a wider band")
    calibrating.add_argument("--precision", default="fp32", metavar="P", help="of the runs (default fp32)")
    calibrating.add_argument(
        "--hardware", metavar="H", help="the profile that this machine is; default: a name made of its processor's"
    )
    calibrating.add_argument(
        "--for",
        dest="network",
        metavar="NETWORK",
        help="also time each distinct layer of this network, and keep these times for it",
    )
    add_run(calibrating)


def _add_hardware(commands: Commands) -> None:
    help = "the devices that ship, one of them in full, or a check of one's own"
    hardware = add_parser(commands, "hardware", help)
    inner = hardware.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    add_format(add_command(inner, "list", list_hardware, "the devices that ship: memory, bandwidth, rates"))

    showing = add_command(inner, "show", show_hardware, "every figure of a device, with its source and date")
    showing.add_argument("name", metavar="NAME", help="a shipped name, or the path of a file")
    add_format(showing)

    _add_calibrate(inner)

    checking = add_command(inner, "check", check_hardware, "refuse a profile that is ill formed, or impossible")
    checking.add_argument("file", metavar="FILE")
    add_format(checking)
