"""The commands, and the options of each. A command declares its options only when it is the one that is given."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from archcost import __version__
from archcost.cli import commands
from archcost.cli import hardware_commands as hardware
from archcost.cli import showing_commands as showing
from archcost.cli.options import (
    WORKING_FORMATS,
    Action,
    CommandParser,
    OnceEither,
    Parser,
    add_engine,
    add_format,
    add_network,
    add_output,
    add_run,
    add_settings,
    add_threads,
    batches,
    checkpoints,
    depth,
    devices,
    sequences,
    threads,
    tokens,
)

DEVICE = "a device by name (archcost hardware list) or file"
EACH_DEVICE = "a device by name or file, once per device; default: all that ship"


class Command(NamedTuple):
    """A command: its name, what it does, the function that does it, and its options.

    `saves` is the kind of file that it writes. One without `run` has commands of its own.
    """

    name: str
    help: str
    run: Action | None
    declare: Callable[[argparse.ArgumentParser], None]
    saves: str = "report"


def parser(named: str | None = None) -> argparse.ArgumentParser:
    """Of that command alone, or of all where none has that name."""
    top = Parser(
        prog="archcost",
        description="What does this neural network cost? Weights, operations and receptive fields, layer by layer.",
        epilog="NETWORK is the name of a shipped network, the path of a .yaml, .json or .onnx file, a "
        "config.json of Hugging Face, or module:callable, "
        "your own Python that makes a torch module (with --args and --input).",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"archcost {__version__}")
    add_commands(top, [command for command in COMMANDS if command.name == named] or COMMANDS)
    return top


def add_commands(parser: argparse.ArgumentParser, offered: Sequence[Command]) -> None:
    named = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    for command in offered:
        description = f"{command.help[0].upper()}{command.help[1:]}."
        added = named.add_parser(command.name, help=command.help, description=description, allow_abbrev=False)
        added.declare = partial(_declare, command)


def _declare(command: Command, added: argparse.ArgumentParser) -> None:
    if command.run is not None:
        added.set_defaults(run=command.run, saves=command.saves)
        add_output(added, command.saves)
    command.declare(added)


def _nothing(added: argparse.ArgumentParser) -> None:
    """No option of its own."""


def _listing(added: argparse.ArgumentParser) -> None:
    add_format(added)


def _layers(added: argparse.ArgumentParser) -> None:
    added.add_argument("type", nargs="?", metavar="TYPE", help="one of them in full: what it costs and keeps")
    add_format(added)


def _show(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    add_network(added)
    add_format(added, ("text", "markdown", "json"))


def _summary(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--depth", type=depth, metavar="N", help="fold the table at N dotted names")
    added.add_argument("--time", action="store_true", help="seconds of each layer in a step on --hardware")
    added.add_argument("--hardware", metavar="H", help=DEVICE)
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_threads(added)
    add_format(added)


def _explain(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("layer", metavar="LAYER", nargs="?", help="a layer or a block; default: the whole network")
    add_run(added)
    add_format(added, WORKING_FORMATS)


def _compare(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("networks", metavar="NETWORK", nargs="+")
    add_run(added)
    add_format(added)


def _estimate(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--hardware", metavar="H", help=f"required: {DEVICE}")
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_threads(added)
    add_format(added)


def _serve(added: argparse.ArgumentParser) -> None:
    from archcost.serving.memory import BLOCK
    from archcost.serving.serve import CHUNK

    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--hardware", metavar="H", help=f"required: {DEVICE}")
    added.add_argument("--prompt", type=tokens, default=1024, metavar="P", help="tokens that are given (default 1024)")
    added.add_argument("--new", type=tokens, default=256, metavar="N", help="tokens that are written (default 256)")
    added.add_argument("--concurrency", type=sequences, default=1, metavar="C", help="sequences at once (default 1)")
    added.add_argument(
        "--precision", metavar="P", help="bf16, fp16 or fp32; default: bf16, or fp16 where the device does not know it"
    )
    added.add_argument(
        "--cache", metavar="D", help=f"fp16, bf16, fp8, int8, in blocks of {BLOCK} tokens; default: that of the weights"
    )
    added.add_argument(
        "--chunk", type=tokens, default=CHUNK, metavar="T", help=f"tokens of prompts in one step (default {CHUNK:,})"
    )
    added.add_argument(
        "--latent",
        action=OnceEither,
        default=True,
        help="keep the latent of which keys and values are made, or these; default: the latent where there is one",
    )
    add_network(added)
    add_engine(added)
    add_format(added)


def _timeline(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    where = added.add_mutually_exclusive_group()
    where.add_argument("--hardware", metavar="H", help=DEVICE)
    where.add_argument(
        "--device", choices=("cuda", "cpu"), default="cuda", help="whose kernels run, without --hardware (default cuda)"
    )
    added.add_argument("--depth", type=depth, metavar="N", help="fold the moments at N dotted names")
    add_run(added)
    add_settings(added)
    add_format(added)


def _fit(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--hardware", action="append", default=[], metavar="H", help=EACH_DEVICE)
    added.add_argument(
        "--vary",
        default="batch",
        metavar="V",
        help="what the largest is sought of: batch (default), input, width, sequence",
    )
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_format(added)


def _plan(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--hardware", action="append", default=[], metavar="H", help=EACH_DEVICE)
    added.add_argument("--dataset-size", metavar="N", help="samples of the data set: 1281167, or 1.2M")
    added.add_argument("--epochs", metavar="E", help="how often the data set is gone through")
    added.add_argument("--tokens", metavar="T", help="tokens in all, instead of the two: 300B, 2T")
    added.add_argument(
        "--count",
        type=devices,
        default=1,
        metavar="K",
        help="devices that share each batch, all with the whole network (default 1)",
    )
    for option, unit in (("--price", "USD/h"), ("--power", "W")):
        added.add_argument(
            option,
            action="append",
            default=[],
            metavar="[H=]V",
            help=f"of a device, in {unit}: a number for all, or H=V for one; unknown without"
            + (", and at most the TDP" if option == "--power" else ""),
        )
    added.add_argument("--carbon", metavar="G", help="g of CO2 a kWh of the grid; unknown without")
    added.add_argument(
        "--keep", type=checkpoints, default=1, metavar="N", help="checkpoints that are there at a time (default 1)"
    )
    added.add_argument("--order", default="time", metavar="O", help="of the table: time (default), cost")
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_format(added)


def _sweep(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument(
        "--batch",
        action="append",
        type=batches,
        metavar="N",
        help="samples at once (default 1): 8, 1-512, or 8-512:8, once per value or range",
    )
    added.add_argument("--hardware", action="append", metavar="H", help=f"required: {DEVICE}, once per device")
    added.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="[H=]V",
        help="of a device, in USD/h: a number for all, or H=V for one; adds what a million samples cost",
    )
    added.add_argument("--fitting", action="store_true", help="only rows whose verdict is fits: those that are safe")
    added.add_argument(
        "--pareto", metavar="COLUMNS", help="only rows that none beats in these columns, with commas between"
    )
    added.add_argument(
        "--allocator", action="store_true", help="also play the GPU's allocator, row by row: what it hands out"
    )
    add_network(added)
    add_settings(added, several=True)
    add_engine(added, several=True)
    add_format(added)


def _verify(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--device", default="cpu", metavar="cpu|cuda", help="where torch runs (default cpu)")
    added.add_argument("--measure", action="store_true", help="also run steps, and compare their memory")
    added.add_argument(
        "--calibration", metavar="FILE", help="with --measure, compare their time with what this file says as well"
    )
    add_run(added)
    add_settings(added)
    add_format(added)


def _lock(added: argparse.ArgumentParser) -> None:
    added.add_argument("networks", metavar="NETWORK", nargs="+")
    add_run(added)


def _check(added: argparse.ArgumentParser) -> None:
    added.add_argument("file", metavar="FILE")


def _import(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    add_run(added)


def _export(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    add_run(added, any_batch=True)


def _hardware_show(added: argparse.ArgumentParser) -> None:
    added.add_argument("name", metavar="NAME", help="a shipped name, or the path of a file")
    add_format(added)


def _hardware_calibrate(added: argparse.ArgumentParser) -> None:
    added.add_argument("--device", default="cpu", metavar="cpu|cuda", help="what is timed (default cpu)")
    added.add_argument(
        "--threads", type=threads, metavar="N", help="threads of the CPU that the step will run on; default: torch's"
    )
    added.add_argument("--quick", action="store_true", help="in a few seconds, with a wider band")
    added.add_argument("--precision", default="fp32", metavar="P", help="of the runs (default fp32)")
    added.add_argument(
        "--hardware", metavar="H", help="the profile that this machine is; default: a name made of its processor's"
    )
    added.add_argument(
        "--for",
        dest="network",
        metavar="NETWORK",
        help="also time each distinct layer of this network, and keep these times for it",
    )
    add_run(added)


def _hardware_check(added: argparse.ArgumentParser) -> None:
    added.add_argument("file", metavar="FILE")
    add_format(added)


def _hardware(added: argparse.ArgumentParser) -> None:
    add_commands(added, HARDWARE)


HARDWARE = (
    Command("list", "the devices that ship: memory, bandwidth, rates", hardware.list_hardware, _listing),
    Command("show", "every figure of a device, with its source and date", hardware.show_hardware, _hardware_show),
    Command(
        "calibrate",
        "time this machine, class by class of layers, for estimate --calibration",
        hardware.calibrate_hardware,
        _hardware_calibrate,
        "calibration",
    ),
    Command("check", "refuse a profile that is ill formed, or impossible", hardware.check_hardware, _hardware_check),
)

COMMANDS = (
    Command("list", "the networks that ship, with parameters, MACs and citation", showing.list_networks, _listing),
    Command(
        "layers", "the layers that a spec can name, or what one of them costs and keeps", showing.show_layers, _layers
    ),
    Command("show", "a network's spec, and the parameters that --set takes", showing.show, _show),
    Command("summary", "the table of layers: output shape, parameters, MACs, FLOPs", commands.summarize, _summary),
    Command("explain", "the working of each number: formula, numbers put in, result", commands.explain, _explain),
    Command("compare", "networks side by side, and which layers differ", commands.compare, _compare),
    Command("diff", "the same as compare", commands.compare, _compare),
    Command("estimate", "the memory that a step takes on a device, and whether it fits", commands.estimate, _estimate),
    Command(
        "timeline", "the memory of a step through time, and what is alive at the peak", commands.timeline, _timeline
    ),
    Command("fit", "where a network fits, the largest batch there, what binds, and what to change", commands.fit, _fit),
    Command("plan", "a whole run on each device: steps, hours, energy, money, CO2, checkpoints", commands.plan, _plan),
    Command(
        "serve",
        "inference with a cache: memory, the largest context and concurrency, time to first and per token",
        commands.serve,
        _serve,
    ),
    Command("sweep", "many configurations at once, as a table: memory and time of each", commands.sweep, _sweep),
    Command(
        "verify",
        "cross-check every number with torch and fvcore, or with the module itself",
        commands.verify,
        _verify,
    ),
    Command("lock", "write a reviewable table of layers, for archcost check", commands.lock, _lock, "lock"),
    Command("check", "compare networks with the tables of archcost lock", commands.check, _check),
    Command("import", "write any NETWORK as a spec that loads again", commands.import_network, _import, "spec"),
    Command("hardware", "the devices that ship, one of them in full, or a check of one's own", None, _hardware),
    Command(
        "export",
        "an ONNX file of the network: its shapes, and weights without values",
        commands.export,
        _export,
        "onnx",
    ),
    Command("schema", "the JSON Schema of the spec format, for editors", showing.schema, _nothing),
)
