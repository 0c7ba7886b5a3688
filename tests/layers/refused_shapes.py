"""How layers that see and move values otherwise refuse their inputs; see test_shape_errors.py."""

from __future__ import annotations

from archcost.layers import (
    Abs,
    AMax,
    AMin,
    ArgMax,
    BitwiseAnd,
    BitwiseNot,
    Clamp,
    ClampTensor,
    Cumsum,
    Div,
    Eq,
    Exp,
    Expand,
    Flip,
    Fold,
    Gather,
    GridSample,
    Index,
    IndexSelect,
    LogicalAnd,
    LogSumExp,
    Lt,
    MaskedFill,
    Max,
    Maximum,
    Mean,
    Minimum,
    Mul,
    Neg,
    Norm,
    PixelShuffle,
    PixelUnshuffle,
    Pow,
    RepeatInterleave,
    Roll,
    Rsub,
    Select,
    Slice,
    Squeeze,
    Stack,
    Std,
    Sub,
    Sum,
    Tile,
    TopK,
    Transpose,
    Unfold,
    Unsqueeze,
    Var,
    Where,
    Write,
)
from archcost.tensors import TensorType
from tests.layers.refused_windows import IMAGE, IMAGE_LIST, Refusal, ints

MASK = TensorType((2, 3), "bool")

# Layer, inputs; problem, expected, found, hint.
VIEWS: list[Refusal] = [
    (Transpose(dim0=1, dim1=3), ((2, 3, 5),), "dim1 is out of range", "an axis from -3 to 2", "3", None),
    (Transpose(dim0=-4, dim1=1), ((2, 3, 5),), "dim0 is out of range", "an axis from -3 to 2", "-4", None),
    (Squeeze(dim=(1, -2)), ((2, 1, 5),), "dim must name axes once each", "different axes", "[1, -2]", None),
    (Unsqueeze(dim=3), ((2, 3),), "dim is out of range", "an axis from -3 to 2", "3", None),
    (Slice(start=5), ((2, 5),), "the slice is empty", "positions of an axis of 5", "5:", None),
    (Slice(start=3, stop=2, step=2), ((2, 5),), "the slice is empty", "positions of an axis of 5", "3:2:2", None),
    (Slice(stop=0, dim=-1), ((2, 5),), "the slice is empty", "positions of an axis of 5", ":0", None),
    (Slice(stop=1, dim=2), ((2, 5),), "dim is out of range", "an axis from -2 to 1", "2", None),
    (Select(index=5), ((2, 5),), "index is out of range", "a position from -5 to 4", "5", None),
    (Select(index=0, dim=2), ((2, 5),), "dim is out of range", "an axis from -2 to 1", "2", None),
    *(
        (
            Expand(size=size),
            ((2, 1, 5),),
            "cannot be expanded to this size",
            "an axis for each of 2×1×5, -1 or its size where it is not 1",
            str(list(size)),
            None,
        )
        for size in ((-1, 3, 7), (3, 5), (-1, -1, 3, 5), (2, 0, 5))
    ),
]

REARRANGING: list[Refusal] = [
    (Stack(), ((2, 5), (2, 7)), "inputs do not go together", "equal shapes", "2×5 and 2×7", None),
    (Stack(dim=3), ((2, 5),), "dim is out of range", "an axis from -3 to 2", "3", None),
    (Roll(shifts=(1,), dims=(1, 2)), (IMAGE,), "shifts has the wrong length", "2, one an axis", "[1]", None),
    (Roll(shifts=(1, 1), dims=(1, -3)), (IMAGE,), "dims must name axes once each", "different axes", "[1, -3]", None),
    (Flip(dims=()), (IMAGE,), "dims must name axes once each", "different axes", "[]", None),
    (Flip(dims=(4,)), (IMAGE,), "dims is out of range", "an axis from -4 to 3", "4", None),
    (RepeatInterleave(repeats=2, dim=2), ((2, 3),), "dim is out of range", "an axis from -2 to 1", "2", None),
    (Tile(dims=(2, 3)), ((2, 3, 5),), "dims has the wrong length", "3 numbers or more, one an axis", "[2, 3]", None),
    (PixelShuffle(upscale_factor=2), ((2, 12, 5),), "needs 4 axes", IMAGE_LIST, "2×12×5", None),
    (
        PixelShuffle(upscale_factor=2),
        ((2, 6, 5, 7),),
        "channels cannot be laid out as 2 by 2 pixels",
        "a multiple of 4",
        "6",
        None,
    ),
    (PixelUnshuffle(downscale_factor=2), ((2, 12, 5),), "needs 4 axes", IMAGE_LIST, "2×12×5", None),
    (
        PixelUnshuffle(downscale_factor=3),
        ((2, 5, 6, 7),),
        "height and width cannot be cut into 3 by 3 pixels",
        "multiples of 3",
        "6 and 7",
        None,
    ),
]

PAIRWISE: list[Refusal] = [
    *(
        (
            layer,
            ((2, 3, 5), (2, 7, 5)),
            "inputs do not go together",
            "equal shapes, or 1 where they differ",
            "2×3×5 and 2×7×5",
            None,
        )
        for layer in (Sub(), Div(), Maximum(), Minimum(), Eq(), LogicalAnd())
    ),
    (
        ClampTensor(bounds="min"),
        ((2, 3), (2, 3), (3,)),
        "another number of bounds",
        "2 inputs for min",
        "3",
        None,
    ),
    (Sub(), (MASK, MASK), "torch subtracts no masks", "numbers", "bool", "logical_xor"),
    (
        Mul(inplace=True),
        (ints(2, 3), (2, 3)),
        "inplace needs a result like the first input",
        "2×3",
        "2×3 int64",
        None,
    ),
    (BitwiseAnd(), ((2, 3), MASK), "needs integers or bool", "no floats", "2×3", None),
    (BitwiseNot(), ((2, 3),), "needs integers or bool", "no floats", "2×3", None),
    (
        Where(value=1.0),
        (MASK, (2, 3), (2, 3)),
        "chooses between two",
        "a mask and 1 more inputs",
        "2×3 bool and 2×3 and 2×3",
        None,
    ),
    (MaskedFill(), ((2, 3), MASK), "fills with a number or with a third input", "one of them", "neither", None),
    (
        MaskedFill(value=1.0),
        ((2, 3), MASK, ()),
        "fills with a number or with a third input",
        "one of them",
        "both",
        None,
    ),
    (MaskedFill(), ((2, 3), MASK, (1,)), "the third input must be a single value", "no axes", "1", None),
    (Exp(inplace=True), (ints(2, 3),), "inplace needs a result like the input", "2×3", "2×3 int64", None),
    *(
        (layer, (MASK,), "needs numbers", "integers or floats", "2×3 bool", "cast")
        for layer in (Neg(), Abs(), Rsub(), Clamp(min=0))
    ),
    (Pow(exponent=-2), (ints(2, 3),), "integers have no negative powers", "0 or more, or a float", "-2", "-2.0"),
    *(
        (layer, ((2, 1, 5), (2, 3, 5)), "inplace needs a result like the first input", "2×3×5", "2×1×5", None)
        for layer in (Sub(inplace=True), Div(inplace=True), Mul(inplace=True))
    ),
    (Lt(), ((2, 3),), "needs a second input or a number", "one of them", "neither", None),
    (
        Lt(other=1.0),
        ((2, 3), (2, 3)),
        "needs a second input or a number",
        "one of them",
        "both",
        None,
    ),
    (Where(), ((2, 3), (2, 3), (2, 3)), "the first input must be a mask", "bool", "2×3", None),
    (
        Where(),
        (MASK, (2, 7), (2, 7)),
        "inputs do not go together",
        "equal shapes, or 1 where they differ",
        "2×3 bool and 2×7 and 2×7",
        None,
    ),
    (MaskedFill(value=0.0), ((2, 3), ints(2, 3)), "the second input must be a mask", "bool", "2×3 int64", None),
    (
        MaskedFill(value=0.0, inplace=True),
        ((2, 1), MASK),
        "inplace cannot stretch the first input",
        "2×3",
        "2×1",
        None,
    ),
]

REDUCTIONS: list[Refusal] = [
    *(
        (layer, ((2, 3, 5),), "dim must name axes once each", "different axes", "[1, -2]", None)
        for layer in (Sum(dim=(1, -2)), AMax(dim=(1, -2)), Var(dim=(1, -2)), Norm(dim=(1, -2)))
    ),
    (Sum(dim=()), ((2, 3),), "dim must name axes once each", "different axes", "[]", None),
    *(
        (layer, ((2, 3),), "dim is out of range", "an axis from -2 to 1", "2", None)
        for layer in (Sum(dim=2), AMin(dim=2), Max(dim=2), ArgMax(dim=2), Std(dim=2), Cumsum(dim=2))
    ),
    *(
        (layer, (ints(2, 3),), "needs floating-point input", "float32 or another float", "int64", None)
        for layer in (Mean(dim=1), LogSumExp(dim=1), Var(dim=1), Norm(dim=1))
    ),
    (Var(dim=1), ((2, 1, 5),), "too few values for a variance", "more than correction, 1", "1", None),
    (Std(dim=1, correction=3), ((2, 3),), "too few values for a variance", "more than correction, 3", "3", None),
]

GRID = "the second input must be a grid of points"

PICKING: list[Refusal] = [
    (TopK(k=7), ((2, 3, 5),), "k is more than there are", "at most 5", "7", None),
    (TopK(k=2, dim=3), ((2, 3, 5),), "dim is out of range", "an axis from -3 to 2", "3", None),
    (TopK(k=2), (ints(2, 3),), "needs floating-point input", "float32 or another float", "int64", None),
    (Gather(dim=1), ((2, 3), (2, 3)), "the second input must be indices", "int64", "2×3", None),
    *(
        (
            Gather(dim=1),
            ((2, 3, 5), indices),
            "the indices reach beyond the input",
            "as many axes as 2×3×5, none longer but axis 1",
            str(indices),
            None,
        )
        for indices in (ints(2, 11), ints(2, 11, 7))
    ),
    (IndexSelect(dim=1), ((2, 3), (2,)), "the second input must be indices", "int64", "2", None),
    (IndexSelect(dim=1), ((2, 3), ints(2, 1)), "needs 1 axes", "a list of positions", "2×1 int64", None),
    (IndexSelect(dim=2), ((2, 3), ints(5)), "dim is out of range", "an axis from -2 to 1", "2", None),
    (Index(dims=(0, 1)), ((2, 3), ints(2), (2,)), "index 2 must be indices", "int64", "2", None),
    (Index(dims=(0, 1)), ((2, 3), ints(2)), "dims has the wrong length", "1, an axis for each index", "[0, 1]", None),
    (Index(dims=(2,)), ((2, 3), ints(2)), "dims is out of range", "an axis from -2 to 1", "2", None),
    (
        Index(dims=(1, -1)),
        ((2, 3), ints(2), ints(2)),
        "dims must name axes once each",
        "different axes",
        "[1, -1]",
        None,
    ),
    (
        Index(dims=(0, 1)),
        ((2, 3), ints(5), ints(7)),
        "inputs do not go together",
        "equal shapes, or 1 where they differ",
        "5 int64 and 7 int64",
        None,
    ),
    (Write(), ((2, 3), (2, 5)), "more is written than there is", "at most 6 values", "10", None),
    (Write(numel=4), ((2, 3),), "more is written than there is", "at most 6 values", "8", None),
    (Write(numel=3), ((2, 5), (5,)), "values cannot be stretched", "a divisor of 6 values", "5", None),
    (Write(), ((2, 3), (2,), ints(2)), "dims has the wrong length", "1, an axis for each index", "[]", None),
    (Write(dims=(1,)), ((2, 3),), "dims has the wrong length", "0, an axis for each index", "[1]", None),
    *(
        (
            Write(dims=(1,)),
            ((2, 3), values, ints(5)),
            "values cannot be put there",
            "2×5, or what stretches to it",
            str(values),
            None,
        )
        for values in (TensorType((3, 1, 5)), TensorType((2, 5), "float64"))
    ),
    (
        Write(dims=(1,)),
        ((2, 3), (3, 5), ints(5)),
        "inputs do not go together",
        "equal shapes, or 1 where they differ",
        "2×5 and 3×5",
        None,
    ),
    (
        GridSample(),
        ((2, 3, 5), (2, 5, 7, 2)),
        "needs 4 or 5 axes",
        "(batch, channels, height, width), or with a depth",
        "2×3×5",
        None,
    ),
    (
        GridSample(mode="bicubic"),
        ((2, 3, 5, 7, 2), (2, 5, 7, 2, 3)),
        "mode bicubic is of images",
        "4 axes",
        "2×3×5×7×2",
        None,
    ),
    *(
        (GridSample(), (IMAGE, grid), GRID, "(2, height, width, 2) float32", str(grid), None)
        for grid in (TensorType((3, 5, 7, 2)), TensorType((2, 5, 7, 3)), TensorType((2, 5, 7, 2), "float64"))
    ),
    (Unfold(kernel_size=2), ((2, 3, 5),), "needs 4 axes", IMAGE_LIST, "2×3×5", None),
    (
        Unfold(kernel_size=(2, 3, 5)),
        (IMAGE,),
        "kernel_size has the wrong length",
        "an integer or 2 integers",
        "[2, 3, 5]",
        None,
    ),
    (
        Unfold(kernel_size=11),
        ((2, 3, 7, 13),),
        "output size would be zero or negative",
        "every size at least 1",
        "-3×3 from input 2×3×7×13",
        "a smaller kernel_size or dilation, or more padding",
    ),
    (
        Fold(output_size=5, kernel_size=2),
        ((2, 3),),
        "needs 3 axes",
        "(batch, channels·kernel, patches)",
        "2×3",
        None,
    ),
    *(
        (
            Fold(output_size=(5, 7), kernel_size=(2, 3)),
            (columns,),
            "the patches do not make this image",
            "a multiple of 6 rows, and 4·5 patches",
            f"{columns[1]} rows and {columns[2]} patches",
            None,
        )
        for columns in ((2, 18, 19), (2, 17, 20))
    ),
    (
        Fold(output_size=2, kernel_size=3),
        ((2, 9, 1),),
        "the patches do not make this image",
        "a multiple of 9 rows, and 0·0 patches",
        "9 rows and 1 patches",
        None,
    ),
]
