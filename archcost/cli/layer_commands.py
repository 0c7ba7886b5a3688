"""The commands that show a network's layers: `archcost summary` and `explain`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archcost.cli.command import Command
from archcost.cli.defaults import changed_settings
from archcost.cli.given import cost_of, refuse_stretched, refuse_unknown, rendered, with_lints
from archcost.cli.options import (
    DEVICE,
    WORKING_FORMATS,
    add_engine,
    add_format,
    add_run,
    add_settings,
    add_threads,
    run_of,
)
from archcost.cli.values import depth, rows
from archcost.errors import ArchcostError

if TYPE_CHECKING:
    from archcost.costs.timeline import Timeline
    from archcost.estimates import Estimate
    from archcost.report.chosen_layers import Choice


COLUMNS = (
    "name, type, inputs, shape, parameters, trainable, buffers, macs, flops, backward, memory, time, forward-time, "
    "backward-time, waits, with commas between; macs%% is the share of the total, and so on; memory is what is alive "
    "at the peak of a step"
)


def _summary(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--depth", type=depth, metavar="N", help="fold the table at N dotted names")
    added.add_argument("--columns", metavar="A,B,…", help=COLUMNS)
    added.add_argument("--sort", metavar="BY", help="by name, or the largest first: macs, parameters, memory, time, …")
    added.add_argument("--top", type=rows, metavar="N", help="only the first N rows; one row for all others")
    added.add_argument("--time", action="store_true", help="seconds of each layer in a step on --hardware")
    added.add_argument("--hardware", metavar="H", help=DEVICE)
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_threads(added)
    add_format(added)


def summarize(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.report.grouping import Folded

    choice = _choice(options)
    timed = _timed(options) if options.time or (choice and choice.needs_time) else None
    needs_memory = choice is not None and choice.needs_memory
    given = [*_changed_engine(options), *changed_settings(run_of(options), options.taken)]
    if given and timed is None and not needs_memory:
        raise ArchcostError("no step is timed", expected="--time with settings of one", found=", ".join(given))
    cost = cost_of(options.network, options)
    folded = Folded(cost, options.depth, timed)
    if choice is None:
        return with_lints(rendered(folded, options), cost.graph, options), 0
    from archcost.report.chosen_layers import ChosenLayers

    shown = rendered(ChosenLayers(folded, choice, _line(options, timed) if needs_memory else None), options)
    return with_lints(shown, cost.graph, options), 0


def _choice(options: argparse.Namespace) -> Choice | None:
    if options.columns is options.sort is options.top is None:
        return None
    from archcost.report.chosen_layers import choice

    return choice(options.columns, options.sort, options.top)


def _line(options: argparse.Namespace, timed: Estimate | None) -> Timeline:
    """The step whose memory is shown: the one that is timed, or one on a GPU that nobody named."""
    if timed is not None:
        return timed.line
    from archcost.cli.step_commands import line_of

    given = [name for name in _changed_engine(options) if name not in ("--hardware", "--loss")]
    if given:
        raise ArchcostError("no step is timed", expected="--time", found=", ".join(given))
    return line_of(options, "cuda")


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
        if getattr(options, name) is not None and name not in options.taken
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
