"""What to change so that a step safely fits a device: single remedies, and the cheapest combination.

Every remedy is re-estimated in full. They are ranked by cost (planning/changes.py has the order): a change of the task
costs more than any of training, that more than any of arithmetic, that more than any FLOPs, and those more than what
is free; among equals fewer passes, then fewer changes, are cheaper.

Combinations hold at most one change of a kind and are tried from the cheapest on. One is passed over when weights,
gradients and optimizer state alone are too much, and when it does not fit with every free change and the smallest
batches, so it is taken for granted that neither makes a step larger.
Checkpoints are searched for (`recompute: auto`) by themselves, and again in place of those of the combination found.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

from archcost.errors import ArchcostError, SpecError
from archcost.estimates.floor import exceeds, rests_on_step, stored
from archcost.estimates.verdict import limits
from archcost.files.stage import tell_stage
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.changes import (
    Case,
    Change,
    Option,
    Price,
    automatic,
    batch_change,
    batch_norms,
    implementations,
    in_place,
    modes,
    optimizers,
    precisions,
    recomputations,
    smaller_batches,
    with_batch,
)
from archcost.planning.images import has_image, side
from archcost.planning.search import largest
from archcost.planning.trials import Trial, Trials
from archcost.spec import ModelSpec

CLOSE = 0.995
"""Of the least that was reached: where nothing takes less than that share of it, nothing more is tried."""


class Cost(NamedTuple):
    """Compared from the left: the first place in which two costs differ decides."""

    task: int
    training: int
    """Place of the optimizer in its list, behind batch norms that see fewer samples."""
    arithmetic: int
    flops: float
    """Done twice, as a share of forward and backward."""
    passes: int
    changes: int

    @property
    def price(self) -> Price:
        """The dearest of its parts."""
        if self.task:
            return "task"
        if self.training:
            return "training"
        if self.arithmetic:
            return "arithmetic"
        return "FLOPs" if self.flops else "free"


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

    def to_dict(self) -> dict[str, Any]:
        run, demand = self.case.run, self.trial.demand
        return {
            "changes": [change.what for change in self.changes],
            "notes": [change.note for change in self.changes if change.note],
            "price": self.cost.price,
            "recomputed_share": self.cost.flops,
            "peak_bytes": self.trial.line.peak,
            "allocated_bytes": demand.allocated,
            "reserved_bytes": demand.reserved,
            "fits": demand.verdict != "does not fit",
            "verdict": demand.verdict,
            "batch": self.case.batch,
            "side": self.case.side,
            "mode": run.mode,
            "precision": run.precision,
            "optimizer": run.optimizer,
            "optimizer_impl": run.optimizer_impl,
            "accumulation": run.accumulation,
            "recompute": run.recompute,
            "in_place": run.in_place,
            "checkpoints": [list(names) for names in self.trial.line.segments],
        }


@dataclass(frozen=True, slots=True)
class Remedies:
    """Single remedies that help, the cheapest first; the cheapest combination that fits, or None.

    `least` is the least that any combination needs on images as declared, where none fits.
    """

    singles: tuple[Remedy, ...]
    cheapest: Remedy | None
    least: Trial | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "single": [remedy.to_dict() for remedy in self.singles],
            "cheapest": self.cheapest and self.cheapest.to_dict(),
            "least_bytes": self.least and self.least.demand.allocated,
            "least_by_role": self.least and self.least.line.by_role,
        }


def remedies(spec: ModelSpec, batch: int, run: Run, profile: HardwareProfile, known: Trial | None = None) -> Remedies:
    """For a step that does not fit safely, `known` where it was tried. Raises ArchcostError for what cannot be run."""
    finder = _Finder(spec, batch, run, profile, known)
    cheapest = finder.cheapest()
    return Remedies(tuple(finder.singles), cheapest, None if cheapest else finder.trials.least)


class _Paid(NamedTuple):
    """Changes that cost something, at most one of a kind. `few`: batch norms may see fewer samples."""

    smaller: bool
    few: bool
    options: tuple[Option, ...]
    cost: Cost


class _Finder:
    def __init__(self, spec: ModelSpec, batch: int, run: Run, profile: HardwareProfile, known: Trial | None) -> None:
        self.spec, self.profile = spec, profile
        self.room = limits(profile).safe
        self.start = Case(None, batch, run)
        self.trials = Trials(spec, profile)
        if known is not None:
            self.trials.start(self.start, known)
        self.graph = self.trials.graph(None, batch)
        self.normalised = batch_norms(self.graph, run)

    # Single remedies

    @cached_property
    def singles(self) -> list[Remedy]:
        before = self.trials.attempt(self.start)
        assert before is not None
        found = [remedy for remedy in self._alone() if remedy.trial.demand.allocated < before.demand.allocated]
        return sorted(found, key=lambda remedy: remedy.cost)

    def _alone(self) -> Iterator[Remedy]:
        before = self.trials.attempt(self.start)
        searched = tuple(automatic(self.graph, self.start.run))
        in_vain = before is not None and rests_on_step(before.line) and stored(before.line) > self.room
        passes_alone = {"recompute", "in_place"} if len(self.graph.outputs) == 1 else {"recompute"}
        for options in (*self._free(self.start.run), *self._kinds, searched):
            for option in options:
                if in_vain and option.settings.keys() <= passes_alone:
                    continue
                case = self.start._replace(run=option.applied(self.start.run))
                yield from self._remedy((option.change,), case, self._places((option,)))
        yield from self._fewer_samples()
        yield from self._smaller_image()

    def _fewer_samples(self) -> Iterator[Remedy]:
        """The largest batch that fits; one sample at a time where none does."""
        sizes = smaller_batches(self.start)
        if not sizes:
            return
        size = sizes[min(self._first_that_fits(self.start, sizes), len(sizes) - 1)]
        change = batch_change(self.start, size, self.normalised)
        few = Cost(0, 1 if change.price == "training" else 0, 0, 0.0, 0, 0)
        yield from self._remedy((change,), with_batch(self.start, size), few)

    def _smaller_image(self) -> Iterator[Remedy]:
        size = self._largest_side(self.start) if has_image(self.spec) else 0
        if size:
            yield from self._remedy((self._image_change(size),), self.start._replace(side=size), COST._replace(task=1))

    def _image_change(self, size: int) -> Change:
        return Change(f"images of {size:,} × {size:,}", "task")

    def _remedy(self, changes: tuple[Change, ...], case: Case, known: Cost) -> Iterator[Remedy]:
        found = self.trials.attempt(case)
        if found is not None:
            passes = self.start.batch // case.batch
            full = known._replace(flops=self.trials.share_recomputed(case, found), passes=passes, changes=len(changes))
            yield Remedy(changes, case, found, full)

    def _largest_side(self, case: Case) -> int:
        """0 where none fits."""

        def attempt(size: int) -> Trial:
            found = self.trials.attempt(case._replace(side=size))
            if found is None:
                raise SpecError("settings that do not suit each other")
            return found

        most = side(self.spec)
        return largest(most, most, self.room, attempt).value

    def _first_that_fits(self, case: Case, sizes: Sequence[int]) -> int:
        """The index of the largest batch that fits, of batches from the largest on; their number where none does."""
        return bisect_left(range(len(sizes)), True, key=lambda index: self.trials.fits(with_batch(case, sizes[index])))

    # Kinds of changes

    @cached_property
    def _kinds(self) -> tuple[tuple[Option, ...], ...]:
        """What costs something: of each kind the options."""
        run, graph = self.start.run, self.graph
        return (
            tuple(optimizers(run, self.profile, self.trials.device)),
            tuple(precisions(run, self.profile)),
            tuple(recomputations(graph, run)),
        )

    def _free(self, run: Run) -> tuple[tuple[Option, ...], ...]:
        graph = self.graph
        return tuple(in_place(graph, run)), tuple(modes(run)), tuple(implementations(run, self.trials.device))

    def _places(self, options: Sequence[Option]) -> Cost:
        """The part of a cost that lies in options."""
        places = dict.fromkeys(("training", "arithmetic"), 0)
        for option in options:
            if option.change.price in places:
                places[option.change.price] += option.place
        training = places["training"]
        return COST._replace(training=training and training + 1, arithmetic=places["arithmetic"])

    # Combinations

    def cheapest(self) -> Remedy | None:
        combined = next(self._combined(), None)
        found = [remedy for remedy in self.singles if remedy.fits]
        if combined is not None:
            found += [combined, *self._searched(combined)]
        if not found:
            self._try_leanest()
        return min(found, key=lambda remedy: remedy.cost, default=None)

    def _combined(self) -> Iterator[Remedy]:
        """All that fit, the cheapest first."""
        paid = self._paid()
        for number, each in enumerate(paid, 1):
            tell_stage(f"combination {number} of {len(paid)}")
            yield from self._freely(each)

    def _searched(self, remedy: Remedy) -> Iterator[Remedy]:
        """The same with the checkpoints searched for, where it has any."""
        for option in automatic(self.graph, self.start.run):
            changes = tuple([option.change if change.price == "FLOPs" else change for change in remedy.changes])
            if changes != remedy.changes:
                yield from self._remedy(changes, remedy.case._replace(run=option.applied(remedy.case.run)), remedy.cost)

    def _paid(self) -> list[_Paid]:
        """Every choice of what costs something and is not hopeless, the cheapest first. FLOPs are those of the remedy
        alone.
        """
        found = [paid for paid in self._choices if not self._is_hopeless(paid)]
        if not found:
            return []
        shares = {remedy.changes[0]: remedy.cost.flops for remedy in self._alone_recomputed() if remedy.cost.flops}
        flops = [sum([shares.get(option.change, 0.0) for option in paid.options]) for paid in found]
        priced = [paid._replace(cost=paid.cost._replace(flops=own)) for paid, own in zip(found, flops, strict=True)]
        return sorted(priced, key=lambda paid: paid.cost)

    @cached_property
    def _choices(self) -> tuple[_Paid, ...]:
        """Every choice of what costs something, FLOPs left open."""
        choices: list[_Paid] = []
        kinds = [(None, *options) for options in self._kinds]
        fewer = (False, True) if self.normalised and self.start.batch > 1 else (False,)
        smaller = (False, True) if has_image(self.spec) else (False,)
        for small, few, *chosen in product(smaller, fewer, *kinds):
            options = tuple([option for option in chosen if isinstance(option, Option)])
            places = self._places(options)
            full = places._replace(task=int(small is True), training=places.training + (few is True))
            choices.append(_Paid(small is True, few is True, options, full._replace(changes=len(options))))
        return tuple(choices)

    def _is_hopeless(self, paid: _Paid) -> bool:
        """What stays whatever the batch and the checkpoints is too much. A smaller image may have fewer weights."""
        floor = None if paid.smaller else self._floor(paid)
        return floor is not None and exceeds(floor, self._run(paid.options), self.profile, self.room)

    def _floor(self, paid: _Paid) -> int | None:
        """None where the settings do not suit each other."""
        try:
            return self.trials.floor(self.start._replace(run=self._run(paid.options)))
        except SpecError:
            raise
        except ArchcostError:
            return None

    def _run(self, options: Sequence[Option]) -> Run:
        return _applied(options, self.start.run)

    def _try_leanest(self) -> None:
        """Of what was passed over as hopeless that which has the lowest floor, a sample at a time, until one is close
        to it: the least that can be reached.
        """
        found = [(floor, paid) for paid in self._choices if not paid.smaller and (floor := self._floor(paid))]
        lowest = min([floor for floor, _ in found], default=0)
        leanest = [paid for floor, paid in found if floor == lowest]
        for paid in sorted(leanest, key=lambda paid: -len(paid.options)):
            self._strongest(self.start._replace(run=self._run(paid.options)), self._sizes(paid)[-1:], False)
            least = self.trials.least
            if least is not None and lowest >= CLOSE * least.demand.allocated:
                break

    def _alone_recomputed(self) -> Iterator[Remedy]:
        for option in self._kinds[-1]:
            case = self.start._replace(run=option.applied(self.start.run))
            yield from self._remedy((option.change,), case, COST)

    def _freely(self, paid: _Paid) -> Iterator[Remedy]:
        """With the fewest passes, then the fewest free changes, with which it fits."""
        run, sizes = self._run(paid.options), self._sizes(paid)
        strongest = self._strongest(self.start._replace(run=run), sizes[-2:], paid.smaller)
        if strongest is None:
            return
        first = self._first_that_fits(strongest, sizes)
        size = sizes[min(first, len(sizes) - 1)]
        for free in self._choices_of_free(run):
            case = strongest._replace(run=_applied(free, run))
            if self.trials.fits(with_batch(case, size)):
                yield from self._told(paid, free, case, size)
                return

    def _sizes(self, paid: _Paid) -> list[int]:
        """Batches that may be run at a time, the largest first."""
        return [self.start.batch, *(smaller_batches(self.start) if paid.few or not self.normalised else ())]

    def _strongest(self, case: Case, batches: Sequence[int], smaller: bool) -> Case | None:
        """With every free change that suits, and the largest image; None where none of the batches fits then.

        They are the smallest and the next: kernels of a CPU may need more for a single sample.
        """
        for free in sorted(self._choices_of_free(case.run), key=len, reverse=True):
            changed = case._replace(run=_applied(free, case.run))
            few = [with_batch(changed, batch) for batch in batches]
            if self.trials.attempt(few[-1]) is None:
                continue
            if smaller:
                size = self._largest_side(few[-1])
                return changed._replace(side=size) if size else None
            return changed if any(map(self.trials.fits, reversed(few))) else None
        return None

    def _choices_of_free(self, run: Run) -> list[tuple[Option, ...]]:
        """Fewest first, and of as many those whose options stand first."""
        kinds = [(*options, None) for options in self._free(run)]
        choices = [tuple([option for option in chosen if option]) for chosen in product(*kinds)]
        return sorted(choices, key=lambda chosen: (len(chosen), sum([option.place for option in chosen])))

    def _told(self, paid: _Paid, free: Sequence[Option], case: Case, size: int) -> Iterator[Remedy]:
        changes = [option.change for option in (*free, *paid.options)]
        if size != self.start.batch:
            changes.append(batch_change(self.start, size, self.normalised))
        if case.side is not None:
            changes.append(self._image_change(case.side))
        yield from self._remedy(tuple(changes), with_batch(case, size), paid.cost)


COST = Cost(0, 0, 0, 0.0, 1, 0)


def _applied(options: Sequence[Option], run: Run) -> Run:
    for option in options:
        run = option.applied(run)
    return run
