"""How a project's networks are run: settings that the command line has as options, under their names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path as FilePath
from typing import Any

from archcost.errors import ArchcostError, Place, SpecError, listing, nearest, together
from archcost.files.parse import SUFFIXES
from archcost.files.values import as_list, spell
from archcost.passes.run import Run

Settings = Mapping[str, Any]
"""By name of an option: text, a number of samples, a flag; `hardware` is one device or several."""

MOST = 2**31 - 1
"""Of a batch, as of every other size in a spec."""

RUN = tuple(Run.__dataclass_fields__)
WORDS = ("mode", "precision", "optimizer", "optimizer_impl", "torch")
"""Of them those that are right or wrong by themselves."""

FLAGS = ("in_place", "master_weights", "channels_last", "keep_gradients", "clip_norm", "cache", "optimizer_in_backward")
NUMBERS = ("batch", "accumulation", "threads")
NAMES = ("hardware", "batch", *RUN, "loss", "engine", "calibration", "threads")


Where = Callable[..., Place | None]
"""Of keys that lead into a table, the place in its file; None where the table stands in none."""


def nowhere(*_: object) -> None:
    """Of a table that stands in no file."""


def read_settings(tree: Mapping[str, Any], where: Where = nowhere) -> Settings:
    """Those of the settings that a table has, of the types that they have. Raises SpecError at its place.

    Words are those of `Run`; which of them suit each other is told once all of them are known.
    """
    found: dict[str, Any] = {}
    mistakes = Mistakes()
    for name in [name for name in NAMES if name in tree]:
        with mistakes.gathered(), told_at(where(name)):
            found[name] = _setting(name, tree[name], where(name))
            if name in WORDS:
                Run(**{name: found[name]})
    mistakes.tell()
    return found


def located(settings: Settings, folder: FilePath) -> Settings:
    """Their paths, relative to `folder`, as they are seen from the current folder."""
    found = dict(settings)
    if "hardware" in found:
        found["hardware"] = tuple(
            [str(folder / each) if each.endswith(SUFFIXES) else each for each in found["hardware"]]
        )
    if "calibration" in found:
        found["calibration"] = str(folder / found["calibration"])
    return found


def _setting(name: str, value: object, place: Place | None) -> Any:
    if name == "hardware":
        several = as_list(value)
        names = tuple(several) if several is not None else (value,)
        if names and all(isinstance(each, str) and each for each in names) and len(set(names)) == len(names):
            return names
        expected = "a device by name or file, or a list of different ones"
    elif name in FLAGS:
        if isinstance(value, bool):
            return value
        expected = "true or false"
    elif name in NUMBERS:
        if type(value) is int and 1 <= value <= MOST:
            return value
        expected = f"an integer from 1 to {MOST:,}"
    else:
        if isinstance(value, str) and value:
            return value
        expected = "text"
    hint = f'"{value}"' if name == "hardware" and type(value) is int else None  # as in 4090
    raise SpecError(f"{name} has no such value", expected=expected, found=spell(value), hint=hint, place=place)


def run_of(settings: Settings) -> Run:
    """Raises ArchcostError for settings that do not suit each other."""
    return Run(**{name: settings[name] for name in RUN if name in settings})


@contextmanager
def told_at(place: Place | None, name: str | None = None) -> Generator[None]:
    """An error inside is told at that place of a file, and of what."""
    try:
        yield
    except ArchcostError as error:
        raise error.at(layer=name, place=place) from None


class Mistakes:
    """Those of one file, which are told together once all of it is read."""

    def __init__(self) -> None:
        self.found: list[ArchcostError] = []

    @contextmanager
    def gathered(self) -> Generator[None]:
        """An error inside is kept, and reading goes on."""
        try:
            yield
        except ArchcostError as error:
            self.found.append(error)

    def tell(self) -> None:
        """Raises ArchcostError where there is any."""
        if self.found:
            raise together(self.found)


def require_known(tree: Mapping[str, Any], known: Collection[str], what: str, where: Where = nowhere) -> None:
    """Raises SpecError for the keys that are none of those known, with the nearest names."""
    mistakes = Mistakes()
    for key in [key for key in tree if key not in known]:
        with mistakes.gathered():
            raise SpecError(
                f"{what} {key!r}" if len(key) < 60 else what,
                expected=listing(known, 40),
                found=spell(key),
                hint=nearest(key, known),
                place=where(key),
            )
    mistakes.tell()
