"""`Check` and `Verification`: each number beside that of its witness (torch, fvcore, or a measured step)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from archcost.files.result import Result

Value = int | float | tuple[tuple[int, ...], ...]
"""A count, seconds, or the shapes of a layer's outputs."""

TOTAL = "total"

TORCH = f"torch {torch.__version__.partition('+')[0]}"
"""Without the build, such as +cpu, which says nothing about the counts."""


@dataclass(frozen=True, slots=True)
class Check:
    """One number beside its witness. `scope` is a layer's name or `total`.

    `agrees` is None, and `reason` says why, where the witness cannot speak. Where a known difference was taken
    off the witness, `reason` names it.
    """

    quantity: str
    scope: str
    archcost: Value
    witness: Value | None
    by: str
    agrees: bool | None
    reason: str | None = None

    @property
    def excess(self) -> int:
        """By how much archcost's count is above the witness's."""
        assert isinstance(self.archcost, int)
        assert isinstance(self.witness, int)
        return self.archcost - self.witness


@dataclass(frozen=True, repr=False)
class Verification(Result):
    """What every witness said. `to_dict()` is `archcost verify --format json`."""

    network: str
    device: str
    checks: tuple[Check, ...]

    @property
    def headline(self) -> str:
        differing = len(self.disagreements)
        found = f"{differing:,} differ" if differing else "none differs"
        return f"{self.network} on {self.device}: {len(self.checks):,} checks, {found}"

    @property
    def ok(self) -> bool:
        """Nothing disagrees. A silent witness does not disagree; `silent` lists those."""
        return not self.disagreements

    @property
    def disagreements(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.agrees is False)

    @property
    def silent(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.agrees is None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "schema": "archcost.verify/1",
            "network": self.network,
            "device": self.device,
            "ok": self.ok,
            "checks": [_plain(check) for check in self.checks],
        }


def _plain(check: Check) -> dict[str, Any]:
    """Lists for tuples, as JSON has them."""
    fields = asdict(check)
    for side in ("archcost", "witness"):
        if isinstance(fields[side], tuple):
            fields[side] = [list(shape) for shape in fields[side]]
    return fields


def compare(quantity: str, scope: str, ours: Value, theirs: Value, by: str) -> Check:
    return Check(quantity, scope, ours, theirs, by, ours == theirs)
