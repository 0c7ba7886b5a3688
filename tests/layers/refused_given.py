"""How tensors made on the way, and views of whole shapes, refuse their inputs; see test_shape_errors.py."""

from __future__ import annotations

from archcost.layers import Chunk, Constant, ExpandBatch, ExpertRoute, Integers, Opaque, Tile, Unbind, View
from tests.layers.refused_windows import Refusal, ints

GIVEN: list[Refusal] = [
    (
        View(shape=(-1, 4)),
        ((2, 3, 5),),
        "a reshape must keep the number of elements",
        "30 elements in input 2×3×5",
        "-1×4 = 4 a unit of the -1",
        None,
    ),
    (View(shape=(-1, -1)), ((2, 3),), "a shape has at least one size and at most one -1", "[16, -1]", "[-1, -1]", None),
    (View(shape=()), ((2, 3),), "a shape without sizes is that of a single value", "1 element", "2×3", None),
    (Chunk(chunks=10_001), ((10_001, 2),), "too many pieces", "at most 10,000", "10,001", None),
    (Chunk(chunks=2, dim=2), ((3, 2),), "dim is out of range", "an axis from -2 to 1", "2", None),
    (Unbind(), ((10_001,),), "too many pieces", "at most 10,000", "10,001", None),
    (
        ExpertRoute(num_experts=2),
        ((3, 2),),
        "needs choices of experts",
        "(batch, …, choices) int64",
        "3×2 float32",
        None,
    ),
    (
        ExpertRoute(num_experts=5),
        (ints(3, 2),),
        "num_experts does not divide the choices, of which each expert gets an equal share",
        "a divisor of 6",
        "5",
        None,
    ),
    (Constant(shape=()), ((3, 2),), "a single value has no axis for the batch", "a size in shape", "[]", None),
    (Constant(shape=(2,)), ((),), "the last input must have a batch", "(batch, …)", "()", None),
    (ExpandBatch(dim=1), ((1, 5), (3, 7)), "the first input must have a batch of 1", "1 in axis 1", "1×5", None),
    (
        ExpandBatch(size=(-1, 5)),
        ((1, 5), (3, 7)),
        "size must name a number at dim",
        "1 or more in entry 0",
        "-1",
        None,
    ),
    (
        ExpandBatch(size=(2, 7)),
        ((1, 5), (3, 7)),
        "cannot be expanded to this size",
        "an axis for each of 1×5, -1 or its size where it is not 1",
        "[6, 7]",
        None,
    ),
    (
        Opaque(op="aten::foo", shapes=((1, 5),), dtypes=("float32",), batch_dims=(0,)),
        (),
        "the last input must have a batch",
        "(batch, …)",
        "()",
        None,
    ),
    (
        Integers(op="aten::foo", shapes=((1, 5),), dtypes=("bool",), batch_dims=(0,)),
        ((3, 5), (3, 2)),
        "input 1 is read as integers",
        "int64, bool or the like",
        "3×5",
        None,
    ),
    (
        Integers(op="aten::foo", shapes=((5,),), dtypes=("bool",)),
        (ints(3), (3, 2)),
        "input 2 is read as integers",
        "int64, bool or the like",
        "3×2",
        None,
    ),
    (Tile(dims=(2,)), ((3, 2), ()), "dims has the wrong length", "2 numbers or more, one an axis", "[2]", None),
]
