"""What fits where, what to change so that it does, and what a whole run takes."""

from archcost.planning.fit import Fit, fit
from archcost.planning.plan import Plan, plan

__all__ = ["Fit", "Plan", "fit", "plan"]
