"""Single remedies: one change at a time, each estimated again."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.errors import ArchcostError
from archcost.estimates.floor import exceeds, rests_on_step, stored
from archcost.planning.changes import Option, batch_change, smaller_batches, suit, with_batch
from archcost.planning.options import automatic, free_kinds, paid_kinds
from archcost.planning.price import FREE, placed
from archcost.planning.remedy import Question, Remedy
from archcost.planning.smaller import largest_that_fits


def singles(question: Question) -> list[Remedy]:
    """Those that help, the cheapest first."""
    before = question.trials.attempt(question.start)
    assert before is not None
    found = [each for each in _alone(question) if each.trial.demand.allocated < before.demand.allocated]
    return sorted(found, key=lambda remedy: remedy.cost)


def _alone(question: Question) -> Iterator[Remedy]:
    run, graph = question.start.run, question.graph
    device = question.trials.device
    free, paid = free_kinds(graph, run, device), paid_kinds(graph, run, question.profile, device)
    for options in (*free, *paid, tuple(automatic(graph, run))):
        for option in options:
            if suit([option]) and not _is_in_vain(question, option):
                yield from _option_alone(question, option)
    yield from _fewer_samples(question)
    yield from _smaller_task(question)


def _is_in_vain(question: Question, option: Option) -> bool:
    """Whether it makes the passes smaller alone, while weights are too much and the peak is in the optimizer's step."""
    before = question.trials.attempt(question.start)
    if before is None or not rests_on_step(before.line) or stored(before.line) <= question.room:
        return False
    passes_alone = {"recompute", "in_place"} if len(question.graph.outputs) == 1 else {"recompute"}
    return option.settings.keys() <= passes_alone and not option.altered


def _option_alone(question: Question, option: Option) -> Iterator[Remedy]:
    try:
        case = option.applied(question.start)
    except ArchcostError:
        return
    yield from question.remedy((option.change,), case, placed((option,)))


def _fewer_samples(question: Question) -> Iterator[Remedy]:
    """The largest batch that fits; one sample at a time where none does."""
    sizes = smaller_batches(question.start)
    if not sizes:
        return
    size = sizes[min(question.first_that_fits(question.start, sizes), len(sizes) - 1)]
    change = batch_change(question.start, size, question.normalised)
    few = FREE._replace(training=int(change.price == "training"))
    yield from question.remedy((change,), with_batch(question.start, size), few)


def _smaller_task(question: Question) -> Iterator[Remedy]:
    what, start = question.smaller, question.start
    if (
        what
        and what.what == "sequence"
        and exceeds(question.trials.floor(start), start.run, question.profile, question.room)
    ):
        return  # which has as many weights
    value = what and largest_that_fits(what, question.start, question.trials, question.room)
    if what and value:
        yield from question.remedy((what.change(value),), what.altered(question.start, value), FREE._replace(task=1))
