"""The commands that hold networks beside each other: `archcost compare` and `lock`."""

from __future__ import annotations

import argparse
from pathlib import Path

from archcost.cli.command import Command
from archcost.cli.given import cost_of, rendered
from archcost.cli.options import add_format, add_run, changes_of
from archcost.errors import ArchcostError


def _compare(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument("networks", metavar="NETWORK", nargs="+")
    add_run(added)
    add_format(added)


def compare(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison.compare import side_by_side
    from archcost.importers.networks import is_callable

    networks = (options.network, *options.networks)
    called = set(filter(is_callable, networks))
    # --args are for the callables: beside one, another network has none
    without_args = argparse.Namespace(**{**vars(options), "args": None}) if called else options
    costs = [cost_of(network, options if network in called else without_args) for network in networks]
    return rendered(side_by_side(costs), options), 0


def _lock(added: argparse.ArgumentParser) -> None:
    added.add_argument("networks", metavar="NETWORK", nargs="+")
    add_run(added)


def lock(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison.locks import Section, ordered, section, write
    from archcost.comparison.recipe import Recipe, args_text
    from archcost.importers.networks import STANDARD_INPUT

    if STANDARD_INPUT in options.networks:
        expected = "a network that archcost check can load again"
        raise ArchcostError("a lock of standard input", expected=expected, found="-", hint="a file")
    folder = Path(options.output).parent if options.output else Path()
    settings, inputs = tuple(options.settings), tuple(options.inputs)
    args = args_text(options.args)
    changes, sequence = changes_of(options), options.sequence
    sections: list[Section] = []
    for network in dict.fromkeys(options.networks):
        recipe = Recipe(network, options.batch, settings, inputs, args, changes=changes, sequence=sequence)
        sections.append(section(recipe.seen_from(folder), cost_of(network, options)))
    return write(ordered(sections)), 0


COMMANDS = {
    "compare": Command(compare, _compare),
    "lock": Command(lock, _lock, "lock"),
}
