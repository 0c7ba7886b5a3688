"""How layers that write and form tensors refuse their inputs; see test_shape_errors.py."""

from __future__ import annotations

from archcost.layers import (
    AsStrided,
    Bucketize,
    Diagonal,
    FMod,
    IndexAdd,
    MaskedScatter,
    OneHot,
    RPow,
    Scatter,
    ScatterAdd,
    TensorUnfold,
    Tril,
)
from archcost.tensors import TensorType
from tests.layers.refused_windows import Refusal, ints

MASK = TensorType((2, 3), "bool")

WRITING: list[Refusal] = [
    (Scatter(dim=1), ((2, 3), ints(2, 1)), "writes a number or a third input", "one of them", "neither", None),
    (
        Scatter(dim=1, value=0.0),
        ((2, 3), ints(2, 1), (2, 1)),
        "writes a number or a third input",
        "one of them",
        "both",
        None,
    ),
    (Scatter(dim=1, value=0.0), ((2, 3), (2, 1)), "the second input must be indices", "int64", "2×1", None),
    *(
        (
            ScatterAdd(dim=1),
            ((2, 3), indices, (2, 1)),
            "the indices reach beyond the input",
            "as many axes as 2×3, none longer but axis 1",
            str(indices),
            None,
        )
        for indices in (ints(5, 1), ints(2))
    ),
    (ScatterAdd(dim=1), ((2, 3), ints(2, 1), (2, 3)), "there must be a value for each index", "2×1 int64", "2×3", None),
    (ScatterAdd(dim=1), ((2, 3), ints(2, 1), ints(2, 1)), "inputs have different dtypes", "float32", "int64", "cast"),
    (
        IndexAdd(dim=1),
        ((2, 3), ints(5), (2, 7)),
        "there must be a slice for each position",
        "a list, and 2×5",
        "5 int64 and 2×7",
        None,
    ),
    (MaskedScatter(), ((2, 3), ints(2, 3), (5,)), "the second input must be a mask", "bool", "2×3 int64", None),
    (MaskedScatter(), ((2, 1), MASK, (5,)), "the mask cannot stretch the first input", "2×1", "2×3 bool", None),
    (MaskedScatter(), ((2, 3), MASK, ints(5)), "inputs have different dtypes", "float32", "int64", "cast"),
    (Tril(), ((3,),), "needs matrices", "(…, rows, columns)", "3", None),
    (Diagonal(), ((3,),), "dim2 is out of range", "an axis from -1 to 0", "1", None),
    (Diagonal(dim2=-2), ((2, 3),), "a diagonal lies over two axes", "dim1 and dim2 different", "0", None),
    (Diagonal(offset=3), ((2, 3),), "no diagonal lies so far off", "an offset within 2×3", "3", None),
    (TensorUnfold(dimension=1, size=5, step=1), ((2, 3),), "size is more than there are", "at most 3", "5", None),
    (
        AsStrided(size=(2, -1), stride=(1, 1)),
        ((2, 3),),
        "size and stride do not go together",
        "as many of both, and -1 for the first size at most",
        "[2, -1] and [1, 1]",
        None,
    ),
    (
        AsStrided(size=(-1, 2), stride=(1, 1), batch_strides=(2,)),
        ((2, 3),),
        "batch_strides are of other axes",
        "axes below 2",
        "[2]",
        None,
    ),
    (AsStrided(size=(3,), stride=(3,)), ((2, 3),), "reaches beyond the input", "at most 6 values", "7", None),
    (RPow(base=0), ((2, 3),), "powers of zero are no layer", "another base", "0", None),
    (FMod(other=2), (MASK,), "needs numbers", "integers or floats", "2×3 bool", "cast"),
    (OneHot(num_classes=3), ((2,),), "the input must be indices", "int64", "2", None),
    (Bucketize(), ((2, 3), (2, 3)), "boundaries must be a list", "one axis", "2×3", None),
]
