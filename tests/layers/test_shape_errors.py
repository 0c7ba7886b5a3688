"""Every way in which a layer refuses its inputs, word for word: what is wrong, what was expected, what was found."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from archcost.errors import ShapeError, SpecError
from archcost.layers import (
    GLU,
    GRU,
    LAYERS,
    LSTM,
    Add,
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    Clamp,
    Concat,
    Einsum,
    Flatten,
    GroupNorm,
    InstanceNorm2d,
    Integers,
    Layer,
    LayerNorm,
    LocalResponseNorm,
    Mean,
    Opaque,
    OwnBackward,
    Pad,
    Permute,
    PReLU,
    Reshape,
    RMSNorm,
    Softmax,
    Split,
    Unflatten,
    Upsample,
    WeightNorm,
    Write,
)
from archcost.tensors import TensorType
from tests.layers.refused_functions import FUNCTIONS, MISTAKEN
from tests.layers.refused_given import GIVEN
from tests.layers.refused_losses import LOSSES
from tests.layers.refused_products import PRODUCTS
from tests.layers.refused_scattering import WRITING
from tests.layers.refused_shapes import PAIRWISE, PICKING, REARRANGING, REDUCTIONS, VIEWS
from tests.layers.refused_windows import CONVOLUTION, IMAGE, IMAGE_LIST, POOLING, Inputs, Refusal, ints

# Layer, inputs; problem, expected, found, hint.
NORMALIZATION: list[Refusal] = [
    (BatchNorm2d(), ((2, 3, 7),), "needs 4 axes", IMAGE_LIST, "2×3×7", None),
    (BatchNorm1d(), (IMAGE,), "needs 3 axes", "(batch, channels, length)", "2×3×7×11", None),
    (BatchNorm3d(), (IMAGE,), "needs 5 axes", "(batch, channels, depth, height, width)", "2×3×7×11", None),
    (InstanceNorm2d(), ((2, 3, 7),), "needs 4 axes", IMAGE_LIST, "2×3×7", None),
    (
        InstanceNorm2d(),
        ((2, 3, 1, 1),),
        "instance norm of a single position is always zero; torch refuses it in training",
        "more than one spatial position",
        "2×3×1×1",
        None,
    ),
    (
        WeightNorm(dim=1),
        ((2, 3, 5), (1, 3, 1)),
        "dim is neither the first axis nor the last",
        "0 or 2",
        "1",
        "norm, div and mul, as torch composes it",
    ),
    (GRU(hidden_size=5), ((2, 3, 7), (1, 3, 5)), "first states do not suit", "1×2×5", "1×3×5", None),
    (
        LSTM(hidden_size=5),
        ((2, 3, 7), (1, 2, 5)),
        "first states do not suit",
        "1×2×5 and 1×2×5",
        "1×2×5",
        None,
    ),
    (LSTM(hidden_size=5, proj_size=5), ((2, 3, 7),), "proj_size is too large", "less than hidden_size, 5", "5", None),
    (WeightNorm(), ((2, 3), (2, 3)), "lengths do not go with the directions", "2×1", "2×3", None),
    (Add(alpha=2), ((2,), (2,), (2,)), "alpha is a factor of the second input", "2 inputs", "3", None),
    (GroupNorm(num_groups=1), ((2,),), "needs channels", "(batch, channels, …)", "2", None),
    (GroupNorm(num_groups=2), (IMAGE,), "channels cannot be cut into 2 groups", "a multiple of 2", "3", None),
    *(
        (
            norm(normalized_shape=(5, 11)),
            (IMAGE,),
            "normalized_shape is not the end of the input's shape",
            "input (batch, …, 5, 11)",
            "2×3×7×11",
            None,
        )
        for norm in (LayerNorm, RMSNorm)
    ),
    (
        LayerNorm(normalized_shape=(2, 3)),
        ((2, 3),),
        "normalized_shape is not the end of the input's shape",
        "input (batch, …, 2, 3)",
        "2×3",
        None,
    ),
    (
        LocalResponseNorm(size=5),
        ((2, 3),),
        "needs at least 3 axes",
        "(batch, channels, length, …)",
        "2×3",
        None,
    ),
    (GLU(dim=2), ((2, 6),), "dim is out of range", "an axis from -2 to 1", "2", None),
    (GLU(), ((2, 6, 5),), "axis 2 cannot be halved", "an even number", "5", None),
    (
        PReLU(num_parameters=3),
        ((2, 5, 3),),
        "num_parameters is not the number of channels",
        "1 or 5",
        "3 for input 2×5×3",
        None,
    ),
    (
        PReLU(num_parameters=3),
        ((7,),),
        "num_parameters is not the number of channels",
        "1",
        "3 for input 7",
        None,
    ),
    (Softmax(dim=2), ((2, 3),), "dim is out of range", "an axis from -2 to 1", "2", None),
    (Softmax(dim=-3), ((2, 3),), "dim is out of range", "an axis from -2 to 1", "-3", None),
]

RESHAPING: list[Refusal] = [
    (Flatten(start_dim=4), (IMAGE,), "start_dim is out of range", "an axis from -4 to 3", "4", None),
    (Flatten(end_dim=-5), (IMAGE,), "end_dim is out of range", "an axis from -4 to 3", "-5", None),
    (
        Flatten(start_dim=3, end_dim=2),
        (IMAGE,),
        "start_dim comes after end_dim",
        "start_dim at most 2",
        "3 for input 2×3×7×11",
        None,
    ),
    *(
        (
            Reshape(shape=shape),
            ((2, 400),),
            "a shape has at least one size and at most one -1",
            "[16, -1]",
            found,
            None,
        )
        for shape, found in (((-1, -1), "[-1, -1]"), ((0, 400), "[0, 400]"), ((), "[]"))
    ),
    (
        Reshape(shape=(16, 6, 5)),
        ((2, 400),),
        "a reshape must keep the number of elements",
        "400 elements a sample, from input 2×400",
        "16×6×5 = 480",
        None,
    ),
    (
        Reshape(shape=(-1, 7)),
        ((2, 400),),
        "a reshape must keep the number of elements",
        "400 elements a sample, from input 2×400",
        "-1×7 = 7 a unit of the -1",
        None,
    ),
    (
        Unflatten(dim=1, unflattened_size=(3, 5)),
        ((2, 14, 7),),
        "a reshape must keep the number of elements",
        "14 elements in axis 1 of input 2×14×7",
        "3×5 = 15",
        None,
    ),
    (Unflatten(dim=3, unflattened_size=(7,)), ((2, 14, 7),), "dim is out of range", "an axis from -3 to 2", "3", None),
    (
        Permute(dims=(0, 1, 1)),
        ((2, 3, 5),),
        "dims must name every axis once",
        "an order of 0 to 2",
        "[0, 1, 1]",
        None,
    ),
    (Permute(dims=(0, 1, 3)), ((2, 3, 5),), "dims is out of range", "an axis from -3 to 2", "3", None),
    *(
        (
            Pad(pad=(1,) * count),
            ((2, 3, 5),),
            "pad has the wrong length",
            "2 to 6 entries, two an axis from the last one",
            f"{count} for input 2×3×5",
            None,
        )
        for count in (0, 1, 3, 8)
    ),
    (
        Pad(pad=(-1, -4)),
        ((2, 3, 5),),
        "output size would be zero or negative",
        "every size at least 1",
        "2×3×0 from input 2×3×5",
        "pad crops less",
    ),
    (
        Pad(pad=(0, -1), mode="replicate"),
        ((2, 3, 5),),
        "mode replicate cannot crop",
        "numbers from 0",
        "[0, -1]",
        None,
    ),
    (
        Pad(pad=(1, 1), mode="reflect"),
        (IMAGE,),
        "mode reflect pads all spatial axes",
        "4 entries for (batch, channels, …)",
        "2 for input 2×3×7×11",
        None,
    ),
    (
        Pad(pad=(0, 0, 7, 0), mode="reflect"),
        (IMAGE,),
        "mode reflect cannot pad so far",
        "at most 6",
        "7",
        None,
    ),
    (
        Pad(pad=(0, 12, 0, 0), mode="circular"),
        (IMAGE,),
        "mode circular cannot pad so far",
        "at most 11",
        "12",
        None,
    ),
    (Split(split_size=1), ((2, 10_001),), "too many pieces", "at most 10,000", "10,001", None),
    (
        Split(split_size=(2, 2)),
        (IMAGE,),
        "the pieces do not add up to the axis",
        "a sum of 3",
        "2 + 2 = 4",
        None,
    ),
    (Split(split_size=1, dim=4), (IMAGE,), "dim is out of range", "an axis from -4 to 3", "4", None),
]

COMBINING: list[Refusal] = [
    (
        Add(),
        ((2, 3, 5), (2, 4, 5)),
        "inputs do not go together",
        "equal shapes, or 1 where they differ",
        "2×3×5 and 2×4×5",
        None,
    ),
    (
        Add(inplace=True),
        ((2, 3, 1), (2, 3, 5)),
        "inplace needs a result like the first input",
        "2×3×5",
        "2×3×1",
        None,
    ),
    (
        Concat(),
        ((2, 3, 5), (2, 3, 7)),
        "inputs do not go together",
        "equal shapes but for axis 1",
        "2×3×5 and 2×3×7",
        None,
    ),
    (
        Concat(),
        ((2, 3, 5), (2, 3)),
        "inputs do not go together",
        "equal shapes but for axis 1",
        "2×3×5 and 2×3",
        None,
    ),
    (Concat(dim=3), ((2, 3, 5),), "dim is out of range", "an axis from -3 to 2", "3", None),
    (Mean(dim=(1, -2)), ((2, 3, 5),), "dim must name axes once each", "different axes", "[1, -2]", None),
    (Mean(dim=()), ((2, 3, 5),), "dim must name axes once each", "different axes", "[]", None),
    (Mean(dim=3), ((2, 3, 5),), "dim is out of range", "an axis from -3 to 2", "3", None),
]


@pytest.mark.parametrize(
    ("layer", "inputs", "problem", "expected", "found", "hint"),
    [
        *CONVOLUTION,
        *POOLING,
        *NORMALIZATION,
        *RESHAPING,
        *COMBINING,
        *VIEWS,
        *REARRANGING,
        *PAIRWISE,
        *REDUCTIONS,
        *PICKING,
        *PRODUCTS,
        *LOSSES,
        *GIVEN,
        *FUNCTIONS,
        *WRITING,
    ],
    ids=lambda value: value.type if isinstance(value, Layer) else "",
)
def test_refusal(layer: Layer, inputs: Inputs, problem: str, expected: str, found: str, hint: str | None) -> None:
    types = tuple(given if isinstance(given, TensorType) else TensorType(given) for given in inputs)
    with pytest.raises(ShapeError) as caught:
        layer.output_types(types)
    error = caught.value
    assert (error.problem, error.expected, error.found, error.hint) == (problem, expected, found, hint)


@pytest.mark.parametrize("equation", ["bij,bjk", "bii,bij->bij", "bij,bjk->bi", "i...,i->", "ij,jk->ikl"])
def test_equations_that_are_no_einsum_here(equation: str) -> None:
    with pytest.raises(SpecError, match="equation"):
        Einsum(equation=equation)


# Layers of values alone, on integers.
FLOATING_ONLY = [
    *("relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh"),
    *("softplus", "dropout", "layer_norm", "rms_norm", "local_response_norm", "l1_penalty"),
    *("mish", "selu", "hardtanh", "logsigmoid", "prelu", "glu"),
]
NEEDED = {"local_response_norm": {"size": 5}}
"""Fields without a default."""


@pytest.mark.parametrize("type_", FLOATING_ONLY)
def test_integers_are_refused(type_: str) -> None:
    layer = LAYERS[type_].model_validate({"type": type_, **NEEDED.get(type_, {})})
    with pytest.raises(ShapeError, match="needs floating-point input"):
        layer.output_types((ints(2, 3, 5),))


def test_a_clamp_has_a_bound() -> None:
    with pytest.raises(SpecError, match="min or max"):
        Clamp()


def test_an_opaque_layer_says_as_much_of_each_output() -> None:
    for fields in ({"dtypes": ("float32",) * 2}, {"dtypes": ("float32",), "batch_dims": (0, None)}):
        with pytest.raises(ValidationError, match="as many dtypes and batch_dims as shapes"):
            Opaque.model_validate({"op": "aten::foo", "shapes": ((1, 5),), **fields})


@pytest.mark.parametrize(("fields", "said"), MISTAKEN)
def test_a_function_says_where_each_gradient_comes_from(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        OwnBackward.model_validate({"op": "F", "returns": [0], **fields})


def test_integers_are_no_floats() -> None:
    with pytest.raises(ValidationError, match="Input should be int64, int32, int16, int8, uint8, bool"):
        Integers.model_validate({"op": "aten::foo", "shapes": ((1, 5),), "dtypes": ("float32",)})


def test_what_is_written_is_said_once() -> None:
    with pytest.raises(SpecError, match="numel or dims, not both"):
        Write(numel=1, dims=(1,))


def test_nothing_but_an_interpolated_image_is_smoothed() -> None:
    for mode in ("nearest", "trilinear"):
        with pytest.raises(SpecError, match="mode bilinear or bicubic with antialias"):
            Upsample(size=5, mode=mode, antialias=True)
    with pytest.raises(SpecError, match="no align_corners with antialias"):
        Upsample(size=5, mode="bilinear", align_corners=True, antialias=True)


def test_a_batch_norm_has_statistics() -> None:
    with pytest.raises(SpecError, match="training or track_running_stats"):
        BatchNorm2d(training=False, track_running_stats=False)


def test_message_as_a_user_reads_it() -> None:
    with pytest.raises(ShapeError) as caught:
        Reshape(shape=(16, 6, 5)).output_types((TensorType((2, 400)),))
    assert str(caught.value.at(layer="decoder.reshape")) == (
        "decoder.reshape: a reshape must keep the number of elements\n"
        "  expected: 400 elements a sample, from input 2×400\n"
        "  found: 16×6×5 = 480"
    )
