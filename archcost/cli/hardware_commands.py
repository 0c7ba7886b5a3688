"""The commands of `archcost hardware`."""

from __future__ import annotations

import argparse
from pathlib import Path

from archcost.cli.command import Command, Entry, add_commands
from archcost.cli.given import rendered, spec_of
from archcost.cli.options import add_format, add_run, add_selection
from archcost.cli.values import threads
from archcost.errors import ArchcostError


def _list(added: argparse.ArgumentParser) -> None:
    from archcost.hardware.selection import ORDERS

    added.add_argument("words", nargs="*", metavar="WORD", help="only devices with it in name, vendor or architecture")
    add_selection(added)
    added.add_argument("--sort", default="name", choices=ORDERS, help="name (default), or the largest or newest first")
    add_format(added)


def list_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware
    from archcost.hardware.selection import ordered, selected

    wanted = {"vendor": options.vendor, "kind": options.kind, "min_memory": options.min_memory}
    found = selected(hardware.shipped().profiles, options.words, **wanted)
    return rendered(hardware.Devices(ordered(found, options.sort)), options), 0


def _show(added: argparse.ArgumentParser) -> None:
    added.add_argument("name", metavar="NAME", help="a shipped name, or the path of a file")
    add_format(added)


def show_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware

    return rendered(hardware.load(options.name), options), 0


def _calibrate(added: argparse.ArgumentParser) -> None:
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


def calibrate_hardware(options: argparse.Namespace) -> tuple[str, int]:
    if options.output is None:
        hint = "archcost hardware calibrate -o FILE"
        raise ArchcostError("no file to write to", expected="-o FILE", hint=hint)
    from archcost import hardware
    from archcost.cli.outputs import require_calibration
    from archcost.graph import build
    from archcost.hardware.calibration_file import as_text
    from archcost.passes.run import Run
    from archcost.pytorch.calibrate import Asked, calibrate
    from archcost.report.progress import Progress

    require_calibration(options.output)
    networks = [] if options.network is None else [build(spec_of(options.network, options), options.batch)]
    asked = Asked(
        Path(options.output),
        options.device,
        options.threads,
        options.quick,
        Run(precision=options.precision).precision,
        hardware.load(options.hardware).name if options.hardware else None,
        networks,
    )
    with Progress("calibrating", "layers") as progress:
        made = calibrate(asked, progress)
    return as_text(made), 0


def _check(added: argparse.ArgumentParser) -> None:
    added.add_argument("file", metavar="FILE")
    add_format(added)


def check_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware

    return rendered(hardware.check(options.file), options), 0


def _hardware(added: argparse.ArgumentParser) -> None:
    add_commands(added, ENTRIES)


ENTRIES = (
    Entry("hardware list", "the devices that ship: memory, bandwidth, rates", "hardware_commands"),
    Entry("hardware show", "every figure of a device, with its source and date", "hardware_commands"),
    Entry(
        "hardware calibrate",
        "time this machine, class by class of layers, for estimate --calibration",
        "hardware_commands",
    ),
    Entry("hardware check", "refuse a profile that is ill formed, or impossible", "hardware_commands"),
)

COMMANDS = {
    "hardware": Command(None, _hardware),
    "hardware list": Command(list_hardware, _list),
    "hardware show": Command(show_hardware, _show),
    "hardware calibrate": Command(calibrate_hardware, _calibrate, "calibration"),
    "hardware check": Command(check_hardware, _check),
}
