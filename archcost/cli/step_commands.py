"""The commands of one step on one device: `archcost estimate` and `timeline`; and `verify`, which runs it in torch."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archcost.cli.command import Command
from archcost.cli.defaults import changed_settings
from archcost.cli.given import (
    calibration_of,
    cost_of,
    cost_of_spec,
    known,
    refuse_stretched,
    refuse_unknown,
    rendered,
    spec_of,
    with_lints,
)
from archcost.cli.options import (
    DEVICE,
    add_engine,
    add_format,
    add_run,
    add_settings,
    add_threads,
    changes_of,
    run_of,
)
from archcost.cli.values import depth
from archcost.errors import ArchcostError

if TYPE_CHECKING:
    from archcost.costs.timeline import Timeline
    from archcost.estimates import Estimate
    from archcost.passes.run import Run
    from archcost.spec import ModelSpec
    from archcost.terms.autograd import Device


def _estimate(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("--hardware", metavar="H", help=f"required: {DEVICE}")
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_threads(added)
    add_format(added)


def estimate(options: argparse.Namespace) -> tuple[str, int]:
    result = estimated(options)
    refuse_stretched(result.chosen.differs, options)
    refuse_unknown(f"{result.network} on {result.hardware.name}", result.unknown, options)
    return with_lints(rendered(result, options), result.line.graph, options), 0 if result.fits else 1


def estimated(options: argparse.Namespace) -> Estimate:
    if options.hardware is None:
        raise ArchcostError(
            "no device to estimate for", expected="--hardware with a name or a file", hint="archcost hardware list"
        )
    return estimated_of(spec_of(options.network, options), options)


def estimated_of(spec: ModelSpec, options: argparse.Namespace) -> Estimate:
    from archcost.estimates import estimate

    return estimate(
        spec,
        options.batch,
        hardware=options.hardware,
        run=run_of(options),
        engine=options.engine,
        calibration=calibration_of(options),
        threads=options.threads,
    )


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


def timeline(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.report.timeline import FoldedTimeline

    if options.strict:
        cost_of(options.network, options)
    return rendered(FoldedTimeline(line_of(options, options.device), options.depth), options), 0


def line_of(options: argparse.Namespace, device: Device) -> Timeline:
    """The step on the hardware of the options or, without any, by the kernels of a kind of device."""
    from archcost.graph import build

    graph = build(spec_of(options.network, options), options.batch)
    if options.hardware is None:
        from archcost.costs.timeline import timeline
        from archcost.estimates.devices import offloading

        return timeline(graph, offloading(run_of(options), device), device)
    from archcost import hardware
    from archcost.estimates.auto_recompute import line_on

    return line_on(graph, run_of(options), hardware.load(options.hardware))


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


def verify(options: argparse.Namespace) -> tuple[str, int]:
    given = run_of(options)
    if not options.measure and (changed := changed_settings(given, options.taken)):
        raise ArchcostError("no step is run", expected="--measure with settings of one", found=", ".join(changed))
    if not options.measure and options.calibration:
        raise ArchcostError("no step is timed", expected="--measure beside --calibration", found="no --measure")
    from archcost.importers.networks import is_callable

    run = given if options.measure else None
    if is_callable(options.network) and not any(changes_of(options)):
        return _verify_callable(options, run)
    spec = spec_of(options.network, options)
    if options.strict:
        cost_of(options.network, options)
    from archcost import pytorch

    calibration = calibration_of(options)
    result = pytorch.verify(spec, device=options.device, batch=options.batch, run=run, calibration=calibration)
    return rendered(result, options), 0 if result.ok else 1


def _verify_callable(options: argparse.Namespace, run: Run | None) -> tuple[str, int]:
    """The module itself beside its spec."""
    from archcost.importers.python_callable import call, printing_to_stderr
    from archcost.spec.overrides import override, set_loss

    called = call(options.network, options.args, options.inputs, options.sequence)
    spec = override(called.spec, options.settings)
    spec = spec if options.loss is None else set_loss(spec, options.loss)
    if options.strict:
        known(cost_of_spec(spec, options), options)
    from archcost.pytorch.crosscheck_module import check_module
    from archcost.pytorch.user_module import Subject

    subject = Subject(called.module, called.given, called.named, called.make)
    with printing_to_stderr():
        result = check_module(spec, subject, options.device, options.batch, run, calibration_of(options))
    return rendered(result, options), 0 if result.ok else 1


COMMANDS = {
    "estimate": Command(estimate, _estimate),
    "timeline": Command(timeline, _timeline),
    "verify": Command(verify, _verify),
}
