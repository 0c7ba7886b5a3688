"""What a network takes on a device."""

from archcost.estimates.estimate import Estimate, estimate

__all__ = ["Estimate", "estimate"]
