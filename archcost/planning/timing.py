"""The time of one step on many devices: those on which torch runs the same kernels share them."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.costs.kernels import StepKernels, kernels
from archcost.costs.timeline import Timeline, timeline
from archcost.errors import ArchcostError, listing
from archcost.estimates.devices import torch_device
from archcost.graph import build
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.spec import ModelSpec
from archcost.terms.autograd import Device
from archcost.terms.time_classes import Fuses
from archcost.times import StepTime, step_time
from archcost.times.choose import Chosen, choose
from archcost.times.operators import measured


class Timing:
    """A given calibration answers for the device it names, and for whatever device is asked for alone.

    Raises ArchcostError where it is of none of them.
    """

    def __init__(
        self,
        spec: ModelSpec,
        batch: int,
        run: Run,
        devices: Sequence[HardwareProfile],
        engine: str | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self.spec, self.batch, self.run, self.devices = spec, batch, run, devices
        self.engine, self.calibration, self.alone = engine, calibration, len(devices) == 1
        self.lines: dict[Device, Timeline] = {}
        self.known: dict[tuple[Device, tuple[Fuses, ...]], StepKernels] = {}
        if calibration is not None and not self.alone and calibration.device not in [each.name for each in devices]:
            raise ArchcostError(
                "the calibration is of no device that was asked for",
                expected=f"{calibration.device} among the devices",
                found=listing([each.name for each in devices], 3),
            )

    @property
    def differs(self) -> tuple[str, ...]:
        """What the given calibration is of, where it is not of what runs on those that it answers for."""
        if self.calibration is None:
            return ()
        return tuple([text for profile in self.devices for text in self.chosen(profile).differs])

    def chosen(self, profile: HardwareProfile) -> Chosen:
        given = self.calibration
        own = given if given is not None and (self.alone or given.device == profile.timed_as) else None
        return choose(profile, self.run, self.engine, own)

    def on(self, profile: HardwareProfile) -> StepTime | None:
        """The time of the step on a device; None where that has no rate for the precision."""
        chosen = self.chosen(profile)
        device = torch_device(profile)
        if device not in self.lines:
            self.lines[device] = timeline(build(self.spec, self.batch), self.run, device, 1)
        line, basis = self.lines[device], chosen.calibration
        key: tuple[Device, tuple[Fuses, ...]] = (device, chosen.fuses)
        if key not in self.known:
            self.known[key] = kernels(line, chosen.fuses)
        layers, away = measured(line, basis), line.offloaded
        return step_time(self.known[key], self.run, profile, self.batch, basis, chosen.notes, layers, away)
