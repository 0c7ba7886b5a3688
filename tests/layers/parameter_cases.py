"""Learned tensors by themselves: nothing is computed, and a repeated one's gradient is summed over the samples."""

from __future__ import annotations

from archcost.layers import ExpandBatch, Parameter
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(Parameter(shape=(1, 5, 7)), inputs=(), outputs=((1, 5, 7),), parameters=35),  # 1 * 5 * 7
    Row(
        ExpandBatch(),
        inputs=((1, 5, 7), (3, 2)),
        outputs=((3, 5, 7),),
        backward_input=105,  # 3*5*7: summed up
    ),
    Row(ExpandBatch(), inputs=((3, 5, 7), (3, 2)), outputs=((3, 5, 7),)),
)
