"""How long a step takes on a device."""

from archcost.times.step import LayerTime, StepTime, step_time

__all__ = ["LayerTime", "StepTime", "step_time"]
