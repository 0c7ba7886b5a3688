"""Every layer as ONNX: there is a rendering of each, and it computes what torch does."""

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
from archcost.exporters.emit import OWN_DOMAIN
from archcost.exporters.onnx_file import renderings
from archcost.layers import LAYERS
from tests.exporters.exportable import ROWS, for_one_batch
from tests.layers.networks import batch_of, network_of
from tests.layers.rows import Row


def test_every_layer_type_has_a_rendering() -> None:
    assert renderings().keys() == LAYERS.keys()


VALUELESS = (
    *("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout"),
    *("rnn", "gru", "lstm"),
    *("constant", "opaque", "integers", "write", "masked_scatter", "expert_route", "as_strided"),
    *("bucketize", "searchsorted"),
)
"""Nothing is dropped, gates stand in another order, constants are zeros, bins do not rise; the rest no file says."""

OTHER_VALUES = {
    "addmm(": "the rows of a matrix are not the samples of a batch",
    "antialias=True": "the evaluator smoothes with other weights at the borders",
    "return_indices": "ONNX counts indices over the whole tensor, torch in each channel",
    "max_unpool": "ONNX counts indices over the whole tensor, torch in each channel",
    "track_running_stats": "ONNX has an instance norm of the sample's own statistics alone",
    "divisor_override": "a window that ceil_mode cuts is divided by fewer values",
    "sorted=False": "in any order",
    "gather(dim=2)-2×3×5×7-2×3×11×5": "the evaluator takes no shorter axes",
    "pad=(-": "the evaluator crops nothing",
    "bfloat16": "the evaluator's bfloat16 is another numpy type",
    "float8": "numpy has no such type",
    "groups=3": "the evaluator's transposed convolution has no groups",
    "conv_transpose2d(out_channels=5,kernel_size=(2, 3),stride=(3, 1)": "the evaluator forgets output_padding",
    "conv_transpose3d(out_channels=6": "the evaluator's transposed convolution has no groups",
    "local_response_norm(size=11)-2×3×5": "the evaluator takes images alone",
    "-7 int64-": "offsets do not rise",
    "roi_align(output_size=2)": "the evaluator takes as many points as a region is large",
    "unknown=": "torch cannot build what nobody knows",
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
        if any(node.domain == OWN_DOMAIN for node in model.graph.node):
            pytest.skip("ONNX has no operators for it, and nobody evaluates archcost's own")
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
