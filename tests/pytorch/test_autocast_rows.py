"""Every row under autocast beside torch: the dtypes that come out, of inputs in one dtype and mixed, and the copies.

On a CPU torch really runs them. On a GPU they are fake tensors, which have a dtype and a device and no values: torch's
own autocast, dispatcher and type promotion, without a driver.
"""

from __future__ import annotations

import logging
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from archcost.errors import ShapeError
from archcost.passes.run import Precision, Run
from archcost.terms.autograd import Device
from archcost.testing.autocast import Answer, ask_rule, ask_torch, mixtures, module_of
from tests.layers.rows import Row
from tests.pytorch.test_saved import ROWS

HAS_CUDA = torch.backends.cuda.is_built()

ASK_FOR_A_DRIVER = frozenset(
    [
        *("batch_norm1d", "batch_norm2d", "batch_norm3d", "instance_norm1d", "instance_norm2d", "instance_norm3d"),
        *("grid_sample", "slice", "unfold", "write", "rnn", "gru", "lstm", "ctc"),
        *("deform_conv2d", "multi_margin", "multilabel_margin", "grouped_mm", "hqq_linear"),
    ]
)
"""Types that a CPU build of torch cannot run on fake tensors of a GPU, or not as cuDNN would. A CUDA build can, but for
recurrent layers.
"""

REFUSED = {
    "write": "values of another dtype by index",
    "scatter": "values of another dtype",
    "scatter_add": "values of another dtype, in place or on a CPU, where autocast does not widen",
    "index_add": "values of another dtype",
    "lerp": "ends of different dtypes",
    "mv": "a matrix and a vector of different dtypes on a CPU",
    "addmv": "a matrix and a vector of different dtypes on a CPU",
    "dot": "vectors of different dtypes on a CPU",
    "ndtri": "16 bits",
    "log_ndtr": "16 bits",
    "erfcx": "16 bits",
    "rrelu": "float16 on a CPU",
    "multinomial": "float16 on a CPU",
    "masked_scatter": "values of another dtype",
    "upsample": "antialias in 16 bits on a CPU",
    "lstm": "float16 on a CPU",
    "weight_norm": "directions and lengths of different dtypes on a CPU",
    "complex": "parts of different dtypes, or in bfloat16",
    "view_as_complex": "parts in bfloat16 on a GPU",
    "rfft": "bfloat16 on a GPU",
    "solve_triangular": "16 bits on a CPU",
    "solve": "matrices of zeros, which have no inverse, and 16 bits on a GPU",
    "inverse": "matrices of zeros, which have no inverse, and 16 bits on a GPU",
    "scatter_reduce": "values of another dtype",
    "index_reduce": "values of another dtype",
    "cross": "vectors of different dtypes on a CPU",
    "bilinear": "inputs in another dtype than the weight on a CPU",
    "embedding_bag": "weights of rows in another dtype than the table on a CPU",
    "deform_conv2d": "offsets in another dtype than the weight",
    "bce": "16 bits on a GPU: autocast bans it",
    "grouped_mm": "rows in another dtype than the matrices on a CPU",
    "linear_cross_entropy": "fake tensors: it asks how many labels count",
    "multi_margin": "fake tensors of a GPU, which no kernel of a build without one takes",
}
"""Types of which torch refuses some rows in some dtypes, and what."""

FAKES_TAKE = {
    "polar": "no kernel takes 16 bits",
    "complex": "parts in bfloat16",
    "rfft": "float16 but for powers of two",
    "inverse": "16 bits have no factors",
    "solve": "16 bits have no factors",
    "solve_triangular": "16 bits have no factors",
}
"""Types whose layer refuses dtypes that torch takes for fake tensors, since it has no kernel for them."""

FAKES_MIX = frozenset(["cross"])
"""Types that torch takes in two dtypes for fake tensors, though it has no kernel for them."""

MIXES = frozenset(["solve_triangular"])
"""Types whose layer refuses matrices of two dtypes, of which torch makes one on a CPU."""

COPIES_INSIDE = {
    "linear_cross_entropy": "pieces are cast within it: `autograd` has them",
    "linear_8bit": "works in float16 within, and gives what arrived back: `autograd` has it",
    "hqq_linear": "scales and zeros are cast as the weight is made of them: `autograd` has it",
    "weight_only_linear": "the weight is made in float32 first: `autograd` has it",
    "linear_4bit": "a bias is cast once for all, when the layer is run for the first time",
    "bce": "a weight is stretched before it is cast, and its copy is as large as the losses",
    "cast": "the layer is a copy",
    "cast_like": "the layer is a copy",
    "where": "a number and integers meet in float32",
    "cross_entropy": "on a GPU log-probabilities are cast for nll_loss: `autograd` has them",
    "scaled_dot_product_attention": "composed attention multiplies in float32",
    "rms_norm": "composed on a CPU, of float32 copies",
    "instance_norm1d": "running statistics are repeated in the input's dtype",
    "instance_norm2d": "running statistics are repeated in the input's dtype",
    "instance_norm3d": "running statistics are repeated in the input's dtype",
    "local_response_norm": "composed, partly in float32: its own rule has the sizes",
    "rnn": "every step casts; what lives only while a recurrent layer runs is not modelled",
    "gru": "every step casts; what lives only while a recurrent layer runs is not modelled",
    "lstm": "every step casts; what lives only while a recurrent layer runs is not modelled",
}
"""Types that make copies in another dtype beside those of autocast for their inputs and weights, and why."""


def is_different(row: Row, device: Device) -> bool:
    """An LSTM with projections is composed on a CPU: the state of its cells stays in float32, which no rule says."""
    return device == "cpu" and row.layer.type == "lstm" and bool(row.layer.model_dump().get("proj_size"))


def makes_copies_of_its_own(row: Row) -> bool:
    """A convolution casts what it has padded, not what arrives."""
    pads = getattr(row.layer, "padding_mode", "zeros") != "zeros" or getattr(row.layer, "padding", 0) == "same"
    return pads or row.layer.type in COPIES_INSIDE


class Built(NamedTuple):
    device: Device
    fake: FakeTensorMode
    modules: list[tuple[Row, nn.Module]]


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def built(request: pytest.FixtureRequest) -> Built:
    device: Device = request.param
    fake = FakeTensorMode()
    silent = frozenset(["rnn", "gru", "lstm"]) if HAS_CUDA else ASK_FOR_A_DRIVER
    told = [row for row in ROWS if not is_different(row, device)]
    asked = [row for row in told if device == "cpu" or row.layer.type not in silent]
    logging.getLogger("torch._subclasses.fake_tensor").setLevel(logging.CRITICAL)  # it logs what torch refuses
    return Built(device, fake, [(row, module_of(row, device, fake)) for row in asked])


@pytest.mark.parametrize("precision", ["amp-bf16", "amp-fp16"])
def test_what_comes_out_and_which_copies_are_made(built: Built, precision: Precision) -> None:
    dtype = Run(precision=precision).autocast
    assert dtype is not None
    refused: set[str] = set()
    different: list[tuple[str, Answer, Answer]] = []
    compared = 0
    for row, module in built.modules:
        for types in mixtures(row, (dtype, "float32") if precision == "amp-bf16" else (dtype,)):
            try:
                by_torch = ask_torch(module, types, built.device, dtype, built.fake)
            except (RuntimeError, NotImplementedError):
                refused.add(row.layer.type)
                continue
            try:
                by_rule = ask_rule(row, types, built.device, precision)
            except ShapeError:
                known = FAKES_TAKE if built.device == "cuda" else MIXES
                assert row.layer.type in known
                continue
            if makes_copies_of_its_own(row):
                by_torch, by_rule = by_torch._replace(copies=()), by_rule._replace(copies=())
            is_mixed = row.layer.type in FAKES_MIX and len({tensor.dtype for tensor in types}) > 1
            if by_rule != by_torch and not is_mixed:
                different.append((f"{row} {[tensor.dtype for tensor in types]}", by_torch, by_rule))
            compared += 1
    assert different == []
    assert refused - REFUSED.keys() == set()
    assert compared > 500
