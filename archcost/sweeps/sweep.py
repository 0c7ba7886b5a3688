"""`sweep`: what `estimate` says of many configurations, worked out together.

Sizes and amounts of work are a constant plus so much a sample. So each combination of settings is played at a few
batches, and all others are arithmetic on arrays. What is no line is played batch by batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from archcost.estimates.verdict import VERDICTS
from archcost.files.stage import tell_stage
from archcost.graph import build
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.planning.money import Given, by_device
from archcost.spec.given import Network, spec_of
from archcost.sweeps import axes
from archcost.sweeps.envelope import Integers
from archcost.sweeps.rows import Answers, Rows
from archcost.sweeps.table import Array, Column, Sweep
from archcost.times.choose import Chosen, choose, run_by
from archcost.times.step import DATA_SHEET

HOUR = 3600
"""Seconds."""

MILLION = 10**6


class _Block(NamedTuple):
    """All batches of one run on one device."""

    run: Run
    profile: HardwareProfile
    engine: str | None
    chosen: Chosen
    rows: Rows


def sweep(
    spec: Network,
    batch: object = 1,
    *,
    hardware: object,
    engine: object = None,
    calibration: Calibration | None = None,
    allocator: bool = False,
    price: Given = None,
    **settings: object,
) -> Sweep:
    """Every combination of batches, devices, engines and settings of a run as a row; each is one value or several.

    The numbers are those of `estimate`. What an allocator that caches hands out, `allocated_bytes` on NVIDIA's and
    AMD's GPUs, has to be played for each row, and is there with `allocator` only; elsewhere it always is. `price` in
    USD/h, for all devices or by name, adds `cost`, in USD for a million samples. Raises ArchcostError for what is wrong
    in any of them.
    """
    spec, profiles = spec_of(spec), axes.devices(hardware)
    runs, shown = axes.runs(settings)
    engines = axes.engines(engine)
    prices = by_device(price, [profile.name for profile in profiles], "USD/h", "price")
    batches = axes.batches(batch, len(profiles) * len(runs) * len(engines))
    graph = build(spec, int(batches.max()))  # refuses a batch for which the network has no shapes
    distinct, places = np.unique(batches, return_inverse=True)
    answers = Answers(spec, distinct, allocator)
    blocks: list[_Block] = []
    for profile in profiles:
        for run in runs:
            for each in engines:
                tell_stage(f"{profile.name}, {run.precision}, {run.optimizer}")
                settled = run_by(run, each)
                chosen = choose(profile, settled, each, calibration)
                blocks.append(_Block(run, profile, each, chosen, answers.on(settled, profile, chosen)))
    columns = _columns(blocks, batches, places.ravel(), shown)
    if price is not None:
        rates = np.array([prices.get(block.profile.name, np.nan) for block in blocks])
        columns["cost"] = Column(np.repeat(rates, len(batches)) / HOUR / columns["samples_per_second"].values * MILLION)
    differs = tuple(dict.fromkeys([text for block in blocks for text in block.chosen.differs]))
    return Sweep.of(spec.label, columns, graph.unknown, differs)


def _columns(blocks: Sequence[_Block], batches: Integers, places: Integers, shown: Sequence[str]) -> dict[str, Column]:
    """Settings first, then the answers that every block has."""
    count = len(batches)
    found = {name: _words([_spelled(getattr(block.run, name)) for block in blocks], count) for name in shown}
    found["hardware"] = _words([block.profile.name for block in blocks], count)
    found["batch"] = Column(np.tile(batches, len(blocks)))
    is_sorted = len(places) == 0 or bool((np.diff(places) == 1).all())
    for name in Rows._fields:
        parts: list[Array | None] = [getattr(block.rows, name) for block in blocks]
        known = [part if is_sorted else part[places] for part in parts if part is not None]
        if len(known) == len(parts):
            found[name] = Column(np.concatenate(known), VERDICTS if name == "verdict" else ())
    calibrations = [block.chosen.calibration for block in blocks]
    found["engine"] = _words([DATA_SHEET if each is None else each.label for each in calibrations], count)
    found["status"] = _words(["bound" if each is None else each.status for each in calibrations], count)
    return found


def _words(values: Sequence[str], times: int) -> Column:
    """A column of words: one for each block, repeated for its batches."""
    words = tuple(dict.fromkeys(values))
    codes: Mapping[str, int] = {word: code for code, word in enumerate(words)}
    return Column(np.repeat(np.array([codes[value] for value in values], np.int16), times), words)


def _spelled(value: Any) -> str:
    """The value of a setting as a word; None is torch's own choice, or the spec's."""
    return "default" if value is None else str(value)
