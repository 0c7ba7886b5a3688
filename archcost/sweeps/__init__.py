"""Many configurations of one network at once, as columns."""

from archcost.sweeps.sweep import sweep
from archcost.sweeps.table import Sweep

__all__ = ["Sweep", "sweep"]
