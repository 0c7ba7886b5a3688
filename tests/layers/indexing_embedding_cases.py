"""Embedding: no arithmetic forward; backward adds each value of the output's gradient to its row of the table."""

from __future__ import annotations

from archcost.layers import Embedding
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(
        Embedding(num_embeddings=11, embedding_dim=5),
        inputs=(TensorType((2, 7), "int64"),),
        outputs=((2, 7, 5),),
        parameters=55,  # 11 * 5
        backward_weight=70,  # 2*7*5
    ),
    Row(
        Embedding(num_embeddings=13, embedding_dim=3, padding_idx=-1),
        inputs=(TensorType((2,), "int32"),),
        outputs=((2, 3),),
        parameters=39,  # 13 * 3: the padding's row too
        backward_weight=6,  # 2*3
    ),
)
