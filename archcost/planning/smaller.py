"""A smaller task: the same network on less."""

from __future__ import annotations

from typing import Literal, NamedTuple

from archcost.errors import SpecError
from archcost.planning.changes import Case, Change
from archcost.planning.images import has_image, side
from archcost.planning.search import largest
from archcost.planning.trials import Trial, Trials
from archcost.spec import ModelSpec


class Smaller(NamedTuple):
    """What can be smaller, and how large it is as declared."""

    what: Literal["side", "sequence"]
    declared: int

    def altered(self, case: Case, value: int) -> Case:
        return case._replace(altered=case.altered._replace(**{self.what: value}))

    def change(self, value: int) -> Change:
        what = f"images of {value:,} × {value:,}" if self.what == "side" else f"a sequence of {value:,}"
        return Change(what, "task")


def smaller(spec: ModelSpec) -> Smaller | None:
    if has_image(spec):
        return Smaller("side", side(spec))
    length = spec.values.get(spec.sequence_parameter or "")
    return Smaller("sequence", length) if isinstance(length, int) else None


def largest_that_fits(what: Smaller, case: Case, trials: Trials, room: int) -> int:
    """0 where none does."""

    def attempt(value: int) -> Trial:
        found = trials.attempt(what.altered(case, value))
        if found is None:
            raise SpecError("settings that do not suit each other")
        return found

    return largest(what.declared, what.declared, room, attempt).value
