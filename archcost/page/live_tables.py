"""Tables of the live model: what archcostLive looks up, each equal thing once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from archcost.costs.optimizer_kernels import optimizer_kernels
from archcost.errors import ArchcostError
from archcost.estimates.batches import threads_of
from archcost.estimates.devices import caches, torch_device
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.page.live_steps import Graphs, LiveOptimizer, LiveStep, Needs, largest
from archcost.page.live_times import Kernels, device_time, optimizer_rows
from archcost.passes.optimizer import method
from archcost.passes.run import Run
from archcost.sweeps.curves import Moment, Passes, Update
from archcost.terms.autograd import Device
from archcost.times.choose import Chosen, choose

NOTHING = Update(0, "", {})


class _Words(NamedTuple):
    """What a step is looked up by, but for its optimizer; the network by its number."""

    network: int
    device: Device
    mode: str
    precision: str
    recompute: str


class Tables:
    """The tables, as they are filled: what is equal stands in them once."""

    def __init__(
        self, run: Run, devices: Sequence[HardwareProfile], engine: str | None, calibration: Calibration | None
    ) -> None:
        self.run, self.devices, self.engine, self.calibration = run, devices, engine, calibration
        self.kernels = Kernels()
        self.steps: list[dict[str, Any]] = []
        self.places: dict[LiveStep, int] = {}
        self.optimizers: dict[str, tuple[int, dict[str, Any]]] = {}
        self.times: dict[str, tuple[int, dict[str, Any]]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.chosen: dict[tuple[int, str, str], Chosen] = {}
        self.timed: dict[tuple[object, ...], int] = {}

    def tables(self) -> dict[str, Any]:
        return {
            **self.kernels.tables(),
            "devices": [
                {
                    "device": torch_device(profile),
                    "threads": _threads(profile),
                    "library": 0 if profile.workspace is None else int(profile.workspace.amount),
                    "caches": caches(profile),
                    "flash": None if profile.flash is None else int(profile.flash.amount),
                }
                for profile in self.devices
            ],
            "samples": self.run.accumulation,
            "times": [each for _, each in self.times.values()],
            "optimizers": [each for _, each in self.optimizers.values()],
            "steps": self.steps,
            "runs": self.runs,
        }

    def add(self, number: int, graphs: Graphs, words: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """All runs of a network; what the page may read of it."""
        spec = graphs.spec
        torch_devices: list[Device] = [torch_device(profile) for profile in self.devices]
        for device in dict.fromkeys(torch_devices):
            for mode in words["mode"]:
                for precision in words["precision"]:
                    first: LiveStep | None = None
                    for recompute in words["recompute"] if mode == "train" else ("",):
                        these = _Words(number, device, mode, precision, recompute)
                        first = self._runs_of(graphs, these, words["optimizer"], first) or first
        return {
            "name": graphs.at(1).name,
            "title": spec.title or spec.name,
            "batch": {"least": 1, "most": graphs.most},
            "unknown": list(graphs.at(1).unknown),
        }

    def _runs_of(
        self, graphs: Graphs, words: _Words, optimizers: Sequence[str], like: LiveStep | None
    ) -> LiveStep | None:
        """Of those words with every optimizer: one step, where passes are apart from it, which is returned."""
        shared: LiveStep | None = None
        for optimizer in optimizers if words.mode == "train" else ("",):
            key = "|".join(map(str, (*words, optimizer)))
            settings = {"mode": words.mode, "precision": words.precision}
            if words.mode == "train":
                settings |= {"recompute": words.recompute, "optimizer": optimizer}
            try:
                run = replace(self.run, **settings)
                _require_still(run)
                if not self._multiplies_in(run, words.device):
                    self.runs[key] = {"no_rate": run.matmul_dtype}
                    continue
                if run.trains and run.has_passes_apart:
                    shared = shared or LiveStep(graphs, replace(run, optimizer="none"), words.device, like)
                    step, own = shared, shared.optimizer(run)
                else:
                    step = LiveStep(graphs, run, words.device)
                    own = LiveOptimizer(NOTHING, tuple(optimizer_kernels(step.one)))
                self.runs[key] = self._run(step, run, own)
            except ArchcostError as error:
                self.runs[key] = {"refused": _sentence(error)}
        return shared

    def _multiplies_in(self, run: Run, device: Device) -> bool:
        """Whether some device of the page has a rate for the run's precision, or that is what was asked for."""
        rates = [profile.rates.known() for profile in self.devices if torch_device(profile) == device]
        return run.precision == self.run.precision or any(run.matmul_dtype in known for known in rates)

    def _run(self, step: LiveStep, run: Run, own: LiveOptimizer) -> dict[str, Any]:
        rows = optimizer_rows(own.kernels, self.kernels)
        optimizer = {
            "state": own.update.state,
            "name": f"optimizer {own.update.name}".strip(),
            "burst": dict(own.update.burst),
            "kernels": rows,
        }
        if step not in self.places:
            self.places[step] = len(self.steps)
            self.steps.append(_step(step))
        here = [place for place, profile in enumerate(self.devices) if torch_device(profile) == step.device]
        return {
            "step": self.places[step],
            "optimizer": _place(self.optimizers, optimizer),
            "on": {place: self._on(place, step, run, own, rows[::2]) for place in here},
        }

    def _chosen(self, profile: HardwareProfile, run: Run) -> Chosen:
        """A calibration that was given answers for its own device, and for whatever stands alone."""
        given = self.calibration
        is_its = given is not None and (len(self.devices) == 1 or given.device == profile.name)
        return choose(profile, run, self.engine, given if is_its else None)

    def _on(
        self, place: int, step: LiveStep, run: Run, own: LiveOptimizer, rows: Sequence[int]
    ) -> list[int | str | None] | str:
        """Of one device the place of its time, by which of the step's kernels that is, and the two largest batches; or
        a sentence that says why there is no answer.
        """
        profile, told = self.devices[place], self.steps[self.places[step]]
        key = (place, run.mode, run.precision)
        try:
            chosen = self.chosen.get(key) or self._chosen(profile, run)
        except ArchcostError as error:
            return _sentence(error)
        self.chosen[key] = chosen
        touches = chosen.calibration is not None and chosen.calibration.first_touch is not None
        fuses = step.fused(chosen.fuses)
        word = ",".join([*fuses, *(["first touch"] if touches else [])])
        if word not in told["kernels"]:
            told["kernels"][word] = step.kernels(fuses, self.kernels, touches)
        threads = threads_of(profile)
        if _threads(profile) not in told["needs"]:
            told["needs"][_threads(profile)] = _needs(step.needs_of(threads))
        classes = frozenset([self.kernels.class_of[row] for row in (*rows, *_rows(told["kernels"][word]))])
        timed = (*key, run.optimizer, classes)
        if timed not in self.timed:
            time = device_time(classes, run, profile, chosen, self.kernels)
            self.timed[timed] = _place(self.times, time)
        return [self.timed[timed], word, *largest(step, run, own.update, profile, self.run)]


def _threads(profile: HardwareProfile) -> str:
    """Of a CPU's kernels, in a word: none where they allocate nothing for themselves."""
    threads = threads_of(profile)
    return "none" if threads is None else str(threads)


def _place(table: dict[str, tuple[int, dict[str, Any]]], each: dict[str, Any]) -> int:
    """Where it stands in a table; at the end, where it is new."""
    return table.setdefault(json.dumps(each), (len(table), each))[0]


def _rows(kernels: Mapping[str, Any]) -> Iterator[int]:
    for step in (kernels["lines"], *kernels["at"].values()):
        for flat in step["kernels"] if step else ():
            yield from flat[::2]


def _step(step: LiveStep) -> dict[str, Any]:
    return {
        "trains": step.run.trains,
        "products": step.products,
        "stored": step.stored,
        "lines": step.passes and _passes(step.passes),
        "at": {batch: _passes(each) for batch, each in step.passes_at.items()},
        "needs": {},
        "kernels": {},
    }


def _passes(passes: Passes) -> dict[str, Any]:
    return {"moments": [_moment(each) for each in passes.moments], "left": _moment(passes.left)}


def _moment(moment: Moment) -> list[Any]:
    """Base and slope of its bytes, its name, and those of each role."""
    return [*moment.bytes, f"{moment.phase} {moment.name}".strip(), dict(moment.roles)]


def _needs(needs: Needs) -> dict[str, Any]:
    curve = needs.curve
    return {
        "lines": curve and [list(line) for line in curve.lines],
        "last": curve and curve.last,
        "left": list(needs.left),
        "at": {batch: [value, needs.left_at.get(batch)] for batch, value in needs.at.items()},
    }


def _require_still(run: Run) -> None:
    """Raises ArchcostError where tensors move between a card and its host, or checkpoints are searched for, at each
    batch others.
    """
    if run.trains and run.recompute == "auto":
        raise ArchcostError("recompute: auto is a search of its own at each batch: archcost estimate has it")
    if run.offloaded or "paged" in method(run.optimizer).options:
        raise ArchcostError("what moves between card and host is not worked out on the page: archcost estimate has it")


def _sentence(error: ArchcostError) -> str:
    """An error in one line."""
    head = ": ".join([part for part in (error.layer, error.problem) if part])
    more = [f"{word} {text}" for word, text in (("expected", error.expected), ("found", error.found)) if text]
    return "; ".join([head, *more])
