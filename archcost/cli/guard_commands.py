"""The commands that guard a network: `archcost check` holds it to budgets and locks, `diff` tells what has changed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from archcost.cli.command import Command
from archcost.cli.defaults import changed_settings
from archcost.cli.given import cost_of_spec, known, rendered, spec_of, with_loss
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
    from collections.abc import Sequence

    from archcost.estimates import Estimate
    from archcost.guarding.difference import Side
    from archcost.spec import ModelSpec

FORMATS = ("text", "json", "junit", "github", "markdown")


def _check(added: argparse.ArgumentParser) -> None:
    added.add_argument(
        "files",
        metavar="FILE",
        nargs="*",
        help="a lock, or a file of budgets; default: the nearest archcost.yaml or pyproject.toml",
    )
    added.add_argument(
        "--update", action="store_true", help="write changed tables of locks anew; budgets are never rewritten"
    )
    add_format(added, FORMATS)


def check(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.guarding.check import check

    result = check(options.files, options.update)
    return rendered(result, options), result.exit_code


def _diff(added: argparse.ArgumentParser) -> None:
    added.add_argument("networks", metavar="NETWORK", nargs="+", help="the old one and the new one")
    added.add_argument(
        "--git",
        metavar="REVISION",
        help="one NETWORK, a file or module:callable, as it was there beside what it is now: HEAD~1, main, a tag",
    )
    added.add_argument("--depth", type=depth, metavar="N", help="fold layers at N dotted names")
    added.add_argument("--exit-code", action="store_true", help="1 where they differ")
    added.add_argument("--hardware", metavar="H", help=f"also the memory and time of a step there: {DEVICE}")
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_threads(added)
    add_format(added)


def diff(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.guarding.difference import difference
    from archcost.importers.networks import is_callable

    networks: list[str] = options.networks
    if options.git is not None:
        old, new = _since(networks, options)
    elif len(networks) == 2:
        # --args are for the callables: beside one, another network has none
        bare = [any(map(is_callable, networks)) and not is_callable(network) for network in networks]
        old, new = [_side(network, options, network, is_bare) for network, is_bare in zip(networks, bare, strict=True)]
    else:
        expected, found = "the old and the new, or --git REVISION and one", ", ".join(networks)
        raise ArchcostError("a difference is of two networks", expected=expected, found=found)
    found = difference(old, new, options.depth)
    return rendered(found, options), 1 if options.exit_code and found.differs else 0


def _side(label: str, options: argparse.Namespace, network: str | ModelSpec, bare: bool = False) -> Side:
    from archcost.guarding.difference import Side

    own = argparse.Namespace(**{**vars(options), "network": network, **({"args": None} if bare else {})})
    spec = spec_of(network, own) if isinstance(network, str) else network
    return Side(label, known(cost_of_spec(spec, own), own), _step(spec, own))


def _since(networks: Sequence[str], options: argparse.Namespace) -> tuple[Side, Side]:
    """A network as it was at a revision, and as it is."""
    from archcost.comparison.recipe import Recipe, args_text
    from archcost.guarding.revision import at_revision

    if len(networks) != 1:
        expected, found = "one, as it was and as it is", ", ".join(networks)
        raise ArchcostError(f"--git {options.git} is of one network", expected=expected, found=found)
    (network,) = networks
    recipe = Recipe(
        network,
        options.batch,
        tuple(options.settings),
        tuple(options.inputs),
        args_text(options.args),
        changes=changes_of(options),
        sequence=options.sequence,
    )
    with at_revision(recipe, options.git) as spec:
        before = _side(f"{network} at {options.git}", options, with_loss(spec, options))
    return before, _side(network, options, network)


def _step(spec: ModelSpec, options: argparse.Namespace) -> Estimate | None:
    """On the device that is named; without one there are no settings of a step either."""
    if options.hardware is not None:
        from archcost.cli.step_commands import estimated_of

        return estimated_of(spec, options)
    given = [f"--{name}" for name in ("engine", "calibration", "threads") if getattr(options, name) is not None]
    given += changed_settings(run_of(options), options.taken)
    if given:
        expected, found = "--hardware beside settings of one", ", ".join(given)
        raise ArchcostError("no step is looked at", expected=expected, found=found)
    return None


COMMANDS = {"check": Command(check, _check), "diff": Command(diff, _diff)}
