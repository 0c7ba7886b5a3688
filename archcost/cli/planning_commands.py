"""The commands over many devices and settings: `archcost fit`, `plan` and `sweep`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from archcost.cli.command import Command
from archcost.cli.given import calibration_of, cost_of, devices_of, refuse_stretched, refuse_unknown, rendered, spec_of
from archcost.cli.options import DEVICE, add_devices, add_engine, add_format, add_network, add_run, add_settings, run_of
from archcost.cli.values import batches, checkpoints, devices
from archcost.errors import ArchcostError

if TYPE_CHECKING:
    from archcost.spec import ModelSpec


PRICE = "of a device, in USD/h: a number for all, or H=V for one"
MILLION = "what a million samples cost"
SORTED = "by name; spare and batch, the most first; time and price of a million samples, the least first"


def _fit(added: argparse.ArgumentParser) -> None:
    from archcost.planning.order import ORDERS

    added.add_argument("network", metavar="NETWORK")
    add_devices(added)
    added.add_argument("--price", action="append", default=[], metavar="[H=]V", help=f"{PRICE}; adds {MILLION}")
    added.add_argument("--sort", choices=ORDERS, help=SORTED)
    added.add_argument(
        "--vary",
        default="batch",
        metavar="V",
        help="what the largest is sought of: batch (default), input, width, sequence",
    )
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_format(added)


def fit(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.planning import fit
    from archcost.planning.money import per_device
    from archcost.planning.order import ordered

    spec = spec_of(options.network, options)
    if options.strict:
        cost_of(options.network, options)
    result = fit(
        spec,
        options.batch,
        hardware=devices_of(options),
        vary=options.vary,
        run=run_of(options),
        engine=options.engine,
        calibration=calibration_of(options),
        at_length=_at_length(options) if spec.sequence_parameter is None else None,
        price=per_device(options.price) or None,
    )
    refuse_unknown(result.network, result.unknown, options)
    refuse_stretched(result.differs, options)
    shown = ordered(result, options.sort) if options.sort else result
    return rendered(shown, options), 0 if result.fits else 1


def _at_length(options: argparse.Namespace) -> Callable[[int], ModelSpec] | None:
    """The network, imported again with a sequence of a length; None for a spec, whose sizes are its own."""
    from archcost.importers.networks import is_callable

    if not is_callable(options.network) and not options.network.endswith(".onnx"):
        return None
    return lambda length: spec_of(options.network, argparse.Namespace(**{**vars(options), "sequence": length}))


def _plan(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    add_devices(added)
    added.add_argument("--dataset-size", metavar="N", help="samples of the data set: 1281167, or 1.2M")
    added.add_argument("--epochs", metavar="E", help="how often the data set is gone through")
    added.add_argument("--tokens", metavar="T", help="tokens in all, instead of the two: 300B, 2T")
    added.add_argument(
        "--count",
        type=devices,
        default=1,
        metavar="K",
        help="devices that share each batch, all with the whole network (default 1)",
    )
    for option, unit in (("--price", "USD/h"), ("--power", "W")):
        added.add_argument(
            option,
            action="append",
            default=[],
            metavar="[H=]V",
            help=f"of a device, in {unit}: a number for all, or H=V for one; unknown without"
            + (", and at most the TDP" if option == "--power" else ""),
        )
    added.add_argument("--carbon", metavar="G", help="g of CO2 a kWh of the grid; unknown without")
    added.add_argument(
        "--keep", type=checkpoints, default=1, metavar="N", help="checkpoints that are there at a time (default 1)"
    )
    added.add_argument("--order", default="time", metavar="O", help="of the table: time (default), cost")
    add_run(added)
    add_settings(added)
    add_engine(added)
    add_format(added)


def plan(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.planning import plan
    from archcost.planning.money import per_device

    spec = spec_of(options.network, options)
    if options.strict:
        cost_of(options.network, options)
    result = plan(
        spec,
        options.batch,
        hardware=devices_of(options),
        dataset_size=options.dataset_size,
        epochs=options.epochs,
        tokens=options.tokens,
        count=options.count,
        price=per_device(options.price),
        power=per_device(options.power),
        carbon=options.carbon,
        keep=options.keep,
        order=options.order,
        run=run_of(options),
        engine=options.engine,
        calibration=calibration_of(options),
    )
    refuse_unknown(result.network, result.unknown, options)
    refuse_stretched(result.differs, options)
    return rendered(result, options), 0 if result.runs else 1


def _sweep(added: argparse.ArgumentParser) -> None:
    added.add_argument("network", metavar="NETWORK")
    added.add_argument(
        "--batch",
        action="append",
        type=batches,
        metavar="N",
        help="samples at once (default 1): 8, 1-512, or 8-512:8, once per value or range",
    )
    added.add_argument("--hardware", action="append", metavar="H", help=f"required: {DEVICE}, once per device")
    added.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="[H=]V",
        help=f"{PRICE}; adds {MILLION}",
    )
    added.add_argument("--fitting", action="store_true", help="only rows whose verdict is fits: those that are safe")
    added.add_argument(
        "--pareto", metavar="COLUMNS", help="only rows that none beats in these columns, with commas between"
    )
    added.add_argument(
        "--allocator", action="store_true", help="also play the GPU's allocator, row by row: what it hands out"
    )
    add_network(added)
    add_settings(added, several=True)
    add_engine(added, several=True)
    add_format(added)


def sweep(options: argparse.Namespace) -> tuple[str, int]:
    from itertools import chain

    from archcost.passes.run import Run
    from archcost.planning.money import per_device
    from archcost.sweeps import sweep

    if not options.hardware:
        raise ArchcostError("no device to sweep over", expected="--hardware, a name or a file, once per device")
    asked = {name: getattr(options, name) for name in Run.__dataclass_fields__}
    result = sweep(
        spec_of(options.network, options),
        list(chain.from_iterable(options.batch or [(1,)])),
        hardware=options.hardware,
        engine=options.engine,
        calibration=calibration_of(options),
        allocator=options.allocator,
        price=per_device(options.price) or None,
        **{name: value for name, value in asked.items() if value is not None},
    )
    refuse_unknown(result.network, result.unknown, options)
    refuse_stretched(result.differs, options)
    shown = result.where(result["verdict"] == "fits") if options.fitting else result
    if options.pareto:
        shown = shown.pareto(*options.pareto.split(","))
    return rendered(shown, options), 0 if result.fits else 1


COMMANDS = {
    "fit": Command(fit, _fit),
    "plan": Command(plan, _plan),
    "sweep": Command(sweep, _sweep),
}
