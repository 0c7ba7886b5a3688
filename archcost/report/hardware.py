"""Devices: the table of all, one in full, and the word on a file that was checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from archcost import hardware
from archcost.hardware import Checked, Devices, Figure, HardwareProfile
from archcost.hardware.figures import Board, FloatRate, Origin, Sparsity, Spread, TypeOfMemory
from archcost.report.document import Cell, Column, Document, Facts, Table
from archcost.units import show_in

LISTED = ("float32", "bfloat16", "float16", "int8")
"""Rates that the table of all devices has columns for."""

ALL = ("float64", "float32", "tf32", "float16", "bfloat16", "float8", "int8")


def document(result: Checked | Devices | HardwareProfile) -> Document:
    match result:
        case Devices():
            return _all_devices(result.profiles)
        case Checked():
            return _checked_file(result)
        case _:
            return _one_device(result)


def left_out(profiles: Iterable[HardwareProfile]) -> Iterator[str]:
    """A sentence on the devices that a table has not, where it has the common ones."""
    shown = sorted(profile.name for profile in profiles)
    if tuple(shown) == hardware.common():
        others = len(hardware.names()) - len(shown)
        yield f"These devices are common; {others} more ship: --hardware all, or --vendor, --kind, --min-memory."


def _all_devices(profiles: tuple[HardwareProfile, ...]) -> Document:
    columns = (
        Column("name"),
        *(Column(header, "right") for header in ("year", "memory", "bandwidth", *LISTED)),
        Column("verified"),
    )
    rows = tuple(
        (
            profile.name,
            str(profile.year),
            profile.memory.nominal.value,
            profile.memory.bandwidth and profile.memory.bandwidth.value,
            *(_in_tera(profile.rates.known().get(dtype)) for dtype in LISTED),
            profile.verified,
        )
        for profile in profiles
    )
    notes = (
        "Rates are dense peaks in TFLOP/s, int8 in TOP/s; memory is nominal; of a board with several devices, one.",
        "Verified: A a vendor's document or a page quoting it was read, B other pages, some figures recalled, "
        "C recalled, derived worked out. `archcost hardware show NAME` tells it of every figure.",
    )
    return Document(
        "Devices that ship with archcost", (Table(columns, rows), "\n".join(notes)), _all_devices_data(profiles)
    )


def _in_tera(rate: FloatRate | None) -> str | None:
    return rate and show_in(rate.amount, f"T{rate.dimension}", rate.dimension)


def _all_devices_data(profiles: tuple[HardwareProfile, ...]) -> Table:
    """Bytes, B/s and FLOP/s."""
    headers = ("name", "title", "vendor", "kind", "year", "memory", "usable", "bandwidth", *ALL, "verified")
    rows: list[tuple[Cell, ...]] = []
    for profile in profiles:
        memory, rates = profile.memory, profile.rates.known()
        usable = memory.usable and memory.usable.amount
        head = (profile.name, profile.title, profile.vendor, profile.kind, profile.year)
        amounts = (memory.nominal.amount, usable, memory.bandwidth and memory.bandwidth.amount)
        rows.append((*head, *amounts, *(rates[d].amount if d in rates else None for d in ALL), profile.verified))
    return Table(tuple(map(Column, headers)), tuple(rows))


def _one_device(profile: HardwareProfile) -> Document:
    facts = (
        ("vendor", profile.vendor),
        ("kind", f"{profile.kind}, {profile.year}" if profile.year else profile.kind),
        ("architecture", " ".join(filter(None, (profile.architecture, profile.line and f"({profile.line})")))),
        ("verified", f"{profile.verified}: {VERIFIED_MEANS[profile.verified]}"),
        ("notes", profile.notes),
        ("not stated", ", ".join(profile.unknown())),
    )
    columns = (Column("figure"), Column("value"), Column("verified"), Column("date"), Column("source"))
    rows = tuple(
        (path, _figure_text(figure), profile.source(figure).verified, profile.date(figure), figure.source)
        for path, figure in profile.figures()
    )
    parts = (
        Facts(tuple((name, text) for name, text in facts if text)),
        Table(columns, rows),
        Facts(tuple((key, source.text) for key, source in profile.sources.items())),
    )
    return Document(f"{profile.name}: {profile.title}", parts, _one_device_data(profile))


VERIFIED_MEANS = {
    "A": "a document of the vendor, or a page that quotes it, was read",
    "B": "other pages were read, some figures recalled",
    "C": "recalled, not looked up",
    "derived": "worked out",
}


def _figure_text(figure: Origin) -> str:
    match figure:
        case FloatRate():
            sparse = f", {figure.sparse} sparse" if figure.sparse else ""
            return f"{figure.value}, sums in {figure.accumulate}{sparse}"
        case Figure():
            return figure.value
        case Spread():
            return " / ".join(f"{share:g}" for share in figure.value) + " of nominal"
        case Board():
            return f"one of {figure.devices} devices of {figure.value}"
        case Sparsity() | TypeOfMemory():
            return figure.value
        case _:
            raise TypeError(figure)


def _one_device_data(profile: HardwareProfile) -> Table:
    headers = ("figure", "value", "amount", "unit", "verified", "date", "source")
    rows: list[tuple[Cell, ...]] = []
    for path, figure in profile.figures():
        amount, unit = (figure.amount, figure.dimension) if isinstance(figure, Figure) else (None, None)
        source = profile.source(figure)
        rows.append((path, _figure_text(figure), amount, unit, source.verified, profile.date(figure), source.text))
    return Table(tuple(map(Column, headers)), tuple(rows))


def _checked_file(checked: Checked) -> Document:
    profile = checked.profile
    count = len([*profile.figures()])
    notes = f"{count} figures, each with a source; none is impossible, and no other profile has the name."
    items = [("not stated", ", ".join(profile.unknown()))] if profile.unknown() else []
    data = Table((Column("file"), Column("name"), Column("figures")), ((checked.file, profile.name, count),))
    return Document(f"{checked.file}: {profile.name}", (notes, Facts(tuple(items))), data)
