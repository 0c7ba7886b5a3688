"""How layers that multiply, look up and go step by step refuse their inputs; see test_shape_errors.py."""

from __future__ import annotations

from archcost.layers import (
    GRU,
    LSTM,
    RNN,
    AddMM,
    BAddBMM,
    Bmm,
    Einsum,
    Embedding,
    ExpandBatch,
    MatMul,
    ScaledDotProductAttention,
)
from archcost.tensors import TensorType
from tests.layers.refused_windows import Refusal, ints

EINSUM = Einsum(equation="bij,bjk->bik")
ATTENTION = ScaledDotProductAttention()
QUERY, KEY = (2, 3, 7, 5), (2, 3, 11, 5)

PRODUCTS: list[Refusal] = [
    (MatMul(), ((7,), (7, 5)), "needs matrices", "(…, rows, columns)", "7", None),
    (MatMul(), ((2, 3, 7), (5, 3)), "matrices do not go together", "(…, 7, n) after 2×3×7", "5×3", None),
    (
        MatMul(),
        ((2, 3, 7), (2, 5, 7)),
        "matrices do not go together",
        "(…, 7, n) after 2×3×7",
        "2×5×7",
        "permute the last two axes",
    ),
    (
        MatMul(),
        ((2, 3, 5), (7, 5, 11)),
        "inputs do not go together",
        "equal leading axes, or 1 where they differ",
        "2×3×5 and 7×5×11",
        None,
    ),
    (MatMul(), ((2, 3), ints(3, 5)), "needs floating-point input", "float32 or another float", "int64", None),
    (
        MatMul(),
        ((2, 3), TensorType((3, 5), "float64")),
        "inputs have different dtypes",
        "float32",
        "float32 and float64",
        None,
    ),
    (Embedding(num_embeddings=5, embedding_dim=3), ((2, 7),), "needs indices", "int64 or int32", "float32", None),
    (
        Embedding(num_embeddings=5, embedding_dim=3, padding_idx=5),
        (ints(2, 7),),
        "padding_idx is out of range",
        "a row from -5 to 4",
        "5",
        None,
    ),
    (GRU(hidden_size=3), ((2, 7),), "needs 3 axes", "(batch, positions, features)", "2×7", None),
    (RNN(hidden_size=3, batch_first=False), ((2, 7),), "needs 3 axes", "(positions, batch, features)", "2×7", None),
    (LSTM(hidden_size=3), (ints(2, 7, 5),), "needs floating-point input", "float32 or another float", "int64", None),
    (ExpandBatch(), ((2, 5), (3, 7)), "the first input must have a batch of 1", "(1, …)", "2×5", None),
    (
        ATTENTION,
        ((2, 3, 2, 7, 5),) * 3,
        "needs 3 or 4 axes",
        "(batch, heads, positions, features), or without the heads",
        "2×3×2×7×5",
        "backend: math",
    ),
    *(
        (
            ScaledDotProductAttention(backend="math"),
            given,
            "needs as many axes in all inputs, 3 at least",
            "(batch, …, positions, features)",
            found,
            None,
        )
        for given, found in (
            (((2, 7, 5), (2, 1, 7, 5), (2, 7, 5)), "2×7×5 and 2×1×7×5 and 2×7×5"),
            (((2, 5),) * 3, "2×5 and 2×5 and 2×5"),
        )
    ),
    (
        ScaledDotProductAttention(backend="math", enable_gqa=True),
        ((2, 3, 6, 7, 5), (2, 3, 2, 7, 5), (2, 3, 2, 7, 5)),
        "the second input must be the keys",
        "2×3×6×7×5",
        "2×3×2×7×5",
        None,
    ),
    (ATTENTION, (QUERY, (2, 3, 11, 7), KEY), "the second input must be the keys", "2×3×11×5", "2×3×11×7", None),
    (
        ATTENTION,
        (QUERY, (2, 1, 11, 5), KEY),
        "the second input must be the keys",
        "2×3×11×5",
        "2×1×11×5",
        "enable_gqa: true",
    ),
    (ATTENTION, (QUERY, KEY, (2, 3, 7, 5)), "the third input must be the values", "2×3×11×5", "2×3×7×5", None),
    (
        ATTENTION,
        (QUERY, KEY, KEY, ints(7, 11)),
        "the mask does not fit the scores",
        "2×3×7×11, bool or float32, or 1 where it stretches",
        "7×11 int64",
        None,
    ),
    (
        ATTENTION,
        (QUERY, KEY, KEY, (11, 7)),
        "the mask does not fit the scores",
        "2×3×7×11, bool or float32, or 1 where it stretches",
        "11×7",
        None,
    ),
    (
        ScaledDotProductAttention(is_causal=True),
        (QUERY, KEY, KEY, (7, 11)),
        "is_causal leaves no room for a mask",
        "3 inputs",
        "a mask 7×11",
        None,
    ),
    (ATTENTION, (ints(2, 3, 7, 5),) * 3, "needs floating-point input", "float32 or another float", "int64", None),
    (EINSUM, ((2, 3), (2, 5, 7)), "equation has another number of axes", "an axis a letter of bij", "2×3", None),
    (EINSUM, ((2, 3, 5), (2, 7, 11)), "equation gives j two sizes", "5", "7 in 2×7×11", None),
    (AddMM(), ((5,), (2, 3), (2, 3, 5)), "needs 2 axes", "(rows, columns)", "2×3×5", None),
    (BAddBMM(), ((5,), (2, 7, 3), (1, 3, 5)), "inputs have different batches", "2", "2×7×3 and 1×3×5", None),
    *(
        (
            AddMM(),
            (added, (2, 3), (3, 5)),
            "cannot be added to the product",
            "2×5, or what stretches to it",
            str(added),
            None,
        )
        for added in (TensorType((7, 2, 5)), TensorType((5,), "float64"))
    ),
    (Bmm(), ((2, 3, 5), (5, 7)), "needs 3 axes", "(batch, rows, columns)", "5×7", None),
    (Bmm(), ((2, 3, 5), (1, 5, 7)), "inputs have different batches", "2", "2×3×5 and 1×5×7", "matmul"),
]
