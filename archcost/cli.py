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
from archcost.errors import ArchcostError, CheckError
from archcost.files import noting
from archcost.options import (
    WORKING_FORMATS,
    CommandParser,
    Parser,
    add_command,
    add_format,
    add_parser,
    add_run,
    add_settings,
    changed_settings,
    depth,
    run_of,
)

if TYPE_CHECKING:
    from archcost.costs import ModelCost
    from archcost.costs.run import Run
    from archcost.report import Result
    from archcost.spec import ModelSpec

    Commands = argparse._SubParsersAction[CommandParser]  # pyright: ignore[reportPrivateUsage]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. 0: fine, 1: a check failed, 2: the input is wrong."""
    options = argparse.Namespace(debug=False)
    try:
        options = parser().parse_args(argv, options)
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
    from archcost import outputs

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
    add_run(summary)
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
    add_format(fitting)

    verifying = command("verify", verify, "cross-check every number with torch and fvcore, or with the module itself")
    verifying.add_argument("network", metavar="NETWORK")
    verifying.add_argument("--device", default="cpu", metavar="cpu|cuda", help="where torch runs (default cpu)")
    verifying.add_argument("--measure", action="store_true", help="also run steps, and compare their memory")
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


def _add_hardware(commands: Commands) -> None:
    help = "the devices that ship, one of them in full, or a check of one's own"
    hardware = add_parser(commands, "hardware", help)
    inner = hardware.add_subparsers(title="commands", metavar="COMMAND", required=True, parser_class=CommandParser)
    add_format(add_command(inner, "list", list_hardware, "the devices that ship: memory, bandwidth, rates"))

    showing = add_command(inner, "show", show_hardware, "every figure of a device, with its source and date")
    showing.add_argument("name", metavar="NAME", help="a shipped name, or the path of a file")
    add_format(showing)

    checking = add_command(inner, "check", check_hardware, "refuse a profile that is ill formed, or impossible")
    checking.add_argument("file", metavar="FILE")
    add_format(checking)


def _spec(network: str, options: argparse.Namespace) -> ModelSpec:
    from archcost.networks import load

    spec = load(network, options.settings, options.inputs, options.args)
    loss = getattr(options, "loss", None)
    if loss is None:
        return spec
    from archcost.spec.overrides import set_loss

    return set_loss(spec, loss)


def _cost(network: str, options: argparse.Namespace) -> ModelCost:
    return _known(_cost_of(_spec(network, options), options), options)


def _cost_of(spec: ModelSpec, options: argparse.Namespace) -> ModelCost:
    from archcost.costs import cost
    from archcost.graph import build

    return cost(build(spec, options.batch or 1))


def _known(found: ModelCost, options: argparse.Namespace) -> ModelCost:
    """Under --strict nothing may be unknown."""
    if options.strict and found.unknown:
        layers = f"{len(found.unknown):,} layer" + "s" * (len(found.unknown) > 1)
        problem = f"{found.network}: the operations of {layers} are not known"
        raise CheckError(problem, found=", ".join(found.unknown))
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
    from archcost.networks import is_callable

    networks = (options.network, *options.networks)
    called = set(filter(is_callable, networks))
    # --args are for the callables: beside one, another network has none
    without_args = argparse.Namespace(**{**vars(options), "args": None}) if called else options
    costs = [_cost(network, options if network in called else without_args) for network in networks]
    return _render(compare(costs), options), 0


def estimate(options: argparse.Namespace) -> tuple[str, int]:
    if options.hardware is None:
        raise ArchcostError(
            "no device to estimate for", expected="--hardware with a name or a file", hint="archcost hardware list"
        )
    from archcost.estimates import estimate

    result = estimate(_spec(options.network, options), options.batch, hardware=options.hardware, run=run_of(options))
    if options.strict and result.unknown:
        raise CheckError(
            f"{result.network} on {result.hardware.name}: not all is known", found=", ".join(result.unknown)
        )
    return _render(result, options), 0 if result.fits else 1


def timeline(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.costs.timeline import timeline
    from archcost.graph import build
    from archcost.report.timeline import Folded

    if options.strict:
        _cost(options.network, options)
    graph = build(_spec(options.network, options), options.batch)
    if options.hardware is None:
        line = timeline(graph, run_of(options), options.device)
    else:
        from archcost import hardware
        from archcost.estimates.automatic import line_on

        line = line_on(graph, run_of(options), hardware.load(options.hardware))
    return _render(Folded(line, options.depth), options), 0


def fit(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.planning import fit

    spec = _spec(options.network, options)
    if options.strict:
        _cost(options.network, options)
    result = fit(spec, options.batch, hardware=options.hardware, vary=options.vary, run=run_of(options))
    if options.strict and result.unknown:
        raise CheckError(f"{result.network}: not all is known", found=", ".join(result.unknown))
    return _render(result, options), 0 if result.fits else 1


def verify(options: argparse.Namespace) -> tuple[str, int]:
    given = run_of(options)
    if not options.measure and (changed := changed_settings(given)):
        raise ArchcostError("no step is run", expected="--measure with settings of one", found=", ".join(changed))
    from archcost.networks import is_callable

    run = given if options.measure else None
    if is_callable(options.network):
        return _verify_callable(options, run)
    spec = _spec(options.network, options)
    if options.strict:
        _cost(options.network, options)
    from archcost import pytorch

    result = pytorch.verify(spec, device=options.device, batch=options.batch, run=run)
    return _render(result, options), 0 if result.ok else 1


def _verify_callable(options: argparse.Namespace, run: Run | None) -> tuple[str, int]:
    """The module itself beside its spec."""
    from archcost.importers.spelled import call, printing_to_stderr
    from archcost.spec.overrides import override, set_loss

    called = call(options.network, options.args, options.inputs)
    spec = override(called.spec, options.settings)
    spec = spec if options.loss is None else set_loss(spec, options.loss)
    if options.strict:
        _known(_cost_of(spec, options), options)
    from archcost.pytorch.crosscheck_module import check_module
    from archcost.pytorch.subject import Subject

    subject = Subject(called.module, called.given, called.named, called.make)
    with printing_to_stderr():
        result = check_module(spec, subject, options.device, options.batch, run)
    return _render(result, options), 0 if result.ok else 1


def lock(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.locks import Recipe, ordered, section, spelled, write

    folder = Path(options.output).parent if options.output else Path()
    settings, inputs = tuple(options.settings), tuple(options.inputs)
    args = spelled(options.args)
    sections = [
        section(Recipe(network, options.batch, settings, inputs, args).seen_from(folder), _cost(network, options))
        for network in options.networks
    ]
    return write(ordered(sections)), 0


def check(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import locks

    outcomes = locks.check(Path(options.file))
    return locks.report(outcomes), 1 if any(outcome.changes for outcome in outcomes) else 0


def export(options: argparse.Namespace) -> tuple[bytes, int]:
    if options.output is None:
        raise ArchcostError("no file to write to", expected="-o FILE.onnx", hint="archcost export NETWORK -o FILE.onnx")
    if options.strict:
        _cost(options.network, options)
    from archcost.exporters import onnx_bytes

    return onnx_bytes(_spec(options.network, options), options.batch), 0


def import_network(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.costs import cost
    from archcost.graph import build

    spec = _spec(options.network, options)
    _known(cost(build(spec, options.batch)), options)  # what cannot be built is not written
    if not (options.output or "").endswith(".json"):
        return spec.to_yaml(), 0
    from archcost.outputs import spec_json

    return spec_json(spec.to_dict()), 0


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
