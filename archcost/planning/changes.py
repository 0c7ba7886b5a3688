"""What can be changed so that a step takes less, and what each change costs.

The order of costs: free < FLOPs < arithmetic < transfers < training < adaptation < task. Free changes neither results
nor FLOPs; FLOPs are work done twice; changed arithmetic rounds differently; transfers go to the host and back in every
step; changed training is another algorithm; adaptation trains few weights, or others; a changed task is another
network. Where two changes of one kind meet, the one that stands first in its list (planning/options.py) is the cheaper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isqrt
from typing import Any, Literal, NamedTuple

from archcost.graph import ModelGraph
from archcost.layers.normalization.norms import BatchNorm
from archcost.passes.run import Run

Price = Literal["free", "FLOPs", "arithmetic", "transfers", "training", "adaptation", "task"]


class Altered(NamedTuple):
    """What is other in the network itself; None is as declared. `side` is that of the image; `freeze`, `train`, `adapt`
    and `weights` come beside what it has of them.
    """

    side: int | None = None
    sequence: int | None = None
    loss: str | None = None
    freeze: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    adapt: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    @property
    def is_smaller(self) -> bool:
        """Whether the task is another."""
        return self.side is not None or self.sequence is not None

    def to_dict(self) -> dict[str, Any]:
        lists = {"freeze": self.freeze, "train": self.train, "adapt": self.adapt, "weights": self.weights}
        alone = {"side": self.side, "sequence": self.sequence, "loss": self.loss}
        return {**alone, **{name: list(words) for name, words in lists.items()}}


AS_DECLARED = Altered()


class Case(NamedTuple):
    """What is run: a network, altered or not, on so many samples at a time."""

    altered: Altered
    batch: int
    run: Run


class Change(NamedTuple):
    """A change to a run or a network, in words, with its cost; `note` says more about the cost."""

    what: str
    price: Price
    note: str = ""


class Option(NamedTuple):
    """A change of settings, or of the network, and its place in the list of its kind.

    `of_frozen`: of weights that do not train, so that training first has to freeze them.
    """

    change: Change
    place: int
    settings: Mapping[str, Any] = {}
    altered: Mapping[str, Any] = {}
    of_frozen: bool = False

    def applied(self, case: Case) -> Case:
        """Raises ArchcostError for settings that do not suit each other."""
        run = replace(case.run, **self.settings) if self.settings else case.run
        return case._replace(run=run, altered=case.altered._replace(**self.altered))


def suit(options: Sequence[Option]) -> bool:
    """Whether what is of frozen weights has some."""
    freezes = any(option.altered.keys() & {"freeze", "adapt"} for option in options)
    return freezes or not any(option.of_frozen for option in options)


def applied(options: Sequence[Option], case: Case) -> Case:
    """One after the other. Raises ArchcostError."""
    for option in options:
        case = option.applied(case)
    return case


def smaller_batches(case: Case) -> list[int]:
    """Divisors of the batch, the largest first, without itself; none where each backward is a step."""
    if case.run.optimizer_in_backward:
        return []
    root = isqrt(case.batch)
    small = [each for each in range(1, root + 1) if case.batch % each == 0]
    return sorted({*small, *(case.batch // each for each in small)} - {case.batch}, reverse=True)


def with_batch(case: Case, batch: int) -> Case:
    """The case with its samples in passes of `batch`, which must divide them; in training with accumulation."""
    passes = case.batch // batch
    run = replace(case.run, accumulation=case.run.accumulation * passes) if case.run.trains else case.run
    return case._replace(batch=batch, run=run)


def batch_change(case: Case, batch: int, normalised: Sequence[str]) -> Change:
    """`normalised` are the layers whose statistics are those of the batch."""
    passes, samples = f"{case.batch // batch:,}", f"{batch:,} sample" + "s" * (batch > 1)
    if not case.run.trains:
        return Change(f"{passes} passes of {samples}", "free")
    what = f"{passes} batches of {samples} a step"
    if not normalised:
        return Change(what, "free")
    return Change(what, "training", f"{normalised[0]} takes its statistics of {samples}")


def batch_norms(graph: ModelGraph, run: Run) -> tuple[str, ...]:
    """Layers that take their statistics of the batch."""
    if not run.trains:
        return ()
    layers = ((node.name, node.layer) for node in graph.nodes)
    return tuple([name for name, layer in layers if isinstance(layer, BatchNorm) and layer.training])
