"""A `Fit`: a table of all devices, or all about one: the verdict, the tensors at the peak, and remedies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archcost.costs.optimizers import implementation
from archcost.costs.program import Role
from archcost.errors import listing
from archcost.estimates.batches import Binding
from archcost.estimates.devices import torch_device
from archcost.estimates.verdict import Verdict
from archcost.planning.changes import Price
from archcost.planning.fit import MOST_SHOWN, DeviceFit, Fit
from archcost.planning.remedies import Remedies, Remedy
from archcost.planning.trials import Trial
from archcost.planning.vary import Largest, Word
from archcost.report import times
from archcost.report.document import Cell, Column, Document, Part, Table, about, one_line
from archcost.report.estimate import ladder, off_card_of, verdict
from archcost.report.hardware import left_out
from archcost.report.settings import words
from archcost.report.spans import with_band
from archcost.report.timeline import bound_notes
from archcost.times import StepTime
from archcost.units import count, size

PRICES: dict[Price, str] = {
    "free": "free",
    "FLOPs": "more FLOPs",
    "arithmetic": "changed arithmetic",
    "transfers": "transfers in each step",
    "training": "changed training",
    "adaptation": "few weights train",
    "task": "changed task",
}
MOST_CHECKPOINTS = 6
MILLION = "USD for 1M samples"

FITS: dict[Verdict, str] = {"fits": "yes", "tight": "tight", "does not fit": "no"}

FIXED: tuple[Role, ...] = ("weights", "gradients", "optimizer_state")
"""What no smaller batch makes smaller."""

MOST_COLUMN: dict[Word, str] = {
    "batch": "largest batch",
    "input": "largest image",
    "width": "largest width",
    "sequence": "largest sequence",
}


def document(fit: Fit) -> Document:
    alone = fit.devices[0] if len(fit.devices) == 1 else None
    parts = _all_devices(fit) if alone is None else _one_device(fit, alone)
    notes = bound_notes(fit.graph) if fit.graph else ()
    return Document(one_line(_title(fit, alone)), (*parts, *notes), _data(fit))


def _title(fit: Fit, alone: DeviceFit | None) -> str:
    where = f"{len(fit.devices)} devices" if alone is None else alone.hardware.name
    form = None
    if alone is not None and fit.run.trains:
        form = implementation(fit.run, torch_device(alone.hardware))
    return f"{fit.network}, batch {count(fit.batch)}, on {where}, torch {fit.run.torch}: {words(fit.run, form)}"


# All devices


def where_it_fits(fit: Fit) -> str:
    """A sentence: on how many devices, and on which that is the smallest."""
    good = [device for device in fit.devices if device.verdict == "fits"]
    tight = sum(device.verdict == "tight" for device in fit.devices)
    also = f", and is tight on {tight}" if tight else ""
    told = f"Batch {count(fit.batch)} fits on {len(good)} of {len(fit.devices)} devices{also}."
    if good:
        least = min(good, key=lambda device: device.hardware.memory.capacity)
        told += f" The smallest of them is {least.hardware.name}, with {size(least.hardware.memory.capacity)}."
    return told


def _all_devices(fit: Fit) -> Iterator[Part]:
    yield where_it_fits(fit)
    columns = (
        Column("device"),
        Column("memory", "right"),
        Column("fits"),
        Column(MOST_COLUMN[fit.vary], "right"),
        Column("spare", "right"),
        Column("time of a step", "right"),
        Column("binds at"),
    )
    rows = tuple(map(_row, fit.devices))
    if any(device.price is not None for device in fit.devices):
        columns = (*columns[:-1], Column(MILLION, "right"), columns[-1])
        costs = [None if device.price is None else with_band(device.cost) for device in fit.devices]
        rows = tuple((*row[:-1], cost, row[-1]) for row, cost in zip(rows, costs, strict=True))
    yield Table(columns, rows)
    yield from legend(fit.devices)


def legend(devices: Sequence[DeviceFit]) -> Iterator[str]:
    """What the words and blanks of a table of devices mean."""
    if any(device.headroom is not None and device.headroom < 0 for device in devices):
        yield "Spare is what is left of the memory at the asked batch; below zero, what is too much to be safe."
    if any(device.verdict == "tight" for device in devices):
        yield "Tight: fragmentation of memory and cuDNN's workspaces may make it fail."
    known = [device.time for device in devices if device.time is not None]
    if any(time.step is None for time in known):
        ranges = "A range of times is what the data sheet bounds, uncalibrated"
        yield f"{ranges}; a single one rests on runs of that device or of others like it."
    if any(device.time is None for device in devices if device.problem is None):
        yield "Without a rate for the precision no time is known."
    yield from left_out(device.hardware for device in devices)


def _row(device: DeviceFit) -> tuple[Cell, ...]:
    memory = size(device.hardware.memory.capacity)
    if device.problem is not None:
        return device.hardware.name, memory, "?", None, None, None, device.problem
    largest, headroom, binding = device.largest, device.headroom, device.binding
    assert headroom is not None
    assert binding is not None
    assert device.verdict is not None
    time = device.time and times.short_time(device.time)
    most = largest and _value(largest)
    return device.hardware.name, memory, FITS[device.verdict], most, size(headroom), time, binding.at


def _value(largest: Largest) -> Cell:
    if not largest.value:
        return "none"
    units = {"batch": "", "input": " px", "width": " %", "sequence": " tokens"}
    return largest.value if largest.word == "batch" else f"{largest.value:,}{units[largest.word]}"


# One device


def _one_device(fit: Fit, device: DeviceFit) -> Iterator[Part]:
    assert device.estimate is not None
    assert device.binding is not None
    yield verdict(device.estimate)
    if device.varied is not None:
        yield " ".join(_largest_varied(device.varied, fit.batch))
    yield ladder(device.estimate)
    yield from off_card_of(device.estimate)
    time = device.estimate.time
    yield times.unknown_sentence(device.estimate.time_notes) if time is None else times.sentence(time)
    if device.price is not None:
        yield f"A million samples at {device.price:g} USD/h: {with_band(device.cost, ' USD')}."
    yield f"At batch {count(device.bound_batch)} the peak is at {device.binding.at}, {size(device.binding.peak)}:"
    yield _binding_tensors(device.binding)
    if device.remedies is not None:
        yield from remedies(device.remedies)


def _largest_varied(largest: Largest, batch: int) -> Iterator[str]:
    at = f"at batch {count(batch)}"
    what = "image" if largest.word == "input" else largest.word
    if not largest.value:
        yield f"No {what} fits {at}."
        return
    allocated = size(largest.allocated or 0)
    yield f"The largest {what} {at} is {_named(largest.word, largest.value)}, which takes {allocated}."
    if largest.beyond is not None:
        allocated = size(largest.allocated_beyond or 0)
        yield f"{_named(largest.word, largest.beyond)} would take {allocated}."
    if largest.refused is not None:
        between = "What lies between" if largest.beyond is not None else "What is larger"
        yield f"{between} is no network: {largest.refused}."


def _named(word: Word, value: int) -> str:
    if word == "sequence":
        return f"{value:,} tokens"
    return f"{value:,} × {value:,}" if word == "input" else f"{value:,} %"


def _binding_tensors(binding: Binding) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (bound.nbytes, size(bound.nbytes), f"{bound.owner} {bound.what}", bound.why)
        for bound in binding.tensors[:MOST_SHOWN]
    ]
    rest = sum([bound.nbytes for bound in binding.tensors[MOST_SHOWN:]])
    if rest:
        rows.append((rest, size(rest), f"and {count(len(binding.tensors) - MOST_SHOWN)} more", None))
    total = (binding.peak, size(binding.peak), "together", None)
    columns = (Column("bytes", "right"), Column("", "right"), Column("tensor"), Column("why it is there"))
    return Table(columns, tuple(rows), total)


def remedies(found: Remedies) -> Iterator[Part]:
    if found.singles:
        yield "What helps, one change at a time, the cheapest first:"
        columns = (
            Column("change"),
            Column("price"),
            Column("tensors", "right"),
            Column("allocated", "right"),
            Column("fits"),
        )
        yield Table(columns, tuple(map(_remedy_row, found.singles)))
        yield from _notes(found.singles)
    if found.cheapest is not None:
        yield _cheapest(found.cheapest)
        yield from _checkpoints(found.cheapest)
        yield from _other_ways(found)
    elif found.least is not None:
        yield _nothing_fits(found.least)


def _remedy_row(remedy: Remedy) -> tuple[Cell, ...]:
    demand = remedy.trial.demand
    return (
        changes(remedy),
        price(remedy),
        size(remedy.trial.line.peak),
        size(demand.allocated),
        FITS[demand.verdict],
    )


def changes(remedy: Remedy) -> str:
    return ", ".join(change.what for change in remedy.changes)


def price(remedy: Remedy) -> str:
    """The dearest part of the cost in words; FLOPs and transfers wherever there are more of them."""
    price, flops = remedy.cost.price, remedy.cost.flops
    share = f"{flops:.1%}" if flops >= 0.001 else "under 0.1%"
    parts = [] if price in ("FLOPs", "transfers") else [PRICES[price]]
    parts += [f"{share} more FLOPs".replace("%", " %")] if flops else []
    parts += [f"{size(remedy.moved_bytes)} moved in each step"] if remedy.moved_bytes else []
    return ", ".join(parts) or PRICES[price]


def _notes(remedies: Sequence[Remedy]) -> Iterator[str]:
    notes: dict[str, list[str]] = {}
    for change in [change for remedy in remedies for change in remedy.changes if change.note]:
        notes.setdefault(change.note, []).append(change.what)
    if notes:
        yield "\n".join(f"{', '.join(whats)}: {note}." for note, whats in notes.items())


def _cheapest(remedy: Remedy) -> str:
    how = "change" if len(remedy.changes) == 1 else "combination"
    allocated = f"{size(remedy.trial.demand.allocated)} allocated"
    return f"The cheapest {how} that fits: {changes(remedy)} ({price(remedy)}; {allocated})."


def _other_ways(found: Remedies) -> Iterator[str]:
    """Who does not want to pay the cheapest price may pay another."""
    others = [remedy for remedy in found.ways if remedy is not found.cheapest]
    if others:
        told = [f"{changes(each)} ({price(each)}; {size(each.trial.demand.allocated)} allocated)" for each in others]
        yield "Otherwise: " + ";\nor ".join(told) + "."


def _checkpoints(remedy: Remedy) -> Iterator[str]:
    """The layers that `recompute: auto` chose; with other settings their word says which."""
    if remedy.case.run.recompute == "auto":
        runs = [names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}" for names in remedy.trial.line.segments]
        yield f"Recomputed: {listing(runs, MOST_CHECKPOINTS)}."


def _nothing_fits(least: Trial) -> str:
    roles = least.line.by_role
    alone: list[Role] = [role for role in FIXED if roles[role]]
    names = [role.replace("_", " ") for role in alone]
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
    needed = size(least.demand.allocated)
    fixed = size(sum([roles[role] for role in alone]))
    return (
        f"No combination fits: the least that was reached is {needed} allocated, of which {listed} alone take {fixed}."
    )


def _data(fit: Fit) -> Table:
    """A row a device, raw. `batch` is the one that was asked for; a side or a width is the largest."""
    names = (
        "hardware",
        "batch",
        "capacity_bytes",
        "fits",
        "verdict",
        "max_batch",
        "max_batch_tight",
        fit.vary,
        "allocated_bytes",
        "reserved_bytes",
    )
    seconds = ("step_seconds", "band_low_seconds", "band_high_seconds", "time_status", "engine")
    columns = dict.fromkeys((*names, "headroom_bytes", "binds_at", *seconds, "problem"))
    priced = ("usd_per_hour", "usd_per_million", "usd_per_million_low", "usd_per_million_high")
    if any(device.price is not None for device in fit.devices):
        columns |= dict.fromkeys(priced)
    rows: list[tuple[Cell, ...]] = []
    for device in fit.devices:
        varied = device.largest and device.largest.value
        told = {**device.to_dict(), fit.vary: varied, "batch": fit.batch, **_seconds(device.time)}
        told |= dict(zip(priced, (device.price, *device.cost), strict=True))
        rows.append(tuple([told[name] for name in columns]))
    run = fit.run
    settings = {"mode": run.mode, "precision": run.precision, "optimizer": run.optimizer}
    return about(Table(tuple(map(Column, columns)), tuple(rows)), network=fit.network, **settings)


def _seconds(time: StepTime | None) -> dict[str, Cell]:
    low, high = (None, None) if time is None else time.band
    told = {"time_status": time and time.status, "engine": time and time.engine}
    return {"step_seconds": time and time.step, "band_low_seconds": low, "band_high_seconds": high, **told}
