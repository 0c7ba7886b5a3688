"""What a sweep goes over: batches, devices, and the settings of a run, each one value or several."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import product
from operator import index
from typing import Any, SupportsIndex, cast

import numpy as np

from archcost import hardware as profiles
from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.estimates.batches import MOST as MOST_BATCH
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.sweeps.envelope import Integers

ALWAYS = ("mode", "precision", "optimizer", "recompute")
"""Settings that have a column, whether they were asked for or not."""

MOST_ROWS = 2**27
"""Of a sweep: a column of them takes a gibibyte."""


def batches(given: object, others: int) -> Integers:
    """`others` are the combinations of all else. Raises ArchcostError for what is no number of samples, for none at
    all, and for too many rows.
    """
    listed = _several(given, "batch")
    _require_rows((len(given) if isinstance(given, range) else len(listed)) * others)
    for value in listed:
        if isinstance(value, bool) or not isinstance(value, SupportsIndex) or not 1 <= index(value) <= MOST_BATCH:
            raise ArchcostError(
                "batch is the number of samples at once",
                expected=f"integers from 1 to {MOST_BATCH:,}",
                found=shorten(value),
            )
    if isinstance(given, range):
        return given[0] + given.step * np.arange(len(given))
    return np.array(listed, np.int64)


def devices(given: object) -> list[HardwareProfile]:
    """Profiles of devices, given by name, path or profile. Raises ArchcostError for an unknown one, and for doubles."""
    return profiles.profiles_of(_several(given, "hardware"))


def runs(settings: Mapping[str, object]) -> tuple[list[Run], list[str]]:
    """The runs of all combinations of settings, the last field fastest, and the fields that become columns."""
    known = [field.name for field in fields(Run)]
    for name in settings:
        if name not in known:
            raise ArchcostError(
                "no such setting of a run", expected=listing(known), found=shorten(name), hint=nearest(name, known)
            )
    asked = {name: _several(settings[name], name) for name in known if name in settings}
    for name, values in asked.items():
        _require_distinct(name, values)
    if "auto" in asked.get("recompute", ()):
        raise ArchcostError(
            "recompute: auto is a search of its own for every batch and device",
            expected="none, blocks, every:K or names",
            found="auto",
            hint="archcost.estimate with the batch that is meant",
        )
    shown = [name for name in known if name in ALWAYS or len(asked.get(name, ())) > 1]
    return [Run(**dict(zip(asked, values, strict=True))) for values in product(*asked.values())], shown


def engines(given: object) -> list[str | None]:
    """The engines that are swept; None means the default of `estimate`."""
    found = _several(given, "engine")
    for each in found:
        if each is not None and not isinstance(each, str):
            raise ArchcostError("an engine is a word", expected="eager, compiled or the like", found=shorten(each))
    _require_distinct("engine", found)
    return found


def _require_rows(count: int) -> None:
    if count > MOST_ROWS:
        raise ArchcostError("too many configurations", expected=f"at most {MOST_ROWS:,}", found=f"{count:,}")


def _several(given: object, name: str) -> list[Any]:
    """Text and profiles are one value; whatever else can be gone through is several."""
    if isinstance(given, range):
        several = [given[0], given[-1]] if given else []
    elif isinstance(given, str | HardwareProfile) or not isinstance(given, Iterable):
        return [given]
    else:
        several = list(cast("Iterable[Any]", given))
    if not several:
        raise ArchcostError(f"nothing to sweep {name} over", expected="one value or more", found="none")
    return several


def _require_distinct(name: str, values: list[Any]) -> None:
    twice = [value for value, number in Counter(map(repr, values)).items() if number > 1]
    if twice:
        raise ArchcostError(f"{name} has a value twice", expected="each value once", found=shorten(twice[0]))
