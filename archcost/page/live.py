"""The live model of the page: numbers from which its script works out what `estimate` says, for any setting of the
page's controls.

    payload = live([spec], [profile], run)          plain values, for json.dumps
    archcostLive(payload, settings)                 in live.js: what `estimate` says there
    archcostDevices(payload, settings)              the same on each device of the page, as a list in their order
    archcostCurve(payload, settings, most)          [{batch, peak_bytes, needed_bytes}] at batches up to `most`

What a page may read of `payload`:

    networks        [{name, title, batch: {least, most}, unknown}]: `most` is the largest batch of the control, and
                    `unknown` names layers that make every number a lower bound
    hardware        [{name, title, vendor, kind, capacity_bytes, context_bytes, safe_bytes, most_bytes}]
    modes, precisions, optimizers, recompute        the words that the controls offer
    default         {network, hardware, mode, precision, optimizer, recompute, batch}: what the report was asked for
    tables          for live.js alone

`settings` has the keys of `default`; network and hardware are names, and what is missing is taken from `default`. In
inference `optimizer` and `recompute` do not matter. `archcostLive` returns the settings and

    refused         null, or a sentence that says why there is no answer; all numbers are null then
    batches         null, or the batches that are known, where a step is no lines in the batch
    most_batch      the largest batch that is known
    peak_bytes, peak_at, by_role, needed_bytes, capacity_bytes, safe_bytes, most_bytes, verdict, fits, max_batch,
    max_batch_tight                                  as `estimate` has them in `memory`
    step_seconds, forward_seconds, backward_seconds, optimizer_seconds, band_seconds, samples_per_second, mfu, status,
    engine, notes                                    as it has them in `time`; null is not known, and `notes` say why

`by_role` adds up to `peak_bytes`, with `workspace` beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcost import hardware as profiles
from archcost.estimates.verdict import limits
from archcost.files.garbage import without_collections
from archcost.files.stage import tell_stage
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.page.live_steps import Graphs
from archcost.page.live_tables import Tables
from archcost.passes.run import Run
from archcost.spec.given import Network, spec_of
from archcost.times.choose import run_by

OPTIMIZERS = ("sgd", "sgd-momentum", "adam", "adamw", "adamw-8bit")
RECOMPUTE = ("none", "blocks")
MODES = ("train", "infer")


def live(
    networks: Sequence[Network],
    hardware: object,
    run: Run | None = None,
    *,
    batch: int = 1,
    engine: str | None = None,
    calibration: Calibration | None = None,
    modes: Sequence[str] = MODES,
    precisions: Sequence[str] | None = None,
    optimizers: Sequence[str] = OPTIMIZERS,
    recompute: Sequence[str] = RECOMPUTE,
) -> dict[str, Any]:
    """The payload for these networks on these devices. `run` is what the report was asked for: its mode, precision,
    optimizer and recompute are among those offered, and what else it says holds for all of them.

    Raises ArchcostError for what is wrong in any of these; a combination that is refused is told as that.
    """
    asked = run_by(run or Run(), engine)
    devices = profiles.profiles_of(hardware)
    words = {
        "mode": _with(asked.mode, modes),
        "precision": _with(asked.precision, _precisions(devices) if precisions is None else precisions),
        "optimizer": _with(asked.optimizer, optimizers),
        "recompute": _with(asked.recompute, recompute),
    }
    answers = Tables(asked, devices, engine, calibration)
    told: list[dict[str, Any]] = []
    with without_collections():
        for number, given in enumerate(networks):
            spec = spec_of(given)
            tell_stage(spec.label)
            told.append(answers.add(number, Graphs(spec), words))
    return {
        "networks": told,
        "hardware": [_device(profile) for profile in devices],
        "modes": words["mode"],
        "precisions": words["precision"],
        "optimizers": words["optimizer"],
        "recompute": words["recompute"],
        "default": {
            "network": told[0]["name"],
            "hardware": devices[0].name,
            "mode": asked.mode,
            "precision": asked.precision,
            "optimizer": asked.optimizer,
            "recompute": asked.recompute,
            "batch": batch,
        },
        "tables": answers.tables(),
    }


def _precisions(devices: Sequence[HardwareProfile]) -> list[str]:
    """That of all, and those of 16 bits in which some device multiplies: float16 where it does not in bfloat16."""
    rates = [profile.rates.known() for profile in devices]
    bf16 = any("bfloat16" in known for known in rates)
    fp16 = any("float16" in known and "bfloat16" not in known for known in rates)
    return ["fp32", *(["amp-bf16", "bf16"] if bf16 else []), *(["amp-fp16"] if fp16 else [])]


def _with(asked: str, offered: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*offered, asked]))


def _device(profile: HardwareProfile) -> dict[str, Any]:
    bound = limits(profile)
    return {
        "name": profile.name,
        "title": profile.title,
        "vendor": profile.vendor,
        "kind": profile.kind,
        "capacity_bytes": profile.memory.capacity,
        "context_bytes": None if profile.context is None else int(profile.context.amount),
        "safe_bytes": bound.safe,
        "most_bytes": bound.most,
    }
