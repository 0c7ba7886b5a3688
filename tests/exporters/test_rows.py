"""Every layer as ONNX: there is a rendering of each, the file is valid, and it computes what torch does."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor

import archcost
from archcost.exporters import onnx_bytes
from archcost.exporters.onnx_file import RENDERINGS
from archcost.layers import LAYERS, Unbind, View
from tests.layers import every_row
from tests.layers.networks import batch_of, network_of
from tests.layers.rows import Row


def is_refused(row: Row) -> bool:
    """Uneven windows whose indices are returned; the message is in test_onnx_file."""
    sizes = zip(row.input_types[0].shape[2:], row.outputs[0][2:], strict=False) if row.inputs else ()
    uneven = any(before % after for before, after in sizes)
    return row.layer.type.startswith("adaptive_max") and len(row.outputs) == 2 and uneven


def for_one_batch(row: Row) -> bool:
    """The batch is written into a shape, or decides how many outputs there are."""
    layer = row.layer
    shape_as_a_whole = isinstance(layer, View) and layer.shape[:1] != (-1,)
    return shape_as_a_whole or (isinstance(layer, Unbind) and layer.dim == 0) or row.inputs == ((3, 5), (5, 7))


ROWS = [row for row in every_row() if not is_refused(row)]
each_row = pytest.mark.parametrize("row", ROWS, ids=str)
each_of_any_batch = pytest.mark.parametrize("row", [row for row in ROWS if not for_one_batch(row)], ids=str)


def test_every_layer_type_has_a_rendering() -> None:
    assert RENDERINGS.keys() == LAYERS.keys()


def checked(row: Row, batch: int | None) -> onnx.ModelProto:
    model = onnx.load_from_string(onnx_bytes(network_of(row), batch))
    onnx.checker.check_model(model, full_check=True)
    return model


@each_row
def test_a_file_for_one_batch_is_valid_and_tells_every_shape(row: Row) -> None:
    """Held against ONNX's own inference, from the inputs alone."""
    model = checked(row, batch_of(row))
    graph = model.graph
    told = [*graph.input, *graph.value_info, *graph.output]
    assert {name for node in graph.node for name in node.output} <= {value.name for value in told}
    assert [sizes(value) for value in graph.output] == [list(shape) for shape in row.outputs]


def sizes(value: onnx.ValueInfoProto) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


@each_of_any_batch
def test_a_file_for_any_batch_is_valid(row: Row) -> None:
    checked(row, None)


VALUELESS = (
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
    *("rnn", "gru", "lstm"),
    *("constant", "opaque", "integers", "write"),
)
"""Nothing is dropped, gates stand in another order, constants are zeros, and what the rest does no file says."""

OTHER_VALUES = {
    "return_indices": "ONNX counts indices over the whole tensor, torch in each channel",
    "max_unpool": "ONNX counts indices over the whole tensor, torch in each channel",
    "track_running_stats": "ONNX has an instance norm of the sample's own statistics alone",
    "divisor_override": "a window that ceil_mode cuts is divided by fewer values",
    "sorted=False": "in any order",
    "gather(dim=2)-2×3×5×7-2×3×11×5": "the evaluator takes no shorter axes",
    "pad=(-": "the evaluator crops nothing",
    "bfloat16": "the evaluator's bfloat16 is another numpy type",
    "groups=3": "the evaluator's transposed convolution has no groups",
    "conv_transpose2d(out_channels=5,kernel_size=(2, 3),stride=(3, 1)": "the evaluator forgets output_padding",
    "conv_transpose3d(out_channels=6": "the evaluator's transposed convolution has no groups",
    "local_response_norm(size=11)-2×3×5": "the evaluator takes images alone",
}


def is_comparable(row: Row) -> bool:
    grouped_convolution = row.layer.type.startswith("conv") and "transpose" not in row.layer.type
    return (
        row.layer.type not in VALUELESS
        and (grouped_convolution or not any(words in str(row) for words in OTHER_VALUES))
        and not for_one_batch(row)
    )


@pytest.mark.parametrize("row", list(filter(is_comparable, ROWS)), ids=str)
def test_the_operators_compute_what_torch_does(row: Row) -> None:
    """Onnx's reference evaluator beside the torch mirror, on random values, in evaluation."""
    generator = torch.Generator().manual_seed(0)
    spec = network_of(row)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an even kernel of `padding: same` is copied
        network = archcost.pytorch.build(spec).eval().requires_grad_(False)
        weights = {**dict(network.named_parameters()), **dict(network.named_buffers())}
        for tensor in weights.values():
            tensor.copy_(some(tensor.shape, tensor.dtype, generator))
        given = {
            name: some((batch_of(row), *wanted.shape), getattr(torch, wanted.dtype), generator)
            for name, wanted in spec.inputs.items()
        }
        fed = {name: tensor.numpy() for name, tensor in {**given, **weights}.items()}
        model = onnx.load_from_string(onnx_bytes(spec))
        found = run(model, fed)
        wanted = network(**{name: tensor.clone() for name, tensor in given.items()})
    for array, tensor in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        np.testing.assert_allclose(array, tensor.numpy(), rtol=1e-3, atol=1e-4)
        assert array.dtype == tensor.numpy().dtype


def some(shape: Sequence[int], dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    """Positive, so that every function has a value; indices are 0 and 1."""
    if dtype.is_floating_point:
        return (torch.rand(tuple(shape), generator=generator) + 0.1).to(dtype)
    return torch.randint(0, 2, tuple(shape), generator=generator).to(dtype)


def run(model: onnx.ModelProto, fed: Mapping[str, Any]) -> list[Any]:
    wanted = {value.name for value in model.graph.input}
    return cast("list[Any]", ReferenceEvaluator(model).run(None, {name: fed[name] for name in wanted}))
