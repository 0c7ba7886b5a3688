"""What fits where, and what to change so that it does."""

from archcost.planning.fit import Fit, fit

__all__ = ["Fit", "fit"]
