"""Cards of timm's benchmark as their relatives predict them: leave one card out.

    python -m tests.measurements.left_out --specs FOLDER

Of each card's newest inference with autocast in float16, every fourth network (by name) is predicted by the constants
of the other cards, as `estimate` would if the card had no runs; the errors go into the card's calibration. FOLDER is
that of tests.measurements.cards.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from math import log
from pathlib import Path

import archcost
import archcost.hardware as profiles
from archcost.costs.kernels import StepKernels, kernels
from archcost.costs.timeline import timeline
from archcost.hardware import calibration
from archcost.hardware.calibration import Calibration, Errors
from archcost.passes.run import Run
from archcost.times import step_time
from archcost.times.relatives import from_relatives
from tests.measurements.boards.__main__ import errors
from tests.measurements.cards import Place, Row, rows, spec_of

RUN = Run(mode="infer", precision="amp-fp16")
ONE_IN = 4


def newest() -> dict[str, Calibration]:
    """By device."""
    found = [each for each in calibration.of_engine("eager", RUN.precision) if "infer" in each.modes]
    return {each.device: each for each in sorted(found, key=lambda each: each.release)}


def left_out(known: dict[str, Calibration], folder: Path) -> dict[str, Errors]:
    every = [row for row in rows() if (place := Place.of(row.run)).layout == "nchw" and _is_of(place, known)]
    chosen = sorted({(row.network, row.size) for row in every})[::ONE_IN]
    borrowed: dict[str, Calibration] = {}
    for device in known:
        found = from_relatives(profiles.load(device), RUN, [each for each in known.values() if each.device != device])
        assert found is not None
        borrowed[device] = found[0]
    off: dict[str, list[float]] = defaultdict(list)
    for network, size in chosen:
        spec = spec_of(folder, network, size)
        steps: dict[tuple[object, ...], StepKernels] = {}
        for row in every:
            if (row.network, row.size) != (network, size):
                continue
            device = Place.of(row.run).device
            key = (row.batch, borrowed[device].fuses)
            if key not in steps:
                line = timeline(archcost.build(spec, batch=row.batch), RUN, "cuda")
                steps[key] = kernels(line, borrowed[device].fuses)
            off[device].append(log(row.seconds / _seconds(steps[key], row, borrowed[device])))
    return {device: errors(found, _inside(found, borrowed[device])) for device, found in off.items()}


def _is_of(place: Place, known: dict[str, Calibration]) -> bool:
    return place.device in known and known[place.device].version == place.version


def _seconds(step: StepKernels, row: Row, found: Calibration) -> float:
    time = step_time(step, RUN, profiles.load(found.device), row.batch, found)
    assert time is not None
    assert time.step is not None
    return time.step


def _inside(off: Sequence[float], found: Calibration) -> float:
    low, high = map(log, found.band)
    return sum([low <= each <= high for each in off]) / len(off)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=Path, required=True)
    known = newest()
    found = left_out(known, parser.parse_args().specs)
    for path in sorted(calibration.FOLDER.glob("*--eager--*.yaml")):
        told = calibration.read(path)
        if told != known.get(told.device) or told.device not in found:
            continue
        text = path.read_text(encoding="utf-8")
        kept = [line for line in text.splitlines() if not line.startswith("relatives:")]
        values = ", ".join(f"{name}: {value}" for name, value in found[told.device].model_dump().items())
        path.write_text("\n".join([*kept, f"relatives: {{{values}}}"]) + "\n", encoding="utf-8")
        print(path.name, found[told.device])


if __name__ == "__main__":
    main()
