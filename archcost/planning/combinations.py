"""The cheapest combinations of changes with which a step fits, one for each way of paying.

A way is the dearest price that is paid. Within a way combinations hold at most one change of a kind, and are tried from
the cheapest on. One is passed over when weights, gradients and optimizer state alone are too much, and when it does not
fit with every free change and the smallest batches, so it is taken for granted that neither makes a step larger; a way
is, when the combination of it that keeps least does not fit. Checkpoints are searched for (`recompute: auto`) in place
of those of the combination found.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple

from archcost.errors import ArchcostError
from archcost.estimates.floor import exceeds
from archcost.files.stage import tell_stage
from archcost.planning.changes import (
    Case,
    Change,
    Option,
    Price,
    applied,
    batch_change,
    smaller_batches,
    suit,
    with_batch,
)
from archcost.planning.options import automatic, free_kinds, paid_kinds
from archcost.planning.price import Cost, placed
from archcost.planning.remedy import Question, Remedy
from archcost.planning.smaller import largest_that_fits

WAYS: Mapping[Price, tuple[Price, ...]] = {
    "free": (),
    "FLOPs": ("FLOPs",),
    "arithmetic": ("FLOPs", "arithmetic"),
    "transfers": ("FLOPs", "arithmetic", "transfers"),
    "training": ("FLOPs", "arithmetic", "training"),
    "adaptation": ("FLOPs", "arithmetic", "adaptation"),
    "task": ("FLOPs", "arithmetic", "training", "adaptation"),
}
"""By the dearest price, what else may be paid. Who changes the training is spared the transfers."""

ENOUGH: tuple[Price, ...] = ("free", "FLOPs", "arithmetic")
"""Where one of these is enough, no dearer way is looked for."""

CLOSE = 0.995
"""Of the least that was reached: where nothing takes less than that share of it, nothing more is tried."""


class Paid(NamedTuple):
    """Changes that cost something, at most one of a kind. `few`: batch norms may see fewer samples."""

    smaller: bool
    few: bool
    options: tuple[Option, ...]
    cost: Cost

    @property
    def changes(self) -> tuple[bool, bool, tuple[Change, ...]]:
        return self.smaller, self.few, tuple([option.change for option in self.options])

    @property
    def group(self) -> tuple[bool, bool, tuple[Change, ...]]:
        """All but what is recomputed."""
        others = tuple([option.change for option in self.options if option.change.price != "FLOPs"])
        return self.smaller, self.few, others


class Strongest(NamedTuple):
    """All free changes that suit, and the largest value of what is smaller (0: as declared) with which a step fits."""

    free: tuple[Option, ...]
    value: int


class Combinations:
    """Of one question, whose singles have been tried."""

    def __init__(self, question: Question, shares: Mapping[str, float]) -> None:
        """`shares` are the FLOPs that changes do twice when they are alone, by their words."""
        self.question, self.shares = question, shares
        self.trials = question.trials
        run, graph = question.start.run, question.graph
        self.kinds = paid_kinds(graph, run, question.profile, self.trials.device)
        self._tried: dict[tuple[object, ...], Strongest | None] = {}

    def ways(self) -> list[Remedy]:
        """The cheapest of each way that leads to a step that fits, the cheapest way first."""
        found: list[Remedy] = []
        for price in WAYS:
            if found and (found[0].cost.price in ENOUGH or price == "task"):
                break
            tell_stage(f"changes of {price}")
            fitting = [remedy for remedy in self._cheapest(price) if remedy.fits]
            found += sorted(fitting, key=lambda remedy: remedy.cost)[:1]
        return found

    def try_leanest(self) -> None:
        """Of what keeps least, a sample at a time, until one is close to that: the least that can be reached."""
        found = [(floor, paid) for paid in self._all if not paid.smaller and (floor := self._floor(paid)) is not None]
        lowest = min([floor for floor, _ in found], default=0)
        leanest = [paid for floor, paid in found if floor == lowest]
        for paid in sorted(leanest, key=lambda paid: -len(paid.options)):
            self._strongest(paid)
            least = self.trials.least
            if least is not None and lowest >= CLOSE * least.demand.allocated:
                break

    @cached_property
    def _all(self) -> tuple[Paid, ...]:
        """Every choice of what costs something."""
        question = self.question
        fewer = (False, True) if question.normalised and question.start.batch > 1 else (False,)
        smaller = (False, True) if question.smaller else (False,)
        choices = [
            self._paid(small, few, [option for option in chosen if option is not None])
            for chosen in product(*[(None, *kind) for kind in self.kinds])
            if suit([option for option in chosen if option])
            for small, few in product(smaller, fewer)
        ]
        return tuple(sorted(choices, key=lambda paid: paid.cost))

    def _paid(self, small: bool, few: bool, options: Sequence[Option]) -> Paid:
        known = placed(options)
        flops = sum([self.shares.get(option.change.what, 0.0) for option in options])
        cost = known._replace(task=int(small), training=known.training + few, flops=flops)
        return Paid(small, few, tuple(options), cost)

    def _cheapest(self, price: Price) -> Iterator[Remedy]:
        found = [paid for paid in self._all if self._is_of(paid, price) and not self._is_hopeless(paid)]
        if not found:
            return
        groups: dict[object, list[Paid]] = {}
        for paid in found:
            groups.setdefault(paid.group, []).append(paid)
        first, *others = groups.values()
        if not self._may_fit(first):
            leanest = min(found, key=lambda paid: self._floor(paid) or 0).group
            lean = groups[leanest]
            first = next((each for each in others if self._may_fit(lean) and self._may_fit(each)), lean)
        for paid in first:
            if (strongest := self._strongest(paid)) is not None:
                yield from self._eased(paid, strongest)
                return

    def _may_fit(self, group: Sequence[Paid]) -> bool:
        """Whether a step fits with some checkpoints, or else without."""
        recomputing = sorted(group, key=lambda paid: len(paid.options), reverse=True)  # which keeps their order
        return any(self._strongest(paid) is not None for paid in recomputing)

    def _is_of(self, paid: Paid, price: Price) -> bool:
        return paid.cost.price == price and {option.change.price for option in paid.options} <= {*WAYS[price]}

    def _is_hopeless(self, paid: Paid) -> bool:
        """What stays whatever the batch and the checkpoints is too much, or the settings do not suit each other."""
        case, floor = self._case(paid), self._floor(paid)
        if case is None:
            return True
        return floor is not None and exceeds(floor, case.run, self.question.profile, self.question.room)

    def _floor(self, paid: Paid) -> int | None:
        """None of a smaller image, which may have fewer weights, and where the settings do not suit each other."""
        smaller = self.question.smaller
        case = None if paid.smaller and smaller and smaller.what == "side" else self._case(paid)
        return case and self.trials.floor(case)

    def _case(self, paid: Paid, free: Sequence[Option] = (), batch: int | None = None, value: int = 0) -> Case | None:
        """With those options, so many samples at a time, and that value of what is smaller. None where the settings do
        not suit each other.
        """
        start, smaller = self.question.start, self.question.smaller
        try:
            case = with_batch(applied((*free, *paid.options), start), batch or start.batch)
            self.trials.graph(case.altered, case.batch)  # refuses what is no network
        except ArchcostError:
            return None
        return smaller.altered(case, value) if smaller and value else case

    def _strongest(self, paid: Paid) -> Strongest | None:
        if paid.changes not in self._tried:
            self._tried[paid.changes] = self._with_all_free(paid)
        return self._tried[paid.changes]

    def _with_all_free(self, paid: Paid) -> Strongest | None:
        """With every free change that suits, and the largest image; None where none of the batches fits then.

        They are the smallest and the next: kernels of a CPU may need more for a single sample.
        """
        smaller, sizes = self.question.smaller, self._sizes(paid)
        for free in self._choices_of_free:
            cases = [case for size in sizes[-2:] if (case := self._case(paid, free, size))]
            if not cases or self.trials.attempt(cases[-1]) is None:
                continue
            if paid.smaller and smaller:
                value = largest_that_fits(smaller, cases[-1], self.trials, self.question.room)
                return Strongest(free, value) if value else None
            return Strongest(free, 0) if any(map(self.trials.fits, reversed(cases))) else None
        return None

    @cached_property
    def _choices_of_free(self) -> list[tuple[Option, ...]]:
        """Most first, and of as many those whose options stand first."""
        question = self.question
        kinds = free_kinds(question.graph, question.start.run, self.trials.device)
        choices = [tuple([each for each in chosen if each]) for chosen in product(*[(*kind, None) for kind in kinds])]
        return sorted(choices, key=lambda chosen: (-len(chosen), sum([option.place for option in chosen])))

    def _sizes(self, paid: Paid) -> list[int]:
        """Batches that may be run at a time, the largest first."""
        question = self.question
        fewer = smaller_batches(question.start) if paid.few or not question.normalised else ()
        return [question.start.batch, *fewer]

    def _eased(self, paid: Paid, strongest: Strongest) -> Iterator[Remedy]:
        """With the fewest passes, and none of the free changes that can be left out; the same with the checkpoints
        searched for, where it has any.
        """
        free, value = strongest
        sizes = self._sizes(paid)

        def fits(size: int, free: Sequence[Option]) -> bool:
            case = self._case(paid, free, size, value)
            return case is not None and self.trials.fits(case)

        first = bisect_left(range(len(sizes)), True, key=lambda index: fits(sizes[index], free))
        size = sizes[min(first, len(sizes) - 1)]
        if fits(size, ()):
            free = ()
        for option in free:
            fewer = tuple([each for each in free if each != option])
            free = fewer if fits(size, fewer) else free
        case = self._case(paid, free, size, value)
        if case is None:
            return
        changes = [option.change for option in (*free, *paid.options)]
        if size != self.question.start.batch:
            changes.append(batch_change(self.question.start, size, self.question.normalised))
        if self.question.smaller and value:
            changes.append(self.question.smaller.change(value))
        yield from self.question.remedy(tuple(changes), case, paid.cost)
        for option in automatic(self.question.graph, self.question.start.run):
            searched = tuple([option.change if change.price == "FLOPs" else change for change in changes])
            if searched != tuple(changes):
                yield from self.question.remedy(searched, option.applied(case), paid.cost)
