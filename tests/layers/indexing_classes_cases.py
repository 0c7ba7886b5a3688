"""Classes as ones and zeros, and bins."""

from __future__ import annotations

from archcost.layers import Bucketize, OneHot, SearchSorted
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(OneHot(num_classes=7), inputs=(TensorType((2, 3), "int64"),), outputs=((2, 3, 7),)),
    Row(
        Bucketize(),
        inputs=((2, 3, 5), (7,)),
        outputs=((2, 3, 5),),
        forward=90,  # 2*3*5 * 3: 7 boundaries are halved three times
        dtypes=("int64",),
    ),
    Row(
        Bucketize(right=True),
        inputs=(TensorType((2, 3), "int64"), TensorType((2,), "int64")),
        outputs=((2, 3),),
        forward=12,  # 2*3 * 2
    ),
    Row(
        SearchSorted(),
        inputs=((7,), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=90,  # 2*3*5 * 3: one list of 7 is halved three times
        dtypes=("int64",),
    ),
    Row(
        SearchSorted(right=True),
        inputs=((2, 3, 11), (2, 3, 5)),
        outputs=((2, 3, 5),),
        forward=120,  # 2*3*5 * 4: 11 values a row
        dtypes=("int64",),
    ),
)
