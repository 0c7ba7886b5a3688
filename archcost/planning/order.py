"""The devices of a `Fit` in another order."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Literal, get_args

from archcost.errors import ArchcostError, nearest, shorten
from archcost.planning.fit import DeviceFit, Fit
from archcost.planning.intervals import Span

Order = Literal["name", "spare", "batch", "time", "price"]
ORDERS: tuple[str, ...] = get_args(Order)

VERDICTS = ("fits", "tight", "does not fit", None)


def ordered(fit: Fit, by: str) -> Fit:
    """By name; by spare memory or by what the largest is sought of (`batch`), the most first; by the time of a step or
    the price of a million samples, the least first, those on which it fits before the others.

    What has no such number is last. Raises ArchcostError for no such order, and for `price` where none is given.
    """
    if by not in ORDERS:
        expected = f"one of {', '.join(ORDERS)}"
        raise ArchcostError(f"no order {shorten(by)}", expected=expected, found=shorten(by), hint=nearest(by, ORDERS))
    if by == "price" and all(device.price is None for device in fit.devices):
        raise ArchcostError(
            "no price is known to sort by", expected="--price, in USD/h", found="none", hint="--price nvidia-t4=0.35"
        )
    keys = {"name": _name, "spare": _spare, "batch": _largest, "time": _time, "price": _price}
    return replace(fit, devices=tuple(sorted(fit.devices, key=keys[by])))


Key = tuple[float, float, str]


def _name(device: DeviceFit) -> Key:
    return 0, 0, device.hardware.name


def _spare(device: DeviceFit) -> Key:
    spare = device.headroom
    return 0, inf if spare is None else -spare, device.hardware.name


def _largest(device: DeviceFit) -> Key:
    largest = device.largest
    return 0, inf if largest is None else -largest.value, device.hardware.name


def _time(device: DeviceFit) -> Key:
    time = device.time
    return _least_first(device, None if time is None else Span(time.step, *time.band).middle)


def _price(device: DeviceFit) -> Key:
    return _least_first(device, device.cost.middle)


def _least_first(device: DeviceFit, value: float | None) -> Key:
    return VERDICTS.index(device.verdict), inf if value is None else value, device.hardware.name
