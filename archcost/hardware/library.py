"""Profiles that ship, and those of a user: found, read, checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path as FilePath
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from archcost.errors import ArchcostError, Place, SpecError, listing, nearest, shorten
from archcost.files.parse import SUFFIXES, Marks, parse, read_text
from archcost.files.result import Result
from archcost.files.values import as_mapping, spell
from archcost.hardware.common import COMMON
from archcost.hardware.mistakes import dotted, explain_first, place
from archcost.hardware.plausibility import Refusal, against_peers, by_itself
from archcost.hardware.profile import HardwareProfile
from archcost.hardware.short_names import Found, find, shortest
from archcost.hardware.without_sheet import (
    THIS_MACHINE,
    cpu_name,
    gpu_of_memory,
    is_memory,
    may_have,
    profile_name,
    this_machine,
    with_memory,
)

_FOLDER = FilePath(__file__).parent / "profiles"


ALL = "all"
"""Instead of a name: every device that ships."""


@cache
def names() -> tuple[str, ...]:
    """Names of the profiles that ship."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.yaml")))


def load(hardware: str | FilePath) -> HardwareProfile:
    """A shipped profile by its name or a short one (`4090`), a file by its path, any GPU by its memory (`24GB`), or
    this machine (`cpu`).

    Raises ArchcostError for what is none of these, and for a short name of several; there is no default device.
    """
    text = str(hardware)
    if text.endswith(SUFFIXES):
        return _read(FilePath(hardware)).profile
    if text in names():
        return _shipped(text)
    if text.strip().lower() == THIS_MACHINE or text == profile_name(cpu_name()):
        return this_machine()
    if text.strip().lower() == ALL:
        raise ArchcostError("all is no single device", expected="one device", found=text, hint="archcost fit, or plan")
    if (of_memory := gpu_of_memory(text)) is not None:
        return of_memory
    found = find(text, names())
    if not found.names:
        beside = MEMORY_BESIDE.fullmatch(text.strip())
        if beside is not None:
            return _of_memory(text, beside[1], int(beside[2]))
    if found.is_named and len(found.names) == 1:
        return _shipped(found.names[0])
    if found.names:
        raise _several(text, found)
    raise _unknown(text)


def _unknown(text: str) -> ArchcostError:
    return ArchcostError(
        f"unknown hardware {shorten(text)}",
        expected="the name of a device, a memory (24GB), cpu, or a path to .yaml, .yml or .json",
        found=shorten(text),
        hint=nearest(text.lower(), names())
        or nearest(text.lower(), map(shortest, names()))
        or "archcost hardware list",
    )


MEMORY_BESIDE = re.compile(r"(.+?)[ -]?\b([0-9]{1,4}) ?gi?b", re.ASCII | re.IGNORECASE)
"""`4090 24GB`, `m4 max 64GB`: of devices, memory is sold in GB of 2^30 bytes."""


def _of_memory(text: str, short: str, gib: int) -> HardwareProfile:
    """The device of that name and memory; of a machine whose buyer chooses the memory, one with so much.

    Raises ArchcostError for a memory that none of that name has.
    """
    found = find(short, names())
    if not found.is_named:
        raise _unknown(text) if not found.names else _several(text, found)
    alike = [name for name in found.names if _shipped(name).memory.nominal.value == f"{gib} GiB"]
    if len(alike) == 1:
        return _shipped(alike[0])
    if not alike and len(found.names) == 1 and may_have(_shipped(found.names[0]), gib):
        return with_memory(_shipped(found.names[0]), gib)
    raise _several(text, Found(tuple(alike), True) if alike else Found(found.names, False))


MOST_OFFERED = 12
"""Devices that a short name may mean."""


def _several(text: str, found: Found) -> ArchcostError:
    offered = [f"{name} ({_shipped(name).memory.nominal.value})" for name in found.names[:MOST_OFFERED]]
    more = f", … ({len(found.names)} in all)" if len(found.names) > MOST_OFFERED else ""
    return ArchcostError(
        f"{shorten(text)} may mean several devices"
        if found.is_named
        else f"{shorten(text)} is no whole name of a device",
        expected="one device",
        found=shorten(text),
        hint=", ".join(offered) + more,
    )


Given = str | FilePath | HardwareProfile
"""A device: what `load` takes, or the profile itself."""


def profile_of(given: object) -> HardwareProfile:
    """Raises ArchcostError for an unknown name, and for what names no device."""
    if isinstance(given, HardwareProfile):
        return given
    if isinstance(given, str | FilePath):
        return load(given)
    raise ArchcostError(
        "no device",
        expected="its name, a path or a profile",
        found=f"{type(given).__name__} {shorten(given)}",
        hint="archcost.hardware.names()",
    )


def profiles_of(given: object) -> list[HardwareProfile]:
    """Of one device, of several, or of `all` that ship. Raises ArchcostError as `profile_of`, and for one that is named
    twice.
    """
    if given == ALL or (isinstance(given, Sequence) and list(cast("Sequence[object]", given)) == [ALL]):
        return [*shipped().profiles]
    each = cast("Sequence[object]", given) if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    found = [profile_of(one) for one in each]
    twice = [name for name, number in Counter(profile.name for profile in found).items() if number > 1]
    if twice:
        raise ArchcostError("a device is named twice", expected="each device once", found=listing(twice, 3))
    return found


def asked_for(given: object) -> list[HardwareProfile]:
    """As `profiles_of`; where none is named, those that are common."""
    return profiles_of(given) or [_shipped(name) for name in common()]


def common() -> tuple[str, ...]:
    """Names of the devices that a table has where none is named."""
    return tuple(sorted(COMMON))


def may_be_device(word: str) -> bool:
    """Whether a word of a command line is one of these names, in short or whole."""
    is_other = word.lower() in (ALL, THIS_MACHINE) or is_memory(word)
    return is_other or word in names() or find(word, names()).is_named


def whole_name(word: str, among: Collection[str]) -> str:
    """The one of these names that a word means; the word itself where it means none of them, or several."""
    found = find(word, tuple(among))
    return found.names[0] if word not in among and found.is_named and len(found.names) == 1 else word


@cache
def _shipped(name: str) -> HardwareProfile:
    return _read(_FOLDER / f"{name}.yaml").profile


@dataclass(frozen=True, repr=False)
class Devices(Result):
    """Profiles in a table."""

    profiles: tuple[HardwareProfile, ...]

    @property
    def headline(self) -> str:
        return f"{len(self.profiles)} devices"

    def to_dict(self) -> dict[str, Any]:
        return {"schema": "archcost.hardware_list/1", "devices": [_short(profile) for profile in self.profiles]}


def shipped() -> Devices:
    """Every profile that ships, in order of names."""
    return Devices(tuple(map(_shipped, names())))


def _short(profile: HardwareProfile) -> dict[str, Any]:
    return {
        "name": profile.name,
        "title": profile.title,
        "vendor": profile.vendor,
        "kind": profile.kind,
        "year": profile.year,
        "memory_nominal": profile.memory.nominal.amount,
        "memory_usable": profile.memory.usable.amount if profile.memory.usable else None,
        "bandwidth": profile.memory.bandwidth.amount if profile.memory.bandwidth else None,
        "rates": {dtype: rate.amount for dtype, rate in profile.rates.known().items()},
        "verified": profile.verified,
    }


@dataclass(frozen=True, repr=False)
class Checked(Result):
    """A file in which no mistake was found."""

    file: str
    profile: HardwareProfile

    @property
    def headline(self) -> str:
        return f"{self.profile.name}: no mistake found"

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.hardware_check/1",
            "file": self.file,
            "name": self.profile.name,
            "figures": len([*self.profile.figures()]),
            "unknown": self.profile.unknown(),
        }


def check(file: str | FilePath) -> Checked:
    """A file held against the format, against physics, and against the other profiles. Raises the first mistake."""
    path = FilePath(file)
    read = _read(path)
    itself = path.stem if path.resolve().parent == _FOLDER.resolve() else None
    peers = [profile for profile in shipped().profiles if profile.name != itself]
    beside = _names_beside(path) if itself is None else {}
    taken = {profile.name: "a profile that ships" for profile in peers} | beside
    if read.profile.name in taken:
        raise SpecError(
            f"two devices of one name: {read.profile.name}",
            expected="a name that no other profile has",
            found=f"the name of {taken[read.profile.name]}",
            hint=f"{read.profile.name}-2, say",
            place=place(read.marks, ("name",), str(path)),
        )
    _refuse(against_peers(read.profile, peers), read.marks, str(path))
    return Checked(str(file), read.profile)


def _names_beside(path: FilePath) -> dict[str, str]:
    """Names of the profiles in the same folder → their files. What cannot be read is none of this file's faults."""
    found: dict[str, str] = {}
    for other in sorted(path.parent.iterdir()):
        if other.suffix not in SUFFIXES or other.resolve() == path.resolve():
            continue
        try:
            tree = as_mapping(parse(read_text(other), str(other))[0]) or {}
        except SpecError:
            continue
        if isinstance(tree.get("name"), str) and "memory" in tree and "sources" in tree:
            found[tree["name"]] = other.name
    return found


class Read(NamedTuple):
    profile: HardwareProfile
    marks: Marks


def _read(path: FilePath) -> Read:
    """A file that is well formed, and possible as far as it alone can say."""
    file = str(path)
    tree, marks = parse(read_text(path), file)
    if as_mapping(tree) is None:
        raise SpecError(
            "not a profile",
            expected="a mapping with name, sources, rates, memory and so on",
            found="an empty file" if tree is None else spell(tree),
            hint="archcost hardware show nvidia-rtx-4090 shows what one has",
            place=Place(file, 1, 1),
        )
    try:
        profile = HardwareProfile.model_validate(tree)
    except ValidationError as error:
        raise explain_first(error, tree, marks, file) from None
    _refuse(by_itself(profile) or _is_like(profile), marks, file)
    return Read(profile, marks)


def _is_like(profile: HardwareProfile) -> Refusal | None:
    if profile.like is None or profile.like in names():
        return None
    hint = nearest(profile.like, names())
    return Refusal(("like",), "no device that ships", "the name of one: archcost hardware list", profile.like, hint)


def _refuse(refusal: Refusal | None, marks: Marks, file: str) -> None:
    if refusal is None:
        return
    raise SpecError(
        refusal.problem,
        expected=refusal.expected,
        found=refusal.found,
        hint=refusal.hint,
        layer=dotted(refusal.path),
        place=place(marks, refusal.path, file),
    )
