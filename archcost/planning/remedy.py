"""A remedy: changes, and what a re-estimate says of them. What all that look for remedies ask of one step."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from archcost.estimates.verdict import limits
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.changes import AS_DECLARED, Case, Change, batch_norms, with_batch
from archcost.planning.price import Cost
from archcost.planning.smaller import smaller
from archcost.planning.trials import Trial, Trials
from archcost.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Remedy:
    """Changes, what is run then, and what a re-estimate says of it."""

    changes: tuple[Change, ...]
    case: Case
    trial: Trial
    cost: Cost

    @property
    def fits(self) -> bool:
        return self.trial.fits

    @property
    def moved_bytes(self) -> int:
        """Over the link to the host and back, in each step."""
        away = self.trial.line.offloaded
        return 0 if away is None else sum(away.to_host.values()) + sum(away.to_card.values())

    @property
    def host_bytes(self) -> int:
        """That the host has to hold."""
        away = self.trial.line.offloaded
        return 0 if away is None else away.host_bytes

    def to_dict(self) -> dict[str, Any]:
        run, demand = self.case.run, self.trial.demand
        return {
            "changes": [change.what for change in self.changes],
            "notes": [change.note for change in self.changes if change.note],
            "price": self.cost.price,
            "recomputed_share": self.cost.flops,
            "moved_bytes": self.moved_bytes,
            "host_bytes": self.host_bytes,
            "peak_bytes": self.trial.line.peak,
            "allocated_bytes": demand.allocated,
            "reserved_bytes": demand.reserved,
            "fits": demand.verdict != "does not fit",
            "verdict": demand.verdict,
            "batch": self.case.batch,
            **self.case.altered.to_dict(),
            "mode": run.mode,
            "precision": run.precision,
            "optimizer": run.optimizer,
            "optimizer_impl": run.optimizer_impl,
            "optimizer_in_backward": run.optimizer_in_backward,
            "offload": run.offload,
            "accumulation": run.accumulation,
            "recompute": run.recompute,
            "in_place": run.in_place,
            "checkpoints": [list(names) for names in self.trial.line.segments],
        }


class Question:
    """A step that does not fit safely, on a device, and the trials of it so far."""

    def __init__(self, spec: ModelSpec, batch: int, run: Run, profile: HardwareProfile, known: Trial | None) -> None:
        self.profile = profile
        self.room = limits(profile).safe
        self.start = Case(AS_DECLARED, batch, run)
        self.trials = Trials(spec, profile)
        if known is not None:
            self.trials.start(self.start, known)
        self.graph = self.trials.graph(AS_DECLARED, batch)
        self.normalised = batch_norms(self.graph, run)
        self.smaller = smaller(spec)

    def remedy(self, changes: tuple[Change, ...], case: Case, known: Cost) -> Iterator[Remedy]:
        """With what only a trial says of its cost; none where the settings do not suit each other."""
        found = self.trials.attempt(case)
        if found is not None:
            passes = self.start.batch // case.batch
            flops = self.trials.share_recomputed(case, found)
            yield Remedy(changes, case, found, known._replace(flops=flops, passes=passes, changes=len(changes)))

    def first_that_fits(self, case: Case, sizes: Sequence[int]) -> int:
        """The index of the largest batch that fits, of batches from the largest on; their number where none does."""
        fits = self.trials.fits
        return bisect_left(range(len(sizes)), True, key=lambda index: fits(with_batch(case, sizes[index])))
