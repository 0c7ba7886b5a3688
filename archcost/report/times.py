"""A `StepTime`: one number with its error band where it is calibrated, lower and upper bounds where it is not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archcost.errors import listing
from archcost.hardware.calibration import Calibration
from archcost.report.document import Cell, Column, Document, Facts, Part, Table
from archcost.times import LayerTime, StepTime
from archcost.units import count, duration, joules

SLOWEST = 3
MOST_NAMED = 3


def document(time: StepTime) -> Document:
    """The report of a step's time alone; csv has its layers."""
    return Document(f"A step of {count(time.samples)} samples", tuple(parts(time)), _data(time))


def parts(time: StepTime, slowest: int = SLOWEST) -> Iterator[Part]:
    """What it takes, its phases, its slowest layers, and what all that rests on."""
    yield sentence(time)
    yield _phases(time)
    found = time.slowest(slowest)
    if found:
        yield f"The {len(found)} slowest layers:" if len(found) > 1 else "The slowest layer:"
        yield _layers(time, found)
    yield Facts(tuple(_facts(time)))


def sentence(time: StepTime) -> str:
    """A sentence: never one number where there are only bounds."""
    low, high = map(duration, time.band)
    if time.step is None:
        return (
            f"Time of a step, uncalibrated: {low} at the least, typically {duration(time.typical)}, "
            f"{high} at the most, by the data sheet alone."
        )
    return f"Time of a step: {duration(time.step)}, and nine times in ten from {low} to {high}. {_basis(time)}"


def unknown_sentence(notes: Iterable[str]) -> str:
    """The sentence where no time is known, with the reasons."""
    return f"Time of a step: not known. {'; '.join(notes)}."


def short_time(time: StepTime) -> str:
    """For a cell of a table: `3.95 to 8.55 ms`, or `12.3 ms`."""
    return duration(time.step) if time.step is not None else between(*time.band)


def between(low: float, high: float) -> str:
    """`3.95 to 8.55 ms`: the unit once where both have it."""
    first, last = duration(low), duration(high)
    number, unit = first.split()
    return f"{number} to {last}" if unit == last.split()[1] else f"{first} to {last}"


def _basis(time: StepTime) -> str:
    basis = time.calibration
    if basis is None:
        return ""
    if time.status == "calibrated":
        return _measured(time.engine, basis)
    runs = f"{count(basis.runs)} run{'s' * (basis.runs > 1)}"
    families = f"{count(basis.families)} famil{'ies' if basis.families > 1 else 'y'} of networks"
    such = "public runs of its nearest relatives" if basis.borrowed else "public runs of such a device"
    text = f"{time.status.capitalize()}: {time.engine}, {such}, {runs} of {families}"
    if basis.errors is None:
        return f"{text}."
    median, ninth = f"{basis.errors.median:.1%}", f"{basis.errors.p90:.1%}"
    return f"{text}; of families left out, half were within {median}, nine in ten within {ninth}."


def _measured(engine: str, basis: Calibration) -> str:
    """The basis of a time in words, where layers were timed on the machine itself."""
    layers = f"{count(basis.runs)} layer{'s' * (basis.runs > 1)}"
    classes = f"{count(basis.families)} class{'es' * (basis.families > 1)}"
    text = f"Calibrated: {engine}, {layers} of {classes} timed on {basis.processor or basis.device}"
    if basis.threads is not None:
        text += f" with {basis.threads} thread{'s' * (basis.threads > 1)}"
    if basis.errors is None:
        return f"{text}."
    median, ninth = f"{basis.errors.median:.1%}", f"{basis.errors.p90:.1%}"
    return f"{text}; of single layers left out, half were within {median}, nine in ten within {ninth}."


def _phases(time: StepTime) -> Table:
    phases = [phase for phase in time.phases if phase.seconds]
    if time.step is not None:
        columns = (Column("time"), Column("", "right"), Column("share", "right"), Column("waits for"))
        rows = [(phase.name, duration(phase.seconds), _share(phase.seconds, time), phase.roof) for phase in phases]
        return Table(columns, tuple(rows), ("step", duration(time.step), _share(time.step, time), None))
    bounds = ("at the least", "typically", "at the most")
    columns = (Column("time"), *(Column(each, "right") for each in (*bounds, "share")), Column("waits for"))
    bound: list[tuple[Cell, ...]] = []
    for phase in phases:
        three = (phase.least or 0.0, phase.seconds, phase.most or 0.0)
        bound.append((phase.name, *map(duration, three), _share(phase.seconds, time), phase.roof))
    low, high = time.band
    total = ("step", *map(duration, (low, time.typical, high)), _share(time.typical, time), None)
    return Table(columns, tuple(bound), total)


def _share(seconds: float, time: StepTime) -> str:
    return f"{seconds / time.typical:.1%}" if time.typical else "0.0%"


def _layers(time: StepTime, layers: tuple[LayerTime, ...]) -> Table:
    halves = ("forward", "backward") if time.trains else ()
    names = (*halves, "typically" if time.step is None else "seconds", "share")
    columns = (Column("layer"), Column("class"), *(Column(name, "right") for name in names), Column("waits for"))
    rows: list[tuple[Cell, ...]] = []
    for layer in layers:
        seconds = (layer.forward, layer.backward, layer.seconds) if time.trains else (layer.seconds,)
        rows.append((layer.name, layer.kind, *map(duration, seconds), _share(layer.seconds, time), layer.roof))
    return Table(columns, tuple(rows))


def _four_digits(number: float) -> str:
    """A number with four digits, without an exponent."""
    return f"{float(f'{number:.4g}'):,.0f}" if number >= 1000 else f"{number:.4g}"


def _facts(time: StepTime) -> Iterator[tuple[str, str]]:
    if time.samples_per_second is not None:
        yield "samples a second", _four_digits(time.samples_per_second)
    elif all(time.band):
        low, high = (time.samples / seconds for seconds in reversed(time.band))
        yield "samples a second", f"{_four_digits(low)} to {_four_digits(high)}"
    if time.energy is not None:
        yield "energy", f"{joules(time.energy)}, by the power that was measured with the runs"
    if time.mfu is not None:
        yield "MFU", f"{time.mfu:.1%} of the data sheet's {time.peak:.4g} FLOP/s"
    host = f", which take the host {duration(time.dispatch)}" if time.dispatch else ""
    yield "launches", f"{count(time.launches)}{host}"
    if time.unknown:
        yield "lower bound", f"how long {listing(time.unknown, MOST_NAMED)} take is not known"
    yield from (("note", text) for text in time.notes)


DATA_COLUMNS = (
    "layer",
    "class",
    "waits_for",
    "forward_seconds",
    "backward_input_seconds",
    "backward_weight_seconds",
    "seconds",
)


def _data(time: StepTime) -> Table:
    """A row a layer, raw."""
    rows: list[tuple[Cell, ...]] = [
        (each.name, each.kind, each.roof, each.forward, each.backward_input, each.backward_weight, each.seconds)
        for each in time.layers
    ]
    return Table(tuple(map(Column, DATA_COLUMNS)), tuple(rows))
