"""Tensors that no other layer computes: nothing is done, and a repeated one's gradient is summed over samples."""

from __future__ import annotations

from archcost.layers import Buffer, Constant, ExpandBatch, Parameter
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(Parameter(shape=(1, 5, 7)), inputs=(), outputs=((1, 5, 7),), parameters=35),  # 1 * 5 * 7
    Row(
        Parameter(shape=(5, 7), dtype="int8", trainable=False),
        inputs=(),
        outputs=((5, 7),),
        dtypes=("int8",),
        parameters=35,  # 5 * 7
    ),
    Row(
        ExpandBatch(),
        inputs=((1, 5, 7), (3, 2)),
        outputs=((3, 5, 7),),
        backward_input=105,  # 3*5*7: summed up
    ),
    Row(ExpandBatch(), inputs=((3, 5, 7), (3, 2)), outputs=((3, 5, 7),)),
    Row(
        ExpandBatch(dim=1),
        inputs=((5, 1, 7), (3, 2)),
        outputs=((5, 3, 7),),
        backward_input=105,  # 5*3*7: summed up
    ),
    Row(
        ExpandBatch(size=(2, 5, -1)),
        inputs=((5, 7), (3, 2)),
        outputs=((6, 5, 7),),  # 2*3: two for each sample
        backward_input=210,  # 6*5*7: summed up
    ),
    Row(
        ExpandBatch(size=(5, 1, -1), dim=-2),
        inputs=((5, 1, 7), TensorType((3,), "int64")),
        outputs=((5, 3, 7),),
        backward_input=105,  # 5*3*7: summed up
    ),
    Row(ExpandBatch(size=(1, -1)), inputs=((3, 7), (3, 2)), outputs=((3, 7),)),
    Row(
        Buffer(shape=(5, 7), dtype="int64"),
        inputs=(),
        outputs=((5, 7),),
        buffers=35,  # 5 * 7
        dtypes=("int64",),
    ),
    Row(
        Buffer(shape=()),
        inputs=(),
        outputs=((),),
        buffers=1,  # 1
        dtypes=("float32",),
    ),
    Row(Constant(shape=(5, 7)), inputs=(), outputs=((5, 7),), dtypes=("float32",)),
    Row(Constant(shape=()), inputs=(), outputs=((),), dtypes=("float32",)),
    Row(Constant(shape=(7, 7), window=3), inputs=(), outputs=((7, 7),), dtypes=("float32",)),
    Row(
        Constant(shape=(2, 7), dtype="int64"),
        inputs=((3, 5),),
        outputs=((6, 7),),  # 2*3: two for each sample
        dtypes=("int64",),
    ),
    Row(Constant(shape=(5, 1, 7), dtype="bool", dim=1), inputs=((3, 2),), outputs=((5, 3, 7),), dtypes=("bool",)),
)
