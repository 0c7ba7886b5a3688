"""Every hand-worked row beside torch: the witness of the formulas' own tests."""

from __future__ import annotations

import pytest
from torch.utils.flop_counter import sdpa_backward_flop_count

import archcost
from archcost.layers import LAYERS, ScaledDotProductAttention
from archcost.layers.convolution.dynamic import Dynamic
from archcost.layers.rules import Call
from archcost.pytorch import verify
from archcost.pytorch.conventions import FVCORE_COUNTS
from archcost.pytorch.layers import FACTORIES
from archcost.terms.autograd import Setting
from archcost.testing import counted
from archcost.testing.built import module_on_meta, on_meta
from tests.layers import attention_cases, every_built_row, every_row
from tests.layers.rows import Row

ROWS = every_built_row()


def is_differentiable(row: Row) -> bool:
    """Nothing flows back through masks and indices, and through what torch has no derivative of."""
    outputs = row.layer.output_types(row.input_types)
    gradients = row.layer.autograd(Call(row.input_types, outputs, Setting(frozenset()))).gradients
    is_cut = row.inputs and not any(gradient is not None for gradient in gradients)
    return any(tensor.is_floating for tensor in outputs) and not is_cut


each_row = pytest.mark.parametrize("row", ROWS, ids=str)
each_differentiable = pytest.mark.parametrize(
    "row", [row for row in ROWS if any(t.is_floating for t in row.input_types) and is_differentiable(row)], ids=str
)
each_with_weights = pytest.mark.parametrize("row", [row for row in ROWS if row.parameters], ids=str)


def is_network(row: Row) -> bool:
    """For any batch. Inputs of different batches are a row, but no network; so is a shape written out as a whole."""
    shape = row.layer.model_dump().get({"view": "shape", "as_strided": "size"}.get(row.layer.type, ""))
    one_batch_alone = shape is not None and shape[:1] != (-1,)
    return len({tensor.shape[:1] for tensor in row.input_types}) == 1 and not one_batch_alone


each_network = pytest.mark.parametrize("row", list(filter(is_network, ROWS)), ids=str)


def overcounted(row: Row) -> int:
    """The factor by which torch 2.13 counts a weight gradient of its own too often (KNOWN_DIFFERENCES)."""
    return 1 if row.layer.type == "deform_conv2d" else getattr(row.layer, "groups", 1)


def test_every_layer_type_has_a_module_and_a_row_of_what_fvcore_counts() -> None:
    assert FACTORIES.keys() == LAYERS.keys()
    assert FVCORE_COUNTS.keys() == LAYERS.keys()
    assert {row.layer.type for row in every_row()} == LAYERS.keys()


@each_row
def test_shapes(row: Row) -> None:
    counted.shapes(row)


@each_row
def test_dtypes(row: Row) -> None:
    counted.dtypes(row)


@each_row
def test_weights(row: Row) -> None:
    counted.weights(row)


@each_row
def test_forward_flops(row: Row) -> None:
    """None at all where there are no products."""
    assert counted.forward_flops(row) == 2 * row.macs


def composed_macs(row: Row) -> int:
    """Where attention is declared fused, torch composes it on the meta device (KNOWN_DIFFERENCES): 2 times forward. The
    gradient of kernels is counted too often, like that of a weight.
    """
    if isinstance(row.layer, Dynamic):
        return row.macs + row.macs * row.layer.plain(row.input_types).groups
    fused = isinstance(row.layer, ScaledDotProductAttention) and row.layer.backend == "fused"
    return 2 * row.macs if fused else row.macs_of_inputs


@pytest.mark.parametrize("row", [row for row in attention_cases.ROWS if len(row.outputs[0]) == 4], ids=str)
def test_backward_flops_of_fused_attention(row: Row) -> None:
    """By torch's own rule for its fused kernels."""
    query, key, value = (tensor.shape for tensor in row.input_types[:3])
    by_torch = sdpa_backward_flop_count(row.outputs[0], query, key, value)
    assert (by_torch == 2 * row.macs_of_inputs) == (row.layer.model_dump()["backend"] == "fused")


NO_BACKWARD_ON_SHAPES = {"multi_margin", "multilabel_margin"}
"""Types whose backward torch has no meta kernel for."""


@each_differentiable
def test_backward_flops_of_the_inputs(row: Row) -> None:
    """One contraction of as many MACs as forward."""
    if row.layer.type in NO_BACKWARD_ON_SHAPES:
        return
    module = module_on_meta(row).requires_grad_(False)
    assert counted.backward_flops(module, on_meta(row, requires_grad=True)) == 2 * composed_macs(row)


@each_with_weights
def test_backward_flops_of_the_weights(row: Row) -> None:
    assert counted.backward_flops(module_on_meta(row), on_meta(row)) == 2 * row.macs_of_weights * overcounted(row)


UNHEARD = {
    *("einsum", "baddbmm", "addbmm", "mv", "addmv", "dot", "cdist", "bilinear"),
    *("scaled_dot_product_attention", "rnn", "gru", "lstm", "deform_conv2d", "linear_cross_entropy"),
}
"""Products that fvcore has no rule for."""


def is_quantized(row: Row) -> bool:
    return type(row.layer).__module__.startswith("archcost.layers.quantization.")


SILENCES = (
    "fvcore has no rule for aten::",
    "fvcore has no rule for archcost::",  # of integers
    "fvcore has no rule for prim::PythonOp",
    "fvcore has no rule for archcost::",
    "fvcore cannot trace it",  # `.data`, which its tracer takes for another tensor each time
)


def one_layer(row: Row) -> archcost.ModelSpec:
    inputs = {f"x{index}": tensor for index, tensor in enumerate(row.input_types)}
    return archcost.ModelSpec(
        name="row",
        inputs={name: {"shape": tensor.shape[1:], "dtype": tensor.dtype} for name, tensor in inputs.items()},  # pyright: ignore[reportArgumentType]
        layers=(row.layer.model_copy(update={"inputs": tuple(inputs), "name": "layer"}),),
    )


@each_network
def test_fvcore(row: Row) -> None:
    """fvcore itself, run on the row, counts what the table says it counts, or is named as silent."""
    verification = verify(one_layer(row), batch=row.input_types[0].shape[0])
    assert verification.disagreements == ()
    for check in verification.silent:
        assert check.by.startswith("fvcore")
        assert check.reason is not None
        assert check.archcost == 0 or row.layer.type in UNHEARD or is_quantized(row)
        assert check.reason.startswith(SILENCES)
