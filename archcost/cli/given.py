"""What a command is given, as the library's values: a network, its cost, a calibration; and what --strict refuses.

What a command does not need, it does not import.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from archcost.cli.defaults import taken_text
from archcost.cli.options import changes_of
from archcost.errors import ArchcostError, CheckError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archcost.costs import ModelCost
    from archcost.files.result import Result
    from archcost.graph import ModelGraph
    from archcost.hardware import HardwareProfile
    from archcost.hardware.calibration import Calibration
    from archcost.spec import ModelSpec


def spec_of(network: str, options: argparse.Namespace) -> ModelSpec:
    from archcost.importers.networks import load

    spec = load(network, options.settings, options.inputs, options.args, changes_of(options), options.sequence)
    return with_loss(spec, options)


def with_loss(spec: ModelSpec, options: argparse.Namespace) -> ModelSpec:
    """With that of `--loss`, where it is given."""
    loss = getattr(options, "loss", None)
    if loss is None:
        return spec
    from archcost.spec.overrides import set_loss

    return set_loss(spec, loss)


def cost_of(network: str, options: argparse.Namespace) -> ModelCost:
    return known(cost_of_spec(spec_of(network, options), options), options)


def cost_of_spec(spec: ModelSpec, options: argparse.Namespace) -> ModelCost:
    from archcost.costs import cost
    from archcost.graph import build

    return cost(build(spec, options.batch or 1))


def known(found: ModelCost, options: argparse.Namespace) -> ModelCost:
    """Under --strict nothing may be unknown."""
    if options.strict and found.unknown:
        layers = f"{len(found.unknown):,} layer" + "s" * (len(found.unknown) > 1)
        problem = f"{found.network}: the operations of {layers} are not known"
        raise CheckError(problem, found=", ".join(found.unknown))
    return found


def refuse_unknown(whose: str, unknown: Sequence[str], options: argparse.Namespace) -> None:
    """Under --strict a result has no number that is unknown."""
    if options.strict and unknown:
        raise CheckError(f"{whose}: not all is known", found=", ".join(unknown))


def refuse_stretched(differs: tuple[str, ...], options: argparse.Namespace) -> None:
    """Under --strict no time rests on a calibration of something else."""
    if options.strict and differs:
        raise ArchcostError(
            "the calibration is of something else",
            expected="one of the device, release and threads that the step will have",
            found=f"one {', '.join(differs)}",
            hint="archcost hardware calibrate, or without --strict with a wider band",
        )


def devices_of(options: argparse.Namespace) -> Sequence[str | HardwareProfile]:
    """Those that were named, or of all that ship, as many as `--vendor`, `--kind` and `--min-memory` leave."""
    if options.vendor is options.kind is options.min_memory is None:
        return options.hardware
    from archcost import hardware
    from archcost.hardware.selection import selected

    profiles = hardware.profiles_of(options.hardware or hardware.names())
    return selected(profiles, vendor=options.vendor, kind=options.kind, min_memory=options.min_memory)


def calibration_of(options: argparse.Namespace) -> Calibration | None:
    from archcost.hardware import calibration

    return calibration.read(Path(options.calibration)) if options.calibration else None


def rendered(result: Result, options: argparse.Namespace) -> str:
    """The result in the format asked for; text and Markdown end with the settings that are the project's. With --quiet
    only the answer is printed; a file has all of the report.
    """
    if options.quiet and options.output is None:
        return f"{result.headline}\n"
    from archcost.cli.terminal import screen
    from archcost.report import render

    shown, settings = render(result, options.format, screen(options)), taken_text(options)
    if not settings or options.format not in ("text", "markdown"):
        return shown
    from archcost.report.writers import markdown_escape

    return f"{shown}\n{markdown_escape(settings) if options.format == 'markdown' else settings}\n"


def with_lints(shown: str, graph: ModelGraph, options: argparse.Namespace) -> str:
    """The text of a report on the user's own file, with a last line where anything in the network is odd."""
    file = graph.spec.source.file
    if options.format != "text" or options.quiet or not file or Path(file) != Path(options.network):
        return shown
    from shlex import quote

    from archcost.lints import lint
    from archcost.lints.findings import counted

    found = lint(graph).lints
    return f"{shown}\n{counted(len(found))}: archcost lint {quote(file)}\n" if found else shown
