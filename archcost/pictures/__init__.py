"""Pictures of what a network costs, drawn by matplotlib. Nothing is worked out here: all numbers are other parts'."""

from archcost.pictures.picture import Picture
from archcost.pictures.plot import KINDS, plot

__all__ = ["KINDS", "Picture", "plot"]
