"""`verify --measure --calibration`: seconds of real steps beside the estimate, on the threads of the calibration."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from archcost import hardware
from archcost.costs.kernels import kernels
from archcost.costs.timeline import Timeline
from archcost.hardware.calibration import Calibration
from archcost.pytorch.checks import TORCH, TOTAL, Check
from archcost.pytorch.machine import here, threads
from archcost.pytorch.timing import Bench
from archcost.pytorch.training import Training, step
from archcost.times.choose import choose
from archcost.times.operators import measured
from archcost.times.result import StepTime
from archcost.times.step import step_time

QUANTITY = "step_seconds"
UNCOUNTED, STEPS = 2, 8

PHASES_BAND = 2.0
"""Times that of the whole step: parts of it are further off, to both sides."""

ANY = {"cpu": "generic-desktop-cpu", "cuda": "nvidia-rtx-4090"}
"""A device of the kind, where the calibration's own has no profile: no figure of it is used."""


def check_time(line: Timeline, training: Training, calibration: Calibration, device: str) -> Iterator[Check]:
    """The whole step and its phases. Raises ArchcostError for a calibration of another kind of run."""
    by = f"clock of {TORCH} on {device}"
    with threads(calibration.threads):
        predicted = _predicted(line, calibration)
        reason = _why_not_comparable(line, calibration, device)
        if reason is not None:
            yield Check(QUANTITY, TOTAL, predicted.typical, None, by, None, reason)
            return
        took = _measured_phases(training, Bench(device))
    low, high = (edge / predicted.typical for edge in predicted.band)
    yield _check_within(TOTAL, predicted.typical, sum(took.values()), by, low, high)
    if line.run.optimizer_in_backward:  # whose seconds are backward's
        return
    for name, seconds in took.items():
        ours = next(phase.seconds for phase in predicted.phases if phase.name == name)
        yield _check_within(name, ours or 0.0, seconds, by, low / PHASES_BAND, high * PHASES_BAND)


def _predicted(line: Timeline, calibration: Calibration) -> StepTime:
    known = calibration.device in hardware.names()
    profile = hardware.load(calibration.device if known else ANY[line.device])
    chosen = choose(profile, line.run, None, calibration.model_copy(update={"device": profile.name})).calibration
    found = step_time(kernels(line), line.run, profile, line.graph.batch, chosen, (), measured(line, chosen))
    assert found is not None
    return found


def _why_not_comparable(line: Timeline, calibration: Calibration, device: str) -> str | None:
    machine = here(device, line.run.precision)
    made = (calibration.processor, calibration.version)
    found = (machine.processor, f"torch {machine.torch}")
    return None if made == found else f"the calibration was made on {made[0]} with {made[1]}, and this is {found[0]}"


def _measured_phases(training: Training, bench: Bench) -> dict[str, float]:
    """Seconds by phase: the median of the faster half of the steps."""
    found: dict[str, list[float]] = {}
    for turn in range(UNCOUNTED + STEPS):
        for name, seconds in bench.phases(lambda begins: step(training, begins)).items():
            if turn >= UNCOUNTED:
                found.setdefault(name, []).append(seconds)
    return {name: median(sorted(each)[: (len(each) + 1) // 2]) for name, each in found.items()}


def _check_within(scope: str, ours: float, theirs: float, by: str, low: float, high: float) -> Check:
    off = ours / theirs - 1 if theirs else float("inf")
    inside = low * ours <= theirs <= high * ours
    text = f"{off:+.1%}, of {low * ours / theirs - 1:+.0%} to {high * ours / theirs - 1:+.0%}" if theirs else None
    return Check(QUANTITY, scope, ours, theirs, by, inside, text)
