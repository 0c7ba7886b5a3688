"""The time of a step on a device."""

from archcost.times.result import LayerTime, StepTime
from archcost.times.step import step_time

__all__ = ["LayerTime", "StepTime", "step_time"]
