"""`estimate`: what one step of a network takes on a device, and whether it fits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from archcost import hardware as profiles
from archcost.costs.error_bands import band
from archcost.costs.kernels import kernels
from archcost.costs.model import integer_macs
from archcost.costs.program import Role
from archcost.costs.timeline import Timeline
from archcost.estimates.auto_recompute import is_automatic, step
from archcost.estimates.batches import Growth, growth, largest_batch, largest_tight
from archcost.estimates.devices import caches, torch_device
from archcost.estimates.floor import no_batch_fits
from archcost.estimates.memory_demand import Demand, Played, workspace
from archcost.estimates.verdict import Limits, Verdict, limits
from archcost.files.result import Result
from archcost.graph import build
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.spec.given import Network
from archcost.spec.loss import read_loss
from archcost.times import StepTime, link, result, step_time
from archcost.times.choose import Chosen, choose, run_by
from archcost.times.operators import measured


@dataclass(frozen=True, repr=False)
class Estimate(Result):
    """The estimate of one step on a device. `to_dict()` is `archcost estimate --format json`."""

    line: Timeline
    hardware: HardwareProfile
    demand: Demand
    chosen: Chosen
    """Which calibration the time rests on."""
    shared: Growth | None = None
    """What `grown` is, where somebody has worked it out already."""

    @cached_property
    def grown(self) -> Growth | None:
        """The step at three batches more, which only the largest batch needs. None under `recompute: auto`, whose
        checkpoints change with the batch. Raises ArchcostError where another batch makes other tensors.
        """
        if is_automatic(self.run):
            return None
        played = self.line if self.batch > 1 else None  # one sample may make other tensors than several
        return self.shared or growth(self.line.graph.spec, self.run, torch_device(self.hardware), played)

    @property
    def network(self) -> str:
        return self.line.graph.name

    @property
    def headline(self) -> str:
        where = f"{self.network}, batch {self.batch:,}, on {self.hardware.name}"
        return f"{where}, {self.run.precision}: {self.verdict}, peak of {self.peak:,} bytes"

    @property
    def batch(self) -> int:
        return self.line.graph.batch

    @property
    def run(self) -> Run:
        return self.line.run

    @property
    def peak(self) -> int:
        """Bytes of live tensors."""
        return self.line.peak

    @property
    def by_role(self) -> dict[Role, int]:
        return self.line.by_role

    @property
    def verdict(self) -> Verdict:
        return self.demand.verdict

    @property
    def fits(self) -> bool:
        """Whether the step is not certain to fail. Whether it is safe, the verdict says."""
        return self.verdict != "does not fit"

    @property
    def limits(self) -> Limits:
        """The two limits of the device: bytes that are safe, and bytes that may work."""
        return limits(self.hardware)

    @property
    def workspace(self) -> int:
        """Bytes that libraries hold among what is allocated."""
        return (
            workspace(Played.of(self.line), self.hardware) if torch_device(self.hardware) == "cuda" else self._kernels
        )

    @property
    def context(self) -> int | None:
        """Bytes that the driver takes beside all that; None where the profile does not say."""
        return None if self.hardware.context is None else int(self.hardware.context.amount)

    @property
    def capacity(self) -> int:
        return self.hardware.memory.capacity

    @cached_property
    def max_batch(self) -> int | None:
        """The largest batch that is safe, 0 when none is. None under `recompute: auto`: each batch is a search."""
        if not is_automatic(self.run) and no_batch_fits(self.line, self.hardware):
            return 0
        return None if self.grown is None else largest_batch(self.grown, self.hardware)

    @cached_property
    def max_batch_tight(self) -> int | None:
        """The largest batch that is not certain to fail."""
        safe = self.max_batch
        if safe == 0 and no_batch_fits(self.line, self.hardware):
            return 0
        return None if safe is None or self.grown is None else largest_tight(self.grown, self.hardware, safe)

    @property
    def band(self) -> tuple[int, int] | None:
        """Bytes between which `allocated` lay where steps were measured; None where none was on such a device."""
        measured = self.hardware.kind == "cpu" or caches(self.hardware)
        errors = band(torch_device(self.hardware)) if measured else None
        if errors is None:
            return None
        lowest, highest = errors
        return round(self.demand.allocated / (1 + highest)), round(self.demand.allocated / (1 + lowest))

    @cached_property
    def time(self) -> StepTime | None:
        """The time of the step; None where the device has no rate for the precision."""
        return step_time(
            kernels(self.line, self.chosen.fuses),
            self.run,
            self.hardware,
            self.batch,
            self.chosen.calibration,
            self.chosen.notes,
            measured(self.line, self.chosen.calibration),
            self.line.offloaded,
        )

    @property
    def time_notes(self) -> tuple[str, ...]:
        """What the time rests on, or why there is none."""
        if self.time is not None:
            return self.time.notes
        if self.line.offloaded is not None and (reasons := link.missing(self.line.offloaded, self.hardware)):
            return reasons
        return (f"{self.hardware.name} has no rate for {self.run.matmul_dtype}",)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What is not known, by the JSON's names, and layers of which nobody knows what they do."""
        memory = {
            "reserved_bytes": self.demand.reserved,
            "context_bytes": self.context,
            "max_batch": None if is_automatic(self.run) else 0,
            "max_batch_tight": None if is_automatic(self.run) else 0,
            "band": self.band,
        }
        missing = [f"memory.{name}" for name, value in memory.items() if value is None]
        if self.line.offloaded is not None and link.link_rate(self.hardware) is None:
            missing += ["offload.link.bytes_per_second", "offload.link.seconds"]
        return (*missing, *self._unknown_times, *self.line.graph.unknown)

    @property
    def _unknown_times(self) -> tuple[str, ...]:
        """Numbers that nobody knows, and layers whose time alone is not known."""
        time, told = self.time, self.line.graph.unknown
        layers = () if time is None else tuple([name for name in time.unknown if name not in told])
        return tuple([f"time.{name}" for name in (*result.unknown_numbers(time), *layers)])

    @property
    def _kernels(self) -> int:
        """What kernels and checkpoints hold at the moment at which most is allocated."""
        return self.demand.allocated - self.line.peak if not self.demand.flash else 0

    @cached_property
    def integer_macs(self) -> int:
        """Of a forward pass the products of integers."""
        return integer_macs(self.line.graph)

    def to_dict(self) -> dict[str, Any]:
        away, loss = self.line.offloaded, self.line.graph.spec.loss
        return {
            "schema": "archcost.estimate/1",
            "network": self.network,
            "title": self.line.graph.spec.title or self.network,
            "batch": self.batch,
            **self.run.to_dict(),
            **({"loss": loss} if read_loss(loss).has_options else {}),
            "hardware": self.hardware.name,
            **({"integer_macs": self.integer_macs} if self.integer_macs else {}),
            "unknown": list(self.unknown),
            "memory": {
                "peak_bytes": self.peak,
                "peak_at": str(self.line.highest),
                "by_role": {**self.by_role, "workspace": self.workspace},
                "allocated_bytes": self.demand.allocated,
                "reserved_bytes": self.demand.reserved,
                "context_bytes": self.context,
                "capacity_bytes": self.capacity,
                "needed_bytes": self.demand.needed,
                "safe_bytes": self.limits.safe,
                "most_bytes": self.limits.most,
                "fits": self.fits,
                "verdict": self.verdict,
                "max_batch": self.max_batch,
                "max_batch_tight": self.max_batch_tight,
                "recomputed_flops": self.line.recomputed_flops,
                "status": "exact under assumptions",
                "band": None if self.band is None else list(self.band),
            },
            **({} if away is None else {"offload": link.to_dict(away, self.hardware)}),
            "time": result.to_dict(self.time, self.time_notes),
        }


def estimate(
    spec: Network,
    batch: int = 1,
    *,
    hardware: str | HardwareProfile,
    run: Run | None = None,
    engine: str | None = None,
    calibration: Calibration | None = None,
    threads: int | None = None,
    **settings: Any,
) -> Estimate:
    """One step of a network on a device, by name, path or profile.

    What is chosen is either a `run` or its fields: `mode="train"`, `precision="bf16"`, `optimizer="adam"` and so on.
    `engine` is what runs it (`eager`, `compiled`, … as the device has calibrations), `calibration` one of one's own,
    and `threads` are those of a CPU that will run it, where they may be others than were calibrated.
    Time is unknown where the device has no rate for the precision. Raises ArchcostError for what is wrong in these.
    """
    profile = profiles.profile_of(hardware)
    chosen = run_by(run or Run(**settings), engine)
    found = choose(profile, chosen, engine, calibration, threads)
    line, needs = step(build(spec, batch), chosen, profile)
    return Estimate(line, profile, needs, found)
