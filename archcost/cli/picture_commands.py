"""`archcost plot`: one picture, written to a file in the format of its ending."""

from __future__ import annotations

import argparse
from itertools import chain
from typing import TYPE_CHECKING, Any

from archcost.cli.command import Command
from archcost.cli.defaults import changed_settings
from archcost.cli.given import calibration_of, cost_of, spec_of
from archcost.cli.options import DEVICE, add_engine, add_network, add_settings
from archcost.cli.values import batches, depth
from archcost.errors import ArchcostError
from archcost.passes.run import Run

if TYPE_CHECKING:
    from archcost.pictures.picture import Kind


def _plot(added: argparse.ArgumentParser) -> None:
    from archcost.pictures import KINDS

    added.add_argument("networks", metavar="NETWORK", nargs="+")
    added.add_argument("--kind", metavar="K", help=f"required: {', '.join(KINDS)}")
    added.add_argument("--batch", action="append", type=batches, metavar="N", help="samples at once (default 1)")
    added.add_argument("--hardware", action="append", metavar="H", help=DEVICE)
    added.add_argument("--depth", type=depth, metavar="N", help="fold layers at N dotted names; default: as fits")
    added.add_argument(
        "--columns", metavar="X,Y", help="of a sweep, for pareto; default needed_bytes,samples_per_second"
    )
    added.add_argument(
        "--price", action="append", default=[], metavar="[H=]V", help="of a device, in USD/h, for pareto over cost"
    )
    add_network(added)
    add_settings(added, several=True)
    add_engine(added, several=True)


def plot(options: argparse.Namespace) -> tuple[bytes, int]:
    from archcost.pictures.picture import require_ending
    from archcost.pictures.plot import KINDS, Asked, picture, refuse_unused, require_kind
    from archcost.planning.money import per_device

    if options.kind is None:
        raise ArchcostError("no kind of picture", expected=f"--kind with one of {', '.join(KINDS)}")
    kind = require_kind(options.kind)
    if options.output is None:
        raise ArchcostError(
            "no file to write to", expected="-o FILE.svg", hint=f"archcost plot NETWORK --kind {kind} -o FILE.svg"
        )
    ending = require_ending(options.output, kind)
    over = kind == "pareto"  # which is over several values of each
    settings = _settings(options) if over else _single(_settings(options), kind)
    changed = ["run"] * (not over and bool(changed_settings(Run(**settings), options.taken)))
    words = ("batch", "hardware", "depth", "engine", "calibration", "columns", "price")
    refuse_unused(kind, [*(word for word in words if getattr(options, word) and word not in options.taken), *changed])
    batch = list(chain.from_iterable(options.batch or []))
    if options.strict:
        for network in options.networks:
            cost_of(network, argparse.Namespace(**{**vars(options), "batch": 1}))
    made = picture(
        kind,
        Asked(
            networks=tuple(spec_of(network, options) for network in options.networks),
            batch=batch or None if over else _one(batch, "batch", kind),
            hardware=tuple(options.hardware or ()),
            depth=options.depth,
            settings=settings,
            engine=options.engine if over else _one(options.engine or [], "engine", kind),
            calibration=calibration_of(options),
            columns=tuple(options.columns.split(",")) if options.columns else None,
            price=per_device(options.price) or None,
        ),
    )
    return made.content(ending), 0


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    found = {name: getattr(options, name) for name in Run.__dataclass_fields__}
    return {name: value for name, value in found.items() if value is not None}


def _single(settings: dict[str, Any], kind: Kind) -> dict[str, Any]:
    """One value of each setting, as a run has it."""
    several: dict[str, list[Any]] = {name: value for name, value in settings.items() if isinstance(value, list)}
    return settings | {name: _one(values, name, kind) for name, values in several.items()}


def _one(values: list[Any], name: str, kind: Kind) -> Any:
    """The only value, or None where none is given. Raises ArchcostError for several."""
    if len(values) > 1:
        raise ArchcostError(
            f"a picture of kind {kind} is of one step",
            expected=f"one value of --{name.replace('_', '-')}",
            found=", ".join(map(str, values[:6])),
            hint="archcost sweep",
        )
    return values[0] if values else None


COMMANDS = {"plot": Command(plot, _plot, "picture")}
