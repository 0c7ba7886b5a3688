"""Devices without a data sheet: any GPU of a memory (`24GB`), and the CPU of this machine (`cpu`).

What is known of them is their memory; they have no rates, so that no time is known.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable
from datetime import date
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from archcost.errors import ArchcostError, shorten
from archcost.hardware.figures import Size, SizeAsAsked
from archcost.hardware.profile import HardwareProfile, Source
from archcost.units import UNITS, size

_MEMORY = re.compile(r"(?:any-gpu-)?([0-9]{1,9})(?:[.-]([0-9]{1,3}))? ?(g|[gt]i?b)", re.ASCII | re.IGNORECASE)

THIS_MACHINE = "cpu"


def gpu_of_memory(text: str) -> HardwareProfile | None:
    """Any GPU with a memory of that size; None if the text is none. A decimal unit is taken at its word.

    Raises ArchcostError for a memory of nothing, or of more than there can be.
    """
    found = _MEMORY.fullmatch(text.strip())
    if found is None:
        return None
    whole, decimals, written = found.groups()
    number = f"{int(whole)}.{decimals}" if decimals else f"{int(whole)}"
    unit = written[0].upper() + ("iB" if "i" in written.lower() else "B")
    nbytes = Fraction(number) * UNITS["B"][unit]
    if not 10**9 <= nbytes <= 10**15:
        raise ArchcostError("no memory of a GPU", expected="from 1 GB to 1,000 TB", found=shorten(text))
    return _gpu(number, unit, int(nbytes))


def is_memory(text: str) -> bool:
    return _MEMORY.fullmatch(text.strip()) is not None


@cache
def _gpu(number: str, unit: str, nbytes: int) -> HardwareProfile:
    written = f"{number} {unit}"
    is_decimal = not unit.endswith("iB")
    sold = f" A card that is sold with {number} GB has {number} GiB: write {number}{unit[0]}iB." if is_decimal else ""
    fields: dict[str, Any] = {
        "name": f"any-gpu-{number}{unit}".lower().replace(".", "-"),
        "title": f"any GPU with {written}" + (f" ({size(nbytes)})" if is_decimal else ""),
        "vendor": "any",
        "kind": "gpu",
        "year": None,
        "verified": "derived",
        "notes": f"No product: the memory is the {written} that were asked for, {nbytes:,} bytes.{sold} Programs get "
        "less of a real card than it is sold with, 91 to 99 % of what ships here; rates are not known, so no time is.",
        "sources": {
            "asked": {"text": f"asked for as {written}", "date": _today(), "verified": "derived"},
            "context": {
                "text": "pytorch issues 107667, 28113, 28394: about 300 MB since CUDA 11.7, which loads lazily; above "
                "1000 MB before",
                "date": "2026-11-23",
                "verified": "B",
            },
            "cublas": {
                "text": "CublasHandlePool.cpp of torch, pytorch issue 95668: 8,519,680 B a handle and stream",
                "date": "2026-11-23",
                "verified": "B",
            },
        },
        "rates": {},
        "memory": {"type": None, "nominal": SizeAsAsked(value=written, source="asked"), "bandwidth": None},
        "context": {"value": "300 MB", "source": "context"},
        "workspace": {"value": "8519680 B", "source": "cublas"},
    }
    return HardwareProfile.model_validate(fields)


def may_have(profile: HardwareProfile, gib: int) -> bool:
    """Whether the device is sold with a memory that the buyer chooses, and so much of it may be."""
    if profile.vendor == "Apple":  # of which the profile has the most that is sold
        return 8 <= gib <= profile.memory.nominal.amount / 2**30
    return profile.kind == "cpu" and 1 <= gib <= 2**14


def lent_by_metal(gib: int) -> int:
    """Bytes that Metal recommends that a GPU uses at most, of a Mac's memory: two thirds up to 32 GB, else three
    quarters (recommendedMaxWorkingSetSize, as the profiles of Apple's chips cite it).
    """
    return gib * 2**30 * 2 // 3 if gib <= 32 else gib * 2**30 * 3 // 4


def with_memory(profile: HardwareProfile, gib: int) -> HardwareProfile:
    """The same device with another memory; how much of that is usable is known of Apple's."""
    text = f"asked for as {gib} GB, which are {gib} GiB of a machine that is sold"
    source = Source(text=text, date=_today(), verified="derived")
    nominal = Size(value=f"{gib} GiB", source="asked")
    usable = Size(value=_binary(lent_by_metal(gib)), source="metal") if "metal" in profile.sources else None
    return profile.model_copy(
        update={
            "name": f"{profile.name}-{gib}gb",
            "like": profile.name,
            "title": f"{profile.title} with {gib} GB",
            "sources": {**profile.sources, "asked": source},
            "memory": profile.memory.model_copy(update={"nominal": nominal, "usable": usable}),
        }
    )


@cache
def this_machine() -> HardwareProfile:
    """The CPU of this machine: its name, the processors that this process may use, and the memory.

    Raises ArchcostError where the system does not tell of its memory.
    """
    processor = cpu_name()
    count = _processors()
    installed = _memory()
    most = _limit()
    usable = {"usable": {"value": _binary(most), "source": "limit"}} if most is not None and most < installed else {}
    fields: dict[str, Any] = {
        "name": profile_name(processor),
        "title": f"{processor} (this machine)",
        "vendor": "this machine",
        "kind": "cpu",
        "year": None,
        "verified": "derived",
        "notes": "Read from this machine. Its rates are not known, so no time is without a calibration of it: archcost "
        "hardware calibrate.",
        "sources": {
            "system": {"text": "said by the system of this machine", "date": _today(), "verified": "derived"},
            **(
                {"limit": {"text": "the limit of this control group", "date": _today(), "verified": "derived"}}
                if usable
                else {}
            ),
        },
        "processors": {"value": f"{count} core{'s' * (count != 1)}", "source": "system"},
        "rates": {},
        "memory": {
            "type": None,
            "nominal": {"value": _binary(installed), "source": "system"},
            **usable,
            "bandwidth": None,
        },
    }
    return HardwareProfile.model_validate(fields)


def cpu_name() -> str:
    """The name of the CPU, by the operating system."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names[0] if names else platform.processor()) or platform.machine()


def profile_name(processor: str) -> str:
    """The name that a profile of a processor has."""
    return re.sub(r"[^a-z0-9]+", "-", processor.lower()).strip("-")[:100].strip("-") or "this-machine"


def _processors() -> int:
    """That this process may run on."""
    allowed: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _memory() -> int:
    """Bytes that are installed."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # of Windows, the first
        raise ArchcostError(
            "this system does not say how much memory it has",
            expected="the number of its pages from sysconf",
            found=platform.system(),
            hint="a profile of your own (docs/add_a_device.md), or its memory as in --hardware 24GB",
        ) from None


def _limit() -> int | None:
    """Bytes that the control group of a container allows; None where there is no limit."""
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            told = Path(file).read_text(encoding="ascii").strip()
        except OSError:
            continue
        return int(told) if told.isdigit() else None
    return None


def _binary(nbytes: int) -> str:
    """Rounded down: no more than there is."""
    return f"{nbytes * 100 // 2**30 / 100:.2f} GiB" if nbytes >= 2**30 else f"{nbytes // 2**20} MiB"


def _today() -> str:
    return date.today().isoformat()
