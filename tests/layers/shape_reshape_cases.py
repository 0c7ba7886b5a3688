"""Layers that move or rename values: shapes only, no arithmetic either way."""

from __future__ import annotations

from archcost.layers import (
    Cast,
    CastLike,
    Chunk,
    Clone,
    Contiguous,
    Flatten,
    Identity,
    Pad,
    Permute,
    Reshape,
    Split,
    Unbind,
    Unflatten,
    View,
)
from archcost.tensors import TensorType
from tests.layers.rows import Row

ROWS: tuple[Row, ...] = (
    Row(Identity(), inputs=((2, 3, 5),), outputs=((2, 3, 5),)),
    Row(Identity(), inputs=(TensorType((2, 3), "int64"),), outputs=((2, 3),)),
    Row(Flatten(), inputs=((2, 3, 5, 7),), outputs=((2, 105),)),  # 3*5*7
    Row(Flatten(start_dim=2), inputs=((2, 3, 5, 7),), outputs=((2, 3, 35),)),  # 5*7
    Row(Flatten(start_dim=-3, end_dim=-2), inputs=((2, 3, 5, 7),), outputs=((2, 15, 7),)),  # 3*5
    Row(Flatten(start_dim=0), inputs=((2, 3, 5),), outputs=((30,),)),  # 2*3*5
    Row(Flatten(start_dim=1, end_dim=1), inputs=((2, 3, 5),), outputs=((2, 3, 5),)),
    Row(Unflatten(dim=1, unflattened_size=(3, 5)), inputs=((2, 15, 7),), outputs=((2, 3, 5, 7),)),
    Row(Unflatten(dim=-1, unflattened_size=(5, -1)), inputs=((2, 3, 35),), outputs=((2, 3, 5, 7),)),  # 35 / 5
    Row(Reshape(shape=(5, 21)), inputs=((2, 3, 5, 7),), outputs=((2, 5, 21),)),  # 3*5*7 = 5*21
    Row(Reshape(shape=(16, 5, 5)), inputs=((2, 400),), outputs=((2, 16, 5, 5),)),
    Row(Reshape(shape=(7, -1, 3)), inputs=((2, 3, 5, 7),), outputs=((2, 7, 5, 3),)),  # 105 / 21
    Row(Reshape(shape=(-1,)), inputs=((2, 3, 5),), outputs=((2, 15),)),
    Row(View(shape=(-1, 5, 21)), inputs=((2, 3, 5, 7),), outputs=((2, 5, 21),)),  # 210 / (5*21)
    Row(View(shape=(-1, 3)), inputs=((2, 3, 5),), outputs=((10, 3),)),  # 30 / 3
    Row(View(shape=(3, 2, 5)), inputs=((2, 3, 5),), outputs=((3, 2, 5),)),
    Row(View(shape=(-1,)), inputs=((2, 3, 5, 7),), outputs=((210,),)),  # 2*3*5*7
    Row(View(shape=()), inputs=((1, 1),), outputs=((),)),
    Row(View(shape=(1, 1)), inputs=((),), outputs=((1, 1),)),
    Row(Permute(dims=(0, 2, 3, 1)), inputs=((2, 3, 5, 7),), outputs=((2, 5, 7, 3),)),
    Row(Permute(dims=(0, -1, 1, -2)), inputs=((2, 3, 5, 7),), outputs=((2, 7, 3, 5),)),
    Row(Permute(dims=(1, 0)), inputs=((2, 3),), outputs=((3, 2),)),
    Row(Pad(pad=(1, 2)), inputs=((2, 3, 5),), outputs=((2, 3, 8),)),  # 5 + 1 + 2
    Row(Pad(pad=(1, 2, 0, 3), value=0.5), inputs=((2, 3, 5, 7),), outputs=((2, 3, 8, 10),)),  # 5 + 3, 7 + 3
    Row(Pad(pad=(0, 0, 0, 0, 1, 2)), inputs=((2, 3, 5, 7),), outputs=((2, 6, 5, 7),)),  # channels: 3 + 1 + 2
    Row(Pad(pad=(6, 1, 4, 2), mode="reflect"), inputs=((2, 3, 5, 7),), outputs=((2, 3, 11, 14),)),
    Row(Pad(pad=(9, 8), mode="replicate"), inputs=((2, 3, 5),), outputs=((2, 3, 22),)),  # more than there is
    Row(Pad(pad=(7, 1, 5, 2), mode="circular"), inputs=((2, 3, 5, 7),), outputs=((2, 3, 12, 15),)),
    Row(Pad(pad=(1, 1, 2, 0, 0, 3), mode="replicate"), inputs=((2, 3, 2, 5, 7),), outputs=((2, 3, 5, 7, 9),)),
    Row(Pad(pad=(0, 0, 0, 0, 1, 2)), inputs=((2, 3, 5),), outputs=((5, 3, 5),)),  # the batch: 2 + 1 + 2
    Row(Pad(pad=(-1, -2, 0, -1)), inputs=((2, 3, 5, 7),), outputs=((2, 3, 4, 4),)),  # cropped: 5 - 1, 7 - 1 - 2
    Row(Pad(pad=(-2, 3, 1, -4)), inputs=((2, 3, 5, 7),), outputs=((2, 3, 2, 8),)),  # 5 + 1 - 4, 7 - 2 + 3
    Row(Split(split_size=2), inputs=((2, 5, 7),), outputs=((2, 2, 7), (2, 2, 7), (2, 1, 7))),  # the rest is smaller
    Row(Split(split_size=(1, 4)), inputs=((2, 5, 7),), outputs=((2, 1, 7), (2, 4, 7))),
    Row(Split(split_size=11), inputs=((2, 5, 7),), outputs=((2, 5, 7),)),
    Row(Split(split_size=(3, 4), dim=-1), inputs=((2, 5, 7),), outputs=((2, 5, 3), (2, 5, 4))),
    Row(Split(split_size=2, unsafe=True), inputs=((2, 5, 7),), outputs=((2, 2, 7), (2, 2, 7), (2, 1, 7))),
    Row(Split(split_size=(1, 4), unsafe=True), inputs=((2, 5, 7),), outputs=((2, 1, 7), (2, 4, 7))),
    Row(Chunk(chunks=3), inputs=((5, 2),), outputs=((2, 2), (2, 2), (1, 2))),  # 5/3 rounded up, and the rest
    Row(Chunk(chunks=4, dim=-1), inputs=((2, 3, 5),), outputs=((2, 3, 2), (2, 3, 2), (2, 3, 1))),  # one fewer
    Row(Chunk(chunks=1, dim=1), inputs=((2, 3, 5),), outputs=((2, 3, 5),)),
    Row(Unbind(), inputs=((2, 3, 5),), outputs=((3, 5), (3, 5))),
    Row(Unbind(dim=2), inputs=((2, 7, 3, 5),), outputs=((2, 7, 5), (2, 7, 5), (2, 7, 5))),
    Row(Unbind(dim=-1), inputs=((2, 5, 3),), outputs=((2, 5), (2, 5), (2, 5))),
    Row(Unbind(dim=1), inputs=((2, 1, 3),), outputs=((2, 3),)),
    Row(Clone(), inputs=((2, 3, 5, 7),), outputs=((2, 3, 5, 7),)),
    Row(Contiguous(), inputs=((2, 3, 5, 7),), outputs=((2, 3, 5, 7),)),
    Row(Cast(dtype="float32"), inputs=((2, 3, 5, 7),), outputs=((2, 3, 5, 7),)),
    Row(Cast(dtype="bfloat16"), inputs=((2, 3, 5, 7),), outputs=((2, 3, 5, 7),), dtypes=("bfloat16",)),
    Row(Cast(dtype="int64"), inputs=((2, 3, 5),), outputs=((2, 3, 5),), dtypes=("int64",)),
    Row(Cast(dtype="float32"), inputs=(TensorType((2, 3), "bool"),), outputs=((2, 3),), dtypes=("float32",)),
    Row(Cast(dtype="weights"), inputs=(TensorType((2, 3), "bool"),), outputs=((2, 3),), dtypes=("float32",)),
    Row(Cast(dtype="weights"), inputs=((2, 3, 5, 7),), outputs=((2, 3, 5, 7),)),
    Row(CastLike(), inputs=((2, 3, 5), (7, 11)), outputs=((2, 3, 5),)),
    Row(
        CastLike(),
        inputs=((2, 3, 5), TensorType((7,), "bfloat16")),
        outputs=((2, 3, 5),),
        dtypes=("bfloat16",),
    ),
)
