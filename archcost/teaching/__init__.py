"""For a class: exercise sheets on a network, and marks that name the slip. All numbers are those of `explain`."""

from archcost.teaching.grading import Graded, grade
from archcost.teaching.sheet import Worksheet, worksheet

__all__ = ["Graded", "Worksheet", "grade", "worksheet"]
