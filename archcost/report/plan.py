"""A whole run on each of several devices: hours, money, energy, carbon, and what they rest on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archcost.errors import listing
from archcost.planning.intervals import Span
from archcost.planning.plan import NESTED, DeviceRun, Plan
from archcost.report.document import Cell, Column, Document, Facts, Part, Table, about, bounded, one_line
from archcost.report.fit import FITS, changes, price
from archcost.report.hardware import left_out
from archcost.report.settings import words
from archcost.report.spans import with_band
from archcost.report.timeline import bound_notes
from archcost.units import count, size

PERIODS = (("days", 24.0), ("h", 1.0), ("min", 1 / 60), ("s", 1 / 3600))
"""The largest of which there are two at least is taken."""

COLUMNS = (
    Column("device"),
    Column("fits"),
    Column("time", "right"),
    Column("cost, USD", "right"),
    Column("energy, kWh", "right"),
    Column("CO2, kg", "right"),
    Column("a checkpoint", "right"),
    Column("time is"),
)
STATUS = {
    "bound": "bound: only the data sheet of the device is known; time lies between two ends and has no likely value",
    "public": "public: from published runs on that device; the band holds nine runs in ten",
    "calibrated": "calibrated: from measurements of that machine; the band holds nine runs in ten",
}
TIME_LEFT_OUT = "no time goes to reading data, to evaluation, to checkpoints and to restarts"


def document(plan: Plan) -> Document:
    devices = Table(COLUMNS, tuple(map(_row, plan.devices)))
    others = left_out(device.hardware for device in plan.devices)
    facts = Facts(tuple(_facts(plan)))
    parts = (_workload(plan), devices, *_changed(plan), *others, facts, *bound_notes(plan.graph))
    return Document(one_line(_title(plan)), parts, _data(plan))


def _title(plan: Plan) -> str:
    names = [device.hardware.name for device in plan.devices]
    many = "" if plan.count == 1 else f"{plan.count:,} × " if len(names) == 1 else f"{plan.count:,} of each of "
    where = names[0] if len(names) == 1 else f"{len(names)} devices"
    run = f"{plan.network}, batch {count(plan.batch)}, a whole run on {many}{where}"
    return f"{run}, torch {plan.run.torch}: {words(plan.run, None)}"


def _workload(plan: Plan) -> str:
    work = plan.workload
    if work.dataset_size is not None:
        what = f"{_many(work.dataset_size, 'sample')}, {_many(work.epochs or 1, 'time')}"
    else:
        what = f"{_many(work.tokens or 1, 'token')} in sequences of {count(work.sequence)}"
    step = _many(plan.batch * plan.run.accumulation, "sample")
    flops = bounded(plan.flops, plan.graph.unknown)
    amount = f"{count(flops) if isinstance(flops, int) else flops} FLOPs of contractions"
    return f"{what}: {_many(work.steps, 'step')} of {step}, {amount}."


def _many(number: int, what: str) -> str:
    return f"{count(number)} {what}{'s' * (number != 1)}"


def _row(device: DeviceRun) -> tuple[Cell, ...]:
    name = device.hardware.name
    if device.problem is not None:
        return name, "?", None, None, None, None, None, device.problem
    fits = "?" if device.verdict is None else FITS[device.verdict]
    if not device.runs:
        return name, fits, None, None, None, None, None, None
    step = device.step
    return (
        name,
        fits if device.remedy is None else "changed",
        duration(device.hours),
        with_band(device.cost),
        with_band(device.energy),
        with_band(device.carbon),
        size(device.checkpoint) if device.checkpoint else None,
        "?" if step is None else f"{step.status}, {step.engine}",
    )


def duration(hours: Span) -> str:
    """`5.20 days (4.60 to 5.90)`, in days, hours, minutes or seconds."""
    known = [value for value in (hours.likely, hours.low, hours.high) if value is not None]
    most = max(known, default=0.0)
    unit, worth = next((each for each in PERIODS if most >= 2 * each[1]), PERIODS[-1])
    return with_band(hours.times(1 / worth), f" {unit}")


def _changed(plan: Plan) -> Iterator[Part]:
    """What was changed where the run as asked does not fit."""
    remedied = [device for device in plan.devices if device.remedy is not None]
    if remedied:
        yield "Where it does not fit, the cheapest change with which it does:"
        rows = [
            (device.hardware.name, changes(device.remedy), price(device.remedy))
            for device in remedied
            if device.remedy is not None
        ]
        yield Table((Column("device"), Column("change"), Column("price")), tuple(rows))
    lost = [device.hardware.name for device in plan.devices if device.problem is None and not device.runs]
    if not lost:
        return
    if plan.searched:
        yield f"No change makes it fit on {listing(lost, 6)}."
    else:
        yield f"It does not fit on {listing(lost, 6)}. A change is only looked for on devices named by --hardware."


def _facts(plan: Plan) -> Iterator[tuple[str, str]]:
    running = [device for device in plan.devices if device.runs]
    found = {device.step.status for device in running if device.step is not None}
    for status, meaning in STATUS.items():
        if status in found:
            yield "time", meaning
    if any(device.checkpoint for device in running):
        kept = sorted({device.checkpoint * device.keep for device in running if device.checkpoint})
        nbytes = " to ".join(dict.fromkeys([size(kept[0]), size(kept[-1])]))
        yield "checkpoints", f"weights, buffers and the optimizer's state; {count(running[0].keep)} kept: {nbytes}"
    for note, names in _notes(running).items():
        yield "note", f"{listing(names, 3)}: {note}"
    yield "assumed", TIME_LEFT_OUT
    if plan.count > 1:
        yield "", "each device has all weights and its part of the batch, and gradients lie where they are added up"
        yield "", _all_reduce(running)
    if any(device.charges.watts is not None for device in running):
        bound = any(device.charges.is_bound for device in running)
        least = "; where no power is given it is at most the TDP" if bound else ""
        yield "", f"energy is that of the devices alone, without host and cooling{least}"
    missing = list(_missing(running))
    if missing:
        yield "not known", ", ".join(missing)


def _notes(running: list[DeviceRun]) -> dict[str, list[str]]:
    """What a time of runs or measurements rests on; that of a data sheet is told by its status."""
    found: dict[str, list[str]] = {}
    for device in running:
        for note in device.step.notes if device.step is not None and device.step.status != "bound" else ():
            found.setdefault(note, []).append(device.hardware.name)
    return found


def _all_reduce(running: list[DeviceRun]) -> str:
    unlinked = [device.hardware.name for device in running if device.reducing is None]
    how = "adding up gradients (a ring over links to peers, else to the host) takes nothing at best, all of it at worst"
    return f"{how}; no link is known of {listing(unlinked, 3)}" if unlinked else how


def _missing(running: list[DeviceRun]) -> Iterator[str]:
    """Numbers that were not given and stand nowhere, with the option that gives them."""
    silent: dict[str, list[str]] = {}
    for device in running:
        charges = device.charges
        known = {
            "price (--price)": charges.usd_per_hour,
            "power (--power)": charges.watts,
            "carbon intensity (--carbon)": charges.grams_per_kilowatt_hour,
            "time": device.step,
        }
        for name, value in known.items():
            if value is None:
                silent.setdefault(name, []).append(device.hardware.name)
    for name, devices in silent.items():
        yield name if len(devices) == len(running) else f"{name} of {listing(devices, 3)}"


def _data(plan: Plan) -> Table:
    """A row a device, raw; what is not known is empty."""
    rows = [_flat(plan, device) for device in plan.devices]
    columns = max(rows, key=len)
    table = Table(tuple(map(Column, columns)), tuple([tuple([row.get(name) for name in columns]) for row in rows]))
    run = plan.run
    return about(table, network=plan.network, batch=plan.batch, precision=run.precision, optimizer=run.optimizer)


def _flat(plan: Plan, device: DeviceRun) -> dict[str, Cell]:
    given = device.to_dict()
    remedy = device.remedy
    head = {"hardware": given["hardware"], "problem": given["problem"], "verdict": given["verdict"]}
    flat: dict[str, Cell] = {**head, "changes": remedy and changes(remedy), "steps": plan.workload.steps}
    for section in NESTED:
        flat |= dict(_numbers(section, given[section] or {}))
    return flat


def _numbers(section: str, values: dict[str, Any]) -> Iterator[tuple[str, Cell]]:
    for key, value in values.items():
        if key == "band":
            yield f"{section}.low", value and value[0]
            yield f"{section}.high", value and value[1]
        else:
            yield f"{section}.{key}", "; ".join(value) if key == "notes" else value
