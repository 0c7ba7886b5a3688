"""The rows of our own layers are those that anybody writes: archcost/testing has them."""

from archcost.testing.rows import Row, Shape

__all__ = ["Row", "Shape"]
