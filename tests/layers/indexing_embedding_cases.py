"""Embedding: no arithmetic forward; backward adds each value of the output's gradient to its row of the table."""

from __future__ import annotations

from archcost.layers import Embedding, EmbeddingBag
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
    Row(
        Embedding(num_embeddings=11, embedding_dim=5, scale_grad_by_freq=True),
        inputs=(TensorType((2, 7), "int64"),),
        outputs=((2, 7, 5),),
        parameters=55,  # 11 * 5
        backward_weight=140,  # 2*7*5 * 2: divided by how often a row was picked, and added
    ),
    Row(
        EmbeddingBag(num_embeddings=11, embedding_dim=5),
        inputs=(TensorType((2, 7), "int64"),),
        outputs=((2, 5),),
        parameters=55,  # 11 * 5
        forward=80,  # 2*7*5 + 2*5: additions, divisions
        backward_weight=140,  # 2*7*5 * 2
        dtypes=("float32",),
    ),
    Row(
        EmbeddingBag(num_embeddings=11, embedding_dim=5, mode="sum"),
        inputs=(TensorType((2, 7), "int64"), (2, 7)),
        outputs=((2, 5),),
        parameters=55,  # 11 * 5
        forward=140,  # 2*7*5 * 2: weighed, added
        backward_input=140,  # 2*7*5 * 2: product and sum for the weight of a row
        backward_weight=140,  # 2*7*5 * 2
        dtypes=("float32",),
    ),
    Row(
        EmbeddingBag(num_embeddings=11, embedding_dim=5, mode="max"),
        inputs=(TensorType((2, 7), "int64"),),
        outputs=((2, 5),),
        parameters=55,  # 11 * 5
        forward=70,  # 2*7*5
        backward_weight=10,  # 2*5
        dtypes=("float32",),
    ),
    Row(
        EmbeddingBag(num_embeddings=11, embedding_dim=5, mode="sum", include_last_offset=True),
        inputs=(TensorType((7,), "int64"), TensorType((4,), "int64")),
        outputs=((3, 5),),
        parameters=55,  # 11 * 5
        forward=35,  # 7*5
        backward_weight=35,  # 7*5
        dtypes=("float32",),
    ),
    Row(
        EmbeddingBag(num_embeddings=11, embedding_dim=5, padding_idx=3),
        inputs=(TensorType((7,), "int64"), TensorType((3,), "int64")),
        outputs=((3, 5),),
        parameters=55,  # 11 * 5
        forward=50,  # 7*5 + 3*5
        backward_weight=70,  # 7*5 * 2
        dtypes=("float32",),
    ),
)
