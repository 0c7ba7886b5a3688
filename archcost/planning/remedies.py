"""What to change so that a step safely fits a device: single remedies, and the cheapest combinations.

Every remedy is re-estimated in full. They are ranked by cost (planning/changes.py has the order): a change of the task
costs more than any adaptation, that more than any of training, and so on down to what is free; among equals fewer
passes, then fewer changes, are cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archcost.files.garbage import without_collections
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.changes import Price
from archcost.planning.combinations import ENOUGH, Combinations
from archcost.planning.remedy import Question, Remedy
from archcost.planning.singles import singles
from archcost.planning.trials import Trial
from archcost.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Remedies:
    """Single remedies that help, the cheapest first, and combinations that fit: the cheapest, and of dearer ways of
    paying the cheapest of each.

    `least` is the least that any combination needs on inputs as declared, where none fits.
    """

    singles: tuple[Remedy, ...]
    ways: tuple[Remedy, ...]
    least: Trial | None

    @property
    def cheapest(self) -> Remedy | None:
        return min(self.ways, key=lambda remedy: remedy.cost, default=None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "single": [remedy.to_dict() for remedy in self.singles],
            "cheapest": self.cheapest and self.cheapest.to_dict(),
            "ways": [remedy.to_dict() for remedy in self.ways],
            "least_bytes": self.least and self.least.demand.allocated,
            "least_by_role": self.least and self.least.line.by_role,
        }


def remedies(spec: ModelSpec, batch: int, run: Run, profile: HardwareProfile, known: Trial | None = None) -> Remedies:
    """For a step that does not fit safely, `known` where it was tried. Raises ArchcostError for what cannot be run."""
    with without_collections():  # hundreds of thousands of small values are kept until the end
        question = Question(spec, batch, run, profile, known)
        alone = singles(question)
        combinations = Combinations(question, {each.changes[0].what: each.cost.flops for each in alone})
        ways = _cheaper(combinations.ways(), [remedy for remedy in alone if remedy.fits])
        if not ways:
            combinations.try_leanest()
    return Remedies(tuple(alone), tuple(ways), None if ways else question.trials.least)


def _cheaper(ways: list[Remedy], alone: list[Remedy]) -> list[Remedy]:
    """Of each way the cheapest, up to the first that is enough; a single change may be cheaper than the combination
    that was found.
    """
    found: dict[Price, Remedy] = {}
    for remedy in sorted((*ways, *alone), key=lambda remedy: remedy.cost):
        found.setdefault(remedy.cost.price, remedy)
    enough = next((place for place, price in enumerate(found, 1) if price in ENOUGH), len(found))
    return list(found.values())[:enough]
