"""Times of whole networks beside what a calibration says of them.

    python -m archcost.pytorch.validate [NETWORK …] [--calibration FILE] [--threads N] [--log FILE]

A network's own passes, its layers and some layers of the calibration are timed in turns, so that what else the machine
does falls on all of them. No layer of these networks is one of the calibration's. Each line goes to the log at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from archcost.costs.kernels import kernels
from archcost.costs.timeline import Timeline, timeline
from archcost.graph import ModelGraph
from archcost.graph import build as build_graph
from archcost.hardware import load as load_profile
from archcost.hardware.calibration import Calibration, Measured, read
from archcost.passes.run import Run
from archcost.pytorch.build import REFUSALS
from archcost.pytorch.calibrate import Asked, calibrate, points
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.machine import here, threads
from archcost.pytorch.samples import summed_up
from archcost.pytorch.timing import Bench, Sample
from archcost.pytorch.training import Training, prepare, step
from archcost.pytorch.validation import Pass, Predicted, Record, summary_table, to_json
from archcost.spec import load
from archcost.spec.overrides import override
from archcost.times.operators import Operator, measured, operators
from archcost.times.step import step_time


class Network(NamedTuple):
    """`input` is a size at which a pass takes less than a second; None is the declared one."""

    name: str
    input: str | None
    batches: tuple[int, int]


NETWORKS = (
    Network("alexnet", None, (1, 4)),
    Network("vgg_a", "3x96x96", (1, 4)),
    Network("resnet18", "3x128x128", (2, 8)),
    Network("resnet50", "3x128x128", (1, 4)),
    Network("mobilenet_v2", "3x160x160", (2, 8)),
    Network("squeezenet1_0", "3x160x160", (2, 8)),
    Network("densenet121", "3x128x128", (1, 4)),
    Network("googlenet", "3x128x128", (2, 8)),
    Network("efficientnet_b0", "3x160x160", (1, 4)),
    Network("shufflenet_v2", "3x160x160", (2, 8)),
    Network("convnext_tiny", "3x128x128", (1, 2)),
    Network("swin_t", None, (1, 2)),
    Network("bert_base", None, (1, 2)),
    Network("transformer_base", None, (1, 2)),
    Network("resnet18_lstm", "32x3x64x64", (1, 2)),
    Network("dcgan_generator", None, (8, 32)),
    Network("conv_autoencoder_course", None, (8, 32)),
    Network("autoencoder", None, (32, 128)),
    Network("mlp", None, (32, 128)),
)

RUNS: Mapping[Pass, Run] = {
    "forward": Run(mode="infer", optimizer="none", cache=False),
    "step": Run(mode="train", optimizer="sgd-momentum"),
}

TURNS, PASSES, REPEATS = 3, 3, 2
"""How often network, layers and references are timed in turns, and how many calls each has then."""

REFERENCES = 12
"""Layers of the calibration that are timed again beside each network: whether the machine is as fast as it was."""

PROFILE = "generic-desktop-cpu"
"""A CPU, whatever its figures: a measured calibration needs none of them."""


def main(arguments: list[str] | None = None) -> int:
    about = "Times of whole networks beside what a calibration says of them."
    parser = argparse.ArgumentParser(prog="python -m archcost.pytorch.validate", description=about)
    parser.add_argument("networks", nargs="*", default=[each.name for each in NETWORKS], metavar="NETWORK")
    parser.add_argument("--calibration", metavar="FILE", help="default: one is made first")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    parser.add_argument("--log", default="validation.jsonl", metavar="FILE", help="lines are appended to it")
    given = parser.parse_args(arguments)
    with threads(given.threads), Path(given.log).open("a", encoding="utf-8") as log:
        calibration = read(Path(given.calibration)) if given.calibration else _calibrate_quickly()
        log.write(_machine(calibration))
        records: list[Record] = []
        for network in NETWORKS:
            if network.name not in given.networks:
                continue
            for batch in network.batches:
                for record in validate(graph_of(network, batch), network.input, calibration):
                    records.append(record)
                    log.write(to_json(record))
                    log.flush()
                    print(_line(record), flush=True)
    print(summary_table(records))
    return 0


def graph_of(network: Network, batch: int) -> ModelGraph:
    spec = load(network.name)
    return build_graph(override(spec, (), (network.input,)) if network.input else spec, batch)


def _calibrate_quickly() -> Calibration:
    with TemporaryDirectory() as folder:
        return calibrate(Asked(Path(folder) / "calibration.yaml"), lambda done, total: None)


def _machine(calibration: Calibration) -> str:
    import json

    machine = here("cpu", calibration.precision)
    errors = calibration.errors.model_dump() if calibration.errors else None
    entry = {**machine._asdict(), "date": date.today().isoformat(), "points": calibration.runs, "errors": errors}
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")) + "\n"


def _line(record: Record) -> str:
    size = f" at {record.input}" if record.input else ""
    return (
        f"{record.network}{size}, batch {record.batch}, {record.what}: {1e3 * record.measured:.1f} ms, "
        f"by classes {record.error('classes'):+.1%}, by its layers {record.error('layers'):+.1%}, "
        f"the machine took {record.drift:.2f} times as long as when it was calibrated"
    )


def validate(graph: ModelGraph, size: str | None, calibration: Calibration) -> Iterator[Record]:
    """A forward pass of inference, and a step of training."""
    bench = Bench()
    lines = {what: timeline(graph, run, "cpu") for what, run in RUNS.items()}
    trainings = {what: prepare(graph, run, (), "cpu") for what, run in RUNS.items()}
    wanted = {each.key: each for line in lines.values() for each in operators(line).values()}
    wanted = {key: each for key, each in wanted.items() if each.layer.type in FACTORIES}
    references = _references(calibration)
    samples: dict[str, list[Sample]] = {}
    again: dict[str, list[Sample]] = {}
    passes: dict[Pass, list[float]] = {what: [] for what in RUNS}
    for training in trainings.values():
        bench.wall(lambda training=training: step(training, _ignore_phase))
        bench.wall(lambda training=training: step(training, _ignore_phase))
    for _ in range(TURNS):
        _time(references, again, bench)
        for what in RUNS:
            passes[what] += [_pass(trainings[what], bench) for _ in range(PASSES)]
        _time(wanted, samples, bench)
    drift = _drift(calibration, again)
    timed = {key: summed_up(each) for key, each in samples.items()}
    for what in RUNS:
        line = lines[what]
        took = sorted(passes[what])[: (len(passes[what]) + 1) // 2]
        by_classes = _predict(line, calibration, {})
        by_layers = _predict(line, _drifted(calibration, drift), timed)
        yield Record(graph.name, size, graph.batch, what, median(took), drift, by_classes, by_layers)


def _references(calibration: Calibration) -> dict[str, Operator]:
    """Spread over the probes that were timed."""
    known = {key: each.operator for key, each in points().items() if key in calibration.points}
    return dict(list(known.items())[:: max(1, len(known) // REFERENCES)])


def _time(wanted: Mapping[str, Operator], samples: dict[str, list[Sample]], bench: Bench) -> None:
    for key, operator in wanted.items():
        try:
            samples.setdefault(key, []).extend(bench.time(operator, REPEATS))
        except REFUSALS:
            samples.pop(key, None)


def _pass(training: Training, bench: Bench) -> float:
    return bench.wall(lambda: step(training, _ignore_phase))


def _ignore_phase(phase: str) -> None:
    """Phases are not noted, since only the whole step is timed."""


def _drift(calibration: Calibration, again: Mapping[str, list[Sample]]) -> float:
    ratios: list[float] = []
    for key, samples in again.items():
        now, then = summed_up(samples), calibration.points[key]
        ratios.append((now.forward + now.backward) / (then.forward + then.backward))
    return median(ratios) if ratios else 1.0


def _drifted(calibration: Calibration, drift: float) -> Calibration:
    """What is no layer's own, at the speed of now: sums of gradients, the optimizer, the way between layers."""
    slowed = {
        name: {kind: pace.model_copy(update=_slower(pace, drift)) for kind, pace in getattr(calibration, name).items()}
        for name in ("classes", "backward", "optimizers")
    }
    return calibration.model_copy(update={**slowed, "dispatch": calibration.dispatch * drift})


def _slower(pace: object, drift: float) -> dict[str, float]:
    rates = {name: getattr(pace, name) for name in ("rate", "bandwidth", "reread")}
    slower = {name: value / drift for name, value in rates.items() if value is not None}
    return {**slower, "floor": getattr(pace, "floor") * drift}  # noqa: B009


def _predict(line: Timeline, calibration: Calibration, timed: Mapping[str, Measured]) -> Predicted:
    given = calibration.model_copy(update={"operators": timed})
    found = step_time(
        kernels(line), line.run, load_profile(PROFILE), line.graph.batch, given, measured=measured(line, given)
    )
    assert found is not None
    assert found.step is not None
    return Predicted(found.step, *found.band)


if __name__ == "__main__":
    sys.exit(main())
