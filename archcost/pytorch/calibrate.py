"""`archcost hardware calibrate`: how fast this machine is, class by class, and where asked for layer by layer.

Each probe is a layer in a network of its own, so its kernels come about as those of any network. It is timed alone
(`timing`), in rounds over all of them, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

from archcost.costs.kernels import LayerKernels, kernels
from archcost.costs.timeline import timeline
from archcost.graph import ModelGraph
from archcost.graph import build as build_graph
from archcost.hardware.calibration import Calibration, Measured, loads
from archcost.passes.run import Mode, Precision, Run
from archcost.pytorch.build import REFUSALS, require_device
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.machine import Machine, here, kernels_of, threads
from archcost.pytorch.overheads import dispatch, first_touch, optimizers
from archcost.pytorch.probes import probes
from archcost.pytorch.samples import Samples
from archcost.pytorch.timing import Bench
from archcost.terms.autograd import Device
from archcost.times.fitting import Case, fit
from archcost.times.operators import Operator, operators

ROUNDS, REPEATS = 2, 4
"""How often all are timed, and how many calls each then has."""

MODES: tuple[Mode, ...] = ("train", "infer")

TRAINING = Run(optimizer="none")

Tell = Callable[[int, int], None]
"""How many layers are timed, and of how many."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is calibrated. `hardware` is the profile that this machine is; None names it after its processor."""

    output: Path
    device: str = "cpu"
    threads: int | None = None
    quick: bool = False
    precision: Precision = "fp32"
    hardware: str | None = None
    networks: Sequence[ModelGraph] = ()
    """Networks whose layers are timed for themselves."""


class Point(NamedTuple):
    """A probe, and what the formulas say that it runs."""

    operator: Operator
    kernels: LayerKernels


def calibrate(asked: Asked, tell: Tell) -> Calibration:
    """Layers that `output` or the file beside it have are not timed again.

    Raises ArchcostError for a device that is not here.
    """
    require_device(asked.device)
    with threads(asked.threads):
        machine = here(asked.device, asked.precision)
        earlier = _earlier(asked, machine)
        samples = Samples(asked.output, machine)
        probed = {} if earlier else points(asked.quick, _run("train", asked), kernels_of(asked.device))
        wanted = {key: point.operator for key, point in probed.items()}
        known: Mapping[str, Measured] = earlier.operators if earlier else {}
        wanted |= {each.key: each for each in _operators(asked) if each.key not in known}
        bench = Bench(asked.device)
        _time(wanted, samples, bench, 1 if asked.quick else ROUNDS, tell)
        found = samples.measured()
        made = earlier or _calibration(asked, machine, bench, probed, found)
        return made.model_copy(update={"operators": {**known, **_of_networks(asked, found)}})


def _earlier(asked: Asked, machine: Machine) -> Calibration | None:
    """What is there already, where networks are asked for and it was made on this machine."""
    if not asked.networks or not asked.output.is_file() or not asked.output.stat().st_size:
        return None
    found = loads(asked.output.read_text(encoding="utf-8"), str(asked.output))
    same = (found.processor, found.version, found.threads, found.precision) == (
        machine.processor,
        f"torch {machine.torch}",
        machine.threads,
        machine.precision,
    )
    return found if same else None


def points(quick: bool = False, run: Run = TRAINING, device: Device = "cpu") -> dict[str, Point]:
    """The probes, by the keys of their layers."""
    found: dict[str, Point] = {}
    for probe in probes(quick):
        as_run = replace(run, mode="infer") if probe.infers else run
        line = timeline(build_graph(probe.spec(), probe.batch), as_run, device)
        operator = operators(line)["probe"]
        of_layer = next(layer for layer in kernels(line).layers if layer.name == "probe")
        found[operator.key] = Point(operator, of_layer)
    return found


def _operators(asked: Asked) -> Iterator[Operator]:
    """The operators of the networks, in training and inference, for which torch has a module."""
    for graph in asked.networks:
        for mode in MODES:
            found = operators(timeline(graph, _run(mode, asked), kernels_of(asked.device)))
            yield from (each for each in found.values() if each.layer.type in FACTORIES)


def _of_networks(asked: Asked, found: Mapping[str, Measured]) -> dict[str, Measured]:
    return {each.key: found[each.key] for each in _operators(asked) if each.key in found}


def _run(mode: Mode, asked: Asked) -> Run:
    return Run(mode=mode, precision=asked.precision, optimizer="none")


def _time(wanted: Mapping[str, Operator], samples: Samples, bench: Bench, rounds: int, tell: Tell) -> None:
    """What torch does not run by itself (indices that come from another layer) has no time of its own."""
    total = rounds * len(wanted)
    refused: set[str] = set()
    for round_ in range(rounds):
        for index, (key, operator) in enumerate(wanted.items()):
            tell(round_ * len(wanted) + index, total)
            if key in refused or len(samples.rounds.get(key, ())) > round_:
                continue
            try:
                samples.add(key, bench.time(operator, REPEATS))
            except REFUSALS:
                refused.add(key)
    tell(total, total)


def _calibration(
    asked: Asked, machine: Machine, bench: Bench, points: Mapping[str, Point], found: Mapping[str, Measured]
) -> Calibration:
    touch = first_touch(bench)
    timed = [(point, found[key]) for key, point in points.items() if key in found]
    fitted = fit(*_cases(timed, touch))
    return Calibration(
        device=asked.hardware or machine.name,
        engine=Calibration.EAGER,
        version=f"torch {machine.torch}",
        precision=machine.precision,
        modes=("infer", "train"),
        status="calibrated",
        source=f"archcost hardware calibrate, {date.today().isoformat()}",
        runs=len(timed),
        families=len({_class(point) for point, _ in timed}),
        processor=machine.processor,
        threads=machine.threads,
        dispatch=dispatch(bench),
        overlaps=False,
        first_touch=touch,
        classes=fitted.classes,
        backward=fitted.backward,
        inference=fitted.inference,
        optimizers=optimizers(bench, asked.quick),
        points={point.operator.key: measured for point, measured in timed},
        band=fitted.band,
        operators_band=OPERATORS_BAND,
        errors=fitted.errors,
    )


OPERATORS_BAND = (0.85, 1.18)
"""Of networks whose layers were all timed: what docs/time_on_a_cpu.md has found."""


def _class(point: Point) -> str:
    return next(kernel.kind for half in point.kernels[1:4] for kernel in half)


def _cases(timed: Iterable[tuple[Point, Measured]], touch: float | None) -> tuple[list[Case], list[Case], list[Case]]:
    """The timed cases of forward, of backward and of inference."""
    forward: list[Case] = []
    backward: list[Case] = []
    inference: list[Case] = []
    for point, measured in timed:
        of_layer = point.kernels
        kind = (of_layer.forward or of_layer.backward_input or of_layer.backward_weight)[0].kind
        made, returned = (nbytes / touch if touch else 0.0 for nbytes in of_layer.fresh)
        if of_layer.forward:
            (forward if point.operator.trains else inference).append(
                Case(kind, of_layer.forward, max(measured.forward - made, measured.forward / 4))
            )
        both = (*of_layer.backward_input, *of_layer.backward_weight)
        if both and measured.backward:
            backward.append(Case(kind, both, max(measured.backward - returned, measured.backward / 4)))
    return forward, backward, inference
