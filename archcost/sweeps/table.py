"""`Sweep`: the answer to a sweep as columns, a row a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from archcost.errors import ArchcostError, listing, nearest
from archcost.files.frames import pandas
from archcost.files.result import Result
from archcost.sweeps.pareto import undominated

Array = NDArray[Any]

MORE_IS_BETTER = frozenset(["batch", "samples_per_second", "mfu"])
"""Of all other numbers less is."""

CHUNK = 1 << 16
"""Rows that are turned into Python's numbers at a time."""


class Column(NamedTuple):
    """Numbers, where NaN is one that is not known, or places in a list of words."""

    values: Array
    words: tuple[str, ...] = ()

    def decoded(self) -> Array:
        return np.array(self.words, dtype=object)[self.values] if self.words else self.values

    def plain(self, rows: slice) -> list[Any]:
        """The values as Python's numbers and strings; None is not known."""
        some = self.values[rows].tolist()
        if self.words:
            return [self.words[code] for code in some]
        return [None if value != value else value for value in some]

    def of(self, rows: Array) -> Column:
        return Column(_frozen(self.values[rows]), self.words)


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Result):
    """All configurations that were asked for, one row each, the batch running fastest.

    `sweep["peak_bytes"]` is a column as an array; `to_frame()` a table of pandas, `to_dict()` is
    `archcost sweep --format json`.
    """

    network: str
    columns: Mapping[str, Column]
    unknown: tuple[str, ...] = ()
    """Layers of which nobody knows what they do: every number of theirs is a lower bound."""
    differs: tuple[str, ...] = ()
    """What a calibration that was given is of, where it is not of what runs here."""

    @classmethod
    def of(
        cls, network: str, columns: Mapping[str, Column], unknown: tuple[str, ...], differs: tuple[str, ...] = ()
    ) -> Sweep:
        frozen = {name: Column(_frozen(column.values), column.words) for name, column in columns.items()}
        return cls(network, MappingProxyType(frozen), unknown, differs)

    @property
    def headline(self) -> str:
        return f"{self.network}: {len(self):,} configurations"

    def __len__(self) -> int:
        return next((len(column.values) for column in self.columns.values()), 0)

    def __getitem__(self, name: str) -> Array:
        """A column: integers, floats (NaN: not known), or words. Raises ArchcostError for one that is none."""
        return self._column(name).decoded()

    @property
    def fits(self) -> bool:
        """Some configuration is not certain to fail."""
        return bool((self["verdict"] != "does not fit").any())

    def is_unknown(self, name: str) -> bool:
        """Whether every row is unknown."""
        column = self._column(name)
        return not column.words and bool(np.isnan(column.values).all())

    def row(self, number: int) -> dict[str, Any]:
        if not 0 <= number < len(self):
            raise ArchcostError("no such row", expected=f"0 to {len(self) - 1:,}", found=f"{number:,}")
        return {name: column.plain(slice(number, number + 1))[0] for name, column in self.columns.items()}

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """All rows in the order of the columns, in plain numbers and words."""
        for start in range(0, len(self), CHUNK):
            yield from zip(
                *(column.plain(slice(start, start + CHUNK)) for column in self.columns.values()), strict=True
            )

    def where(self, rows: Array | Sequence[bool]) -> Sweep:
        """The rows for which a condition holds: `sweep.where(sweep["verdict"] == "fits")`."""
        chosen = np.asarray(rows)
        if chosen.dtype != np.bool_ or chosen.shape != (len(self),):
            raise ArchcostError(
                "rows are chosen by one truth value each",
                expected=f"{len(self):,} of them",
                found=f"{chosen.dtype} of shape {chosen.shape}",
                hint='sweep.where(sweep["verdict"] == "fits")',
            )
        return self._of(np.flatnonzero(chosen))

    def pareto(self, *names: str) -> Sweep:
        """The rows that no other dominates, that is, equals in all these columns and beats in one.

        More is better of the batch, of samples a second and of MFU, and less of all other numbers. A row of which one
        of them is not known is left out; rows that do not fit are not, unless `where` has left them out.
        """
        if not names:
            raise ArchcostError("no columns to compare by", expected="two or more", hint=", ".join(self._numbers()))
        columns = [self._column(name) for name in names]
        if words := [name for name, column in zip(names, columns, strict=True) if column.words]:
            raise ArchcostError(
                "words are neither more nor less", expected=f"of {listing(self._numbers())}", found=words[0]
            )
        signs = [-1.0 if name in MORE_IS_BETTER else 1.0 for name in names]
        costs = np.stack([sign * column.values for sign, column in zip(signs, columns, strict=True)], axis=1)
        return self._of(undominated(costs))

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.sweep/1",
            "network": self.network,
            "unknown": list(self.unknown),
            "rows": len(self),
            "columns": {name: column.plain(slice(None)) for name, column in self.columns.items()},
        }

    def to_frame(self) -> Any:
        """A pandas.DataFrame, its words as categories. Raises ArchcostError where pandas is not installed."""
        pd = pandas()
        return pd.DataFrame(
            {
                name: pd.Categorical.from_codes(column.values, list(column.words)) if column.words else column.values
                for name, column in self.columns.items()
            }
        )

    def _of(self, rows: Array) -> Sweep:
        columns = {name: column.of(rows) for name, column in self.columns.items()}
        return Sweep.of(self.network, columns, self.unknown, self.differs)

    def _numbers(self) -> list[str]:
        return [name for name, column in self.columns.items() if not column.words]

    def _column(self, name: str) -> Column:
        if name not in self.columns:
            raise ArchcostError(
                "no such column",
                expected=f"one of {listing(self.columns)}",
                found=str(name),
                hint=nearest(str(name), self.columns),
            )
        return self.columns[name]


def _frozen(values: Array) -> Array:
    view = values.view()
    view.flags.writeable = False
    return view
