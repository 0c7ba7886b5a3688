"""The commands of `archcost hardware`."""

from __future__ import annotations

import argparse
from pathlib import Path

from archcost.cli.commands import rendered, spec_of
from archcost.errors import ArchcostError


def list_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware

    return rendered(hardware.shipped(), options), 0


def show_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware

    return rendered(hardware.load(options.name), options), 0


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


def check_hardware(options: argparse.Namespace) -> tuple[str, int]:
    from archcost import hardware

    return rendered(hardware.check(options.file), options), 0
