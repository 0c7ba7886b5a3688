"""One network stated in terms of another: `extends`, parameters, blocks, repeats of 0, and weights that are shared."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcost
from archcost import ModelCost
from archcost.errors import SpecError
from tests.specs.variants import costed


def load(folder: Path, text: str) -> archcost.ModelSpec:
    file = folder / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    return archcost.load(file)


def cost(spec: archcost.ModelSpec) -> ModelCost:
    return archcost.cost(archcost.build(spec))


BASE = """
name: base
citation: Somebody, 2020
published: {parameters: 24}
input: [3]
parameters: {width: 4, depth: 1, extra: 0}
blocks:
  one: {layers: [{type: linear, out_features: $width}]}
  two: {layers: [{type: linear, out_features: 2, bias: false}]}
layers:
  - repeat: $depth
    layers: [{block: one}]
  - repeat: $extra
    layers: [{type: relu, name: extra}]
  - {block: two, name: last}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    return tmp_path


def test_a_parameter_takes_the_place_of_the_familys(folder: Path):
    # (3 + 1)*4 + 4*2 = 24 in the base; (3 + 1)*5 + 5*2 = 30 here.
    assert cost(archcost.load(folder / "base.yaml")).parameters == 24
    spec = load(folder, "{extends: base.yaml, name: mine, parameters: {width: 5}}")
    assert spec.parameters == {"width": 5, "depth": 1, "extra": 0}
    assert cost(spec).parameters == 30


def test_a_block_takes_the_place_of_the_familys_and_the_others_stay(folder: Path):
    spec = load(folder, "{extends: base.yaml, name: mine, blocks: {two: {layers: [{type: relu}]}}}")
    assert [layer.type for layer in cost(spec).layers] == ["linear", "relu"]


def test_everything_else_is_replaced_whole(folder: Path):
    spec = load(folder, "{extends: base.yaml, name: mine, input: [7], layers: [{type: relu}]}")
    assert [layer.type for layer in cost(spec).layers] == ["relu"]
    assert spec.inputs["input"].shape == (7,)
    assert spec.citation == "Somebody, 2020"


def test_published_figures_belong_to_the_network_that_states_them(folder: Path):
    assert load(folder, "{extends: base.yaml, name: mine, parameters: {width: 5}}").published is None
    with pytest.raises(SpecError, match="published parameters disagree"):
        cost(load(folder, "{extends: base.yaml, name: mine, parameters: {width: 5}, published: {parameters: 24}}"))


def test_a_repeat_of_0_leaves_its_layers_out(folder: Path):
    names = [layer.name for layer in cost(archcost.load(folder / "base.yaml")).layers]
    assert names == ["one1.fc1", "last.fc1"]
    with_it = load(folder, "{extends: base.yaml, name: mine, parameters: {extra: 1, depth: 2}}")
    assert [layer.name for layer in cost(with_it).layers] == ["one1.fc1", "one2.fc1", "extra", "last.fc1"]


def test_a_family_may_extend_a_family(folder: Path):
    (folder / "middle.yaml").write_text("{extends: base.yaml, name: middle, parameters: {width: 5}}", encoding="utf-8")
    spec = load(folder, "{extends: middle.yaml, name: mine, parameters: {depth: 2}}")
    assert cost(spec).parameters == 4 * 5 + 6 * 5 + 5 * 2


def test_a_users_file_extends_a_shipped_network_by_name(tmp_path: Path):
    spec = load(tmp_path, "{extends: resnet18, name: mine, parameters: {classes: 10}}")
    assert cost(spec).parameters == 11_689_512 - (512 + 1) * 990


def test_two_families_cannot_extend_each_other(folder: Path):
    (folder / "other.yaml").write_text("{extends: mine.yaml, name: other}", encoding="utf-8")
    with pytest.raises(SpecError, match="circle"):
        load(folder, "{extends: other.yaml, name: mine}")


# The zero-repeat idiom in what ships -----------------------------------------------------------------------------


def types(network: str) -> list[str]:
    return [layer.type for layer in costed(network).layers]


def test_a_lrn_is_a_with_one_layer_more():
    found = types("vgg_a_lrn")
    assert found.pop(2) == "local_response_norm"
    assert found == types("vgg_a")


def test_column_c_is_b_with_three_pairs_more():
    assert types("vgg_c").count("conv2d") == types("vgg_b").count("conv2d") + 3


def test_a_shortcut_without_a_convolution_is_the_blocks_input():
    """An empty block passes its input on, so that `add` reads one name either way."""
    by_name = {layer.name: layer for layer in costed("resnet18").layers}
    read = {name: [str(port) for port in layer.node.inputs] for name, layer in by_name.items()}
    assert read["stage1.residual1.add"] == ["stage1.residual1.bn2", "pool1"]
    assert read["stage1.residual2.add"] == ["stage1.residual2.bn2", "stage1.residual1.relu2"]
    assert read["stage2.residual1.add"] == ["stage2.residual1.bn2", "stage2.residual1.shortcut.bn"]
    assert read["stage2.residual1.shortcut.conv"] == ["stage1.residual2.relu2"]


def test_every_layer_of_a_dense_block_reads_all_before_it():
    by_name = {layer.name: layer for layer in costed("densenet121").layers}
    channels = [by_name[f"dense1.dense_layer{n}.norm1"].node.input_types[0].shape[1] for n in range(1, 7)]
    assert channels == [64, 96, 128, 160, 192, 224]


# Weights that are shared -----------------------------------------------------------------------------------------


def test_a_tied_autoencoder_counts_its_weights_once():
    tied, free = costed("autoencoder_tied"), costed("autoencoder")
    # 784*400 + 400*256 weights, once or twice; biases 400 + 256 + 400 + 784 either way.
    assert free.parameters == 2 * (313_600 + 102_400) + 1_840
    assert tied.parameters == 313_600 + 102_400 + 1_840
    by_name = {layer.name: layer for layer in tied.layers}
    assert by_name["decode1.fc"].parameters == by_name["decode1.fc"].biases == 784
    assert by_name["decode2.fc"].parameters == by_name["decode2.fc"].biases == 400


def test_a_tied_autoencoder_works_as_much_as_a_free_one():
    """A shared weight's gradient is computed at both its places, and added up."""
    tied, free = costed("autoencoder_tied"), costed("autoencoder")
    assert tied.macs == free.macs == 2 * (313_600 + 102_400)
    assert tied.flops.backward.contraction == free.flops.backward.contraction == 2 * (2 * 832_000 - 313_600)


def test_a_sparse_autoencoder_computes_both_terms_of_its_loss():
    sparse, free = costed("autoencoder_sparse"), costed("autoencoder")
    assert [layer.name for layer in sparse.layers if layer not in free.layers][-2:] == ["error", "sparsity"]
    assert [port.producer for port in sparse.graph.outputs] == ["error", "sparsity"]
    assert [str(port) for port in sparse.layers[-1].node.inputs] == ["code"]
    assert (sparse.parameters, sparse.macs) == (free.parameters, free.macs)
