"""`archcost report`: one page on one or more networks."""

from __future__ import annotations

import argparse

from archcost.cli.command import Command
from archcost.cli.given import calibration_of, cost_of_spec, known, refuse_stretched, refuse_unknown, spec_of
from archcost.cli.options import EACH_DEVICE, add_engine, add_run, add_settings, run_of
from archcost.errors import ArchcostError


def _report(added: argparse.ArgumentParser) -> None:
    added.add_argument("networks", metavar="NETWORK", nargs="+")
    added.add_argument("--hardware", action="append", default=[], metavar="H", help=EACH_DEVICE)
    add_run(added)
    add_settings(added)
    add_engine(added)


def report(options: argparse.Namespace) -> tuple[str, int]:
    if options.output is None:
        raise ArchcostError(
            "no file to write to", expected="-o FILE.html", hint=f"archcost report {options.networks[0]} -o report.html"
        )
    from archcost.importers.networks import is_callable
    from archcost.page import bundle
    from archcost.page.document import report_page

    bundle.bokeh()  # before anything is worked out
    networks: list[str] = options.networks
    called = set(filter(is_callable, networks))
    without_args = argparse.Namespace(**{**vars(options), "args": None}) if called else options
    specs = [spec_of(network, options if network in called else without_args) for network in networks]
    if options.strict:
        for spec in specs:
            known(cost_of_spec(spec, options), options)
    page = report_page(
        specs,
        options.batch,
        hardware=options.hardware,
        run=run_of(options),
        engine=options.engine,
        calibration=calibration_of(options),
    )
    for answer in page.answers:
        refuse_unknown(answer.name, answer.fit.unknown, options)
        refuse_stretched(answer.fit.differs, options)
    return page.to_html(), 0


COMMANDS = {"report": Command(report, _report, "page")}
