"""The file as a whole: what it tells of a network, what is refused, and the command."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import archcost
from archcost.cli import main
from archcost.errors import ArchcostError
from archcost.exporters import onnx_bytes


def shape_of(value: onnx.ValueInfoProto) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def spec_of(layers: str, shape: str = "[3, 5, 7]") -> archcost.ModelSpec:
    return archcost.loads(f"name: small\ninput: {shape}\nlayers:\n{layers}")


def test_weights_are_inputs_by_torch_names_with_shapes_and_no_values() -> None:
    graph = onnx.load_from_string(onnx_bytes(archcost.load("lenet5"))).graph
    shapes = {value.name: shape_of(value) for value in graph.input}
    assert shapes["image"] == ["batch", 1, 32, 32]
    assert shapes["conv1.weight"] == [6, 1, 5, 5]
    assert shapes["fc5.bias"] == [120]
    assert not graph.initializer  # not one of the operators needs a number


def test_buffers_are_told_from_parameters() -> None:
    graph = onnx.load_from_string(onnx_bytes(spec_of("  - {type: batch_norm2d, name: bn}"))).graph
    marks = {value.name: [(entry.key, entry.value) for entry in value.metadata_props] for value in graph.input}
    assert marks["input"] == []
    assert marks["bn.weight"] == [("archcost.weight", "parameter")]
    assert marks["bn.running_var"] == [("archcost.weight", "buffer")]


def test_sizes_that_the_batch_decides() -> None:
    """As `batch` and its multiples, or the numbers of the batch that is given."""
    spec = spec_of("  - {type: permute, dims: [1, 0, 2, 3]}\n  - {type: flatten, name: flat, start_dim: 0, end_dim: 1}")
    (any_batch,) = onnx.load_from_string(onnx_bytes(spec)).graph.output
    (of_two,) = onnx.load_from_string(onnx_bytes(spec, 2)).graph.output
    assert shape_of(any_batch) == ["3*batch", 5, 7]
    assert shape_of(of_two) == [6, 5, 7]


def test_a_shared_weight_stands_once() -> None:
    graph = onnx.load_from_string(onnx_bytes(archcost.load("autoencoder_tied"))).graph
    weights = [value.name for value in graph.input if value.name.endswith(".weight")]
    assert len(weights) == len(set(weights))
    assert {node.op_type for node in graph.node} >= {"Transpose", "Gemm"}


def test_a_network_of_175_billion_weights_is_a_small_file() -> None:
    spec = archcost.load("gpt3_175b")
    assert archcost.cost(archcost.build(spec)).parameters > 174_000_000_000
    assert len(onnx_bytes(spec)) < 1_000_000


@pytest.mark.parametrize(("dtype", "number"), [("float32", 1), ("complex64", 14), ("complex128", 15)])
def test_an_operation_without_a_rule_is_a_node_of_our_own_domain(dtype: str, number: int) -> None:
    spec = spec_of(
        f"  - {{type: opaque, op: 'vision::roi', inputs: [input], shapes: [[1, 5, 2]], dtypes: [{dtype}],"
        " batch_dims: [0]}"
    )
    model = onnx.load_from_string(onnx_bytes(spec))
    onnx.checker.check_model(model, full_check=True)
    assert [(node.domain, node.op_type) for node in model.graph.node] == [("archcost", "vision::roi")]
    assert shape_of(model.graph.output[0]) == ["batch", 5, 2]
    assert model.graph.output[0].type.tensor_type.elem_type == number


def test_a_weight_that_is_given_is_no_input() -> None:
    spec = spec_of(
        "  - {type: parameter, name: shared, shape: [5, 7]}\n"
        "  - {type: linear, name: fc, out_features: 5, bias: false, inputs: [input], given: {weight: shared}}"
    )
    graph = onnx.load_from_string(onnx_bytes(spec)).graph
    assert [value.name for value in graph.input] == ["input", "shared.weight"]


LISTED = (
    "ONNX has the positions written out, and the batch decides how many there are\n"
    "  expected: a batch that is known\n"
    "  found: any batch\n"
    "  try: --batch N"
)

REFUSED = {
    "given": (
        "  - {type: parameter, name: shared, shape: [5, 7]}\n"
        "  - {type: select, index: 0, inputs: [input]}\n"
        "  - {type: rnn, name: rnn, hidden_size: 5, given: {weight_ih_l0: shared}}",
        "rnn: ONNX keeps weights of recurrent layers packed, so that none can be given\n  found: weight_ih_l0",
    ),
    "lstm": (
        "  - {type: select, index: 0, inputs: [input]}\n  - {type: lstm, name: lstm, hidden_size: 5, proj_size: 3}",
        "lstm: ONNX has no LSTM with a projection\n  expected: proj_size: 0\n  found: 3",
    ),
    "adaptive_max_pool2d": (
        "  - {type: adaptive_max_pool2d, output_size: 2, return_indices: true, name: pool}",
        "pool: ONNX has no pool that returns the indices of uneven windows\n"
        "  expected: a multiple of 2×2\n"
        "  found: 5×7",
    ),
    "complex": (
        "  - {type: rfft, name: spectrum}\n"
        "  - {type: transpose, name: turned, dim0: 2, dim1: 3}\n"
        "  - {type: matmul, name: product, inputs: [spectrum, turned]}",
        "product: ONNX has no operator that computes with complex numbers\n"
        "  expected: layers that move or transform them\n"
        "  found: matmul of complex64",
    ),
    "split": (
        "  - {type: split, split_size: 1000, dim: 0, name: apart}",
        "apart: ONNX names the size of every piece, and the batch decides how many there are\n"
        "  expected: a batch that is known\n"
        "  found: any batch\n"
        "  try: --batch N",
    ),
    "diagonal": (
        "  - {type: diagonal, dim1: 0, dim2: 1, name: middle}",
        f"middle: {LISTED}",
    ),
    "tensor_unfold": (
        "  - {type: tensor_unfold, dimension: 0, size: 2, step: 1, name: apart}",
        f"apart: {LISTED}",
    ),
    "reshape": (
        "  - {type: permute, dims: [1, 0, 2, 3]}\n"
        "  - {type: view, shape: [-1, 35], name: rows}\n"
        "  - {type: transpose, dim0: 0, dim1: 1}\n"
        "  - {type: matmul, name: pairs, inputs: [rows, transpose1]}\n"
        "  - {type: unflatten, dim: 0, unflattened_size: [3, -1], name: apart}",
        "apart: ONNX cannot reshape where the batch decides two sizes\n"
        "  expected: one size at most that is not copied from the input\n"
        "  found: [3, -1, -1]\n"
        "  try: --batch N",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind: str) -> None:
    layers, message = REFUSED[kind]
    with pytest.raises(ArchcostError) as caught:
        onnx_bytes(spec_of(layers))
    assert str(caught.value) == message


def test_what_is_refused_for_any_batch_is_written_for_one() -> None:
    assert onnx_bytes(spec_of("  - {type: split, split_size: 1, dim: 0}"), 3)


def test_export_writes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "vgg.onnx"
    assert main(["export", "vgg_d", "--input", "3x64x64", "--batch", "2", "-o", str(path)]) == 0
    assert capsys.readouterr().out == ""
    model = onnx.load(path)
    assert model.producer_name == "archcost"
    assert shape_of(model.graph.input[0]) == [2, 3, 64, 64]


def test_export_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "lenet5"]) == 2
    assert capsys.readouterr().err == (
        "archcost: no file to write to\n  expected: -o FILE.onnx\n  try: archcost export NETWORK -o FILE.onnx\n"
    )
