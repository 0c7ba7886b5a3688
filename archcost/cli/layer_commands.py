"""The commands that show a network's layers: `archcost summary` and `explain`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archcost.cli.command import Command
from archcost.cli.given import cost_of, refuse_stretched, refuse_unknown, rendered
from archcost.cli.options import (
    DEVICE,
    WORKING_FORMATS,
    add_engine,
    add_format,
    add_run,
    add_settings,
    add_threads,
    changed_settings,
    depth,
    run_of,
)
from archcost.errors import ArchcostError

if TYPE_CHECKING:
    from archcost.estimates import Estimate


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


def summarize(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.report.grouping import Folded

    timed = _timed(options) if options.time else None
    if timed is None and (given := [*_changed_engine(options), *changed_settings(run_of(options))]):
        raise ArchcostError("no step is timed", expected="--time with settings of one", found=", ".join(given))
    return rendered(Folded(cost_of(options.network, options), options.depth, timed), options), 0


def _timed(options: argparse.Namespace) -> Estimate:
    """A step on the device of the options; under --strict no time may be unknown."""
    from archcost.cli.step_commands import estimated

    found = estimated(options)
    refuse_stretched(found.chosen.differs, options)
    unknown = [name for name in found.unknown if name.startswith("time.")]
    refuse_unknown(f"{found.network} on {found.hardware.name}", unknown, options)
    return found


def _changed_engine(options: argparse.Namespace) -> list[str]:
    return [
        f"--{name}"
        for name in ("hardware", "engine", "calibration", "threads", "loss")
        if getattr(options, name) is not None
    ]


def _explain(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("layer", metavar="LAYER", nargs="?", help="a layer or a block; default: the whole network")
    add_run(added)
    add_format(added, WORKING_FORMATS)


def explain(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.report.explain import explain

    return rendered(explain(cost_of(options.network, options), options.layer), options), 0


COMMANDS = {
    "summary": Command(summarize, _summary),
    "explain": Command(explain, _explain),
}
