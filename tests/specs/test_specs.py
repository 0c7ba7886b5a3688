"""What every shipped network owes its reader, and the structure it shares with its family."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

import archcost
from archcost.graph.wiring import wire
from archcost.layers import LAYERS
from archcost.passes.order import in_precision
from archcost.spec import zoo
from tests.specs.language_models import NARROW
from tests.specs.variants import shortened

NETWORKS = zoo.names()
FAMILIES = sorted((zoo.folder() / "families").glob("*.yaml"))
FILES = [*(zoo.path(name) for name in NETWORKS), *FAMILIES]

PROMISED = {
    *("mlp", "autoencoder", "autoencoder_tied", "autoencoder_sparse", "lenet5"),
    *("conv_autoencoder_replication", "conv_autoencoder_bilinear"),
    *("conv_autoencoder_unpooling", "conv_autoencoder_transposed"),
    *("alexnet_2012", "alexnet", "alexnet_torchvision"),
    *("vgg_a", "vgg_a_lrn", "vgg_b", "vgg_c", "vgg_d", "vgg_e", "vgg_a_bn", "vgg_b_bn", "vgg_d_bn", "vgg_e_bn"),
    *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d", "wide_resnet50_2"),
    *("densenet121", "densenet161", "densenet169", "densenet201", "squeezenet1_0", "squeezenet1_1", "googlenet"),
    *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "shufflenet_v2", "inception_v3"),
    *("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3", "efficientnet_b4"),
    *("efficientnet_b5", "efficientnet_b6", "efficientnet_b7", "unet", "segnet", "fcn32s", "c3d", "mlp_mixer"),
    *("dcgan_generator", "dcgan_discriminator"),
    *("convnext_tiny", "vit_b_16", "swin_t", "vae", "adversarial_autoencoder", "resnet18_lstm"),
    *("vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"),
    *("gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl", "gpt3_175b"),
    *NARROW,
}
INPUTS = {
    ("image",),
    ("noise",),
    ("tokens",),
    ("tokens", "segments"),
    ("tokens", "written"),
    ("audio", "tokens"),
    ("image", "text", "pooled", "time", "guidance"),
    ("image", "time", "text"),
    ("image", "time", "text", "pooled", "sizes"),
}
UNPUBLISHED = {
    "vae": "neither the paper nor the example prints any",
    "adversarial_autoencoder": "the course's notebook prints no figures",
    "segnet_course": "the course's notebook prints no figures",
    "cnn3d_course": "the course's notebook prints no figures",
    "resnet18_lstm": "the course's notebook prints no figures",
    "autoencoder": "the course's notebook prints no figures",
    "autoencoder_tied": "ours, of the same",
    "autoencoder_sparse": "ours, of the same",
    "conv_autoencoder_replication": "sketched in the lecture, without figures",
    "conv_autoencoder_bilinear": "sketched in the lecture, without figures",
    "conv_autoencoder_unpooling": "sketched in the lecture, without figures",
    "conv_autoencoder_transposed": "sketched in the lecture, without figures",
    "conv_autoencoder_lecture": "sketched in the lecture, without figures",
    "conv_autoencoder_course": "the course's notebook prints no figures",
    "dcgan_generator": "neither the paper nor the example prints any",
    "dcgan_discriminator": "neither the paper nor the example prints any",
    "unet": "the paper prints none",
    "fcn32s": "the paper's 134 M leave the fixed weights out; see test_reference.py",
}


def stem(path: Path) -> str:
    return path.stem if path.parent.name == "specs" else f"families/{path.stem}"


def test_all_that_was_promised_ships():
    assert set(NETWORKS) >= PROMISED


@pytest.mark.parametrize("name", NETWORKS)
def test_builds_and_costs(name: str):
    """Of deep networks with two of their layers; in full size totals.json has them, and its test builds them."""
    one, cost = (archcost.cost(archcost.build(shortened(name), batch=batch)) for batch in (1, 3))
    assert cost.parameters == one.parameters > 0
    assert cost.macs == 3 * one.macs > 0
    assert {tensor.shape[:1] for tensor in cost.graph.returned} <= {(3,), ()}  # () is a loss


@pytest.mark.parametrize("name", NETWORKS)
def test_writes_back_what_loads_to_an_equal_spec(name: str):
    spec = archcost.load(name)
    assert archcost.loads(spec.to_yaml()) == spec


@pytest.mark.parametrize("name", NETWORKS)
def test_says_what_it_is_and_whose(name: str):
    spec = archcost.load(name)
    assert spec.name == name
    assert spec.title
    assert spec.citation
    assert re.search(r"(19|20)\d\d|lecture \d+", spec.citation)
    assert tuple(spec.inputs) in INPUTS


def test_every_title_is_its_own():
    titles = [archcost.load(name).title for name in NETWORKS]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("name", NETWORKS)
def test_states_published_figures_where_there_are_some(name: str):
    published = archcost.load(name).published
    assert (published is None) == (name in UNPUBLISHED)
    assert published is None or published.source


def test_a_wrong_published_figure_is_refused():
    tree = archcost.load("vgg_d").to_dict()
    tree["published"]["parameters"] = 138_344_128  # without the biases
    with pytest.raises(archcost.ArchcostError, match="published parameters disagree"):
        archcost.cost(archcost.build(archcost.ModelSpec.model_validate(tree)))


@pytest.mark.parametrize("path", FILES, ids=stem)
def test_names_the_schema_on_its_first_line(path: Path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert schema != first
    assert (path.parent / schema).resolve() == zoo.folder().resolve() / "schema.json"


@pytest.mark.parametrize("path", FAMILIES, ids=stem)
def test_a_family_is_itself_a_network(path: Path):
    spec = archcost.load(path)
    assert spec.citation
    assert archcost.cost(archcost.build(spec)).parameters > 0


@pytest.mark.parametrize("path", FAMILIES, ids=stem)
def test_a_family_has_members(path: Path):
    line = f"extends: families/{path.name}"
    assert any(line in zoo.path(name).read_text(encoding="utf-8") for name in NETWORKS)


# Shared structure is stated once ---------------------------------------------------------------------------------

SHORT = 4
"""Runs of fewer layers than this are idiom (convolution, norm, activation), not structure."""


def entry_lists(tree: Any) -> list[list[dict[str, Any]]]:
    """Every list of entries in a file, at any depth."""
    if isinstance(tree, list):
        return [inner for value in tree for inner in entry_lists(value)]
    if not isinstance(tree, dict):
        return []
    own = [tree["layers"]] if isinstance(tree.get("layers"), list) else []
    return own + [inner for value in tree.values() for inner in entry_lists(value)]


def signature(entry: dict[str, Any]) -> tuple[object, ...]:
    """An entry without the names and wiring that have to differ."""
    return tuple(sorted((key, str(value)) for key, value in entry.items() if key not in ("name", "inputs", "layers")))


GELU = {"phi.yaml", "flan_t5.yaml"}
"""Written out, as transformers' gelu_new is, in two networks that share nothing else."""


def test_no_two_files_copy_a_list_of_layers():
    seen: dict[tuple[object, ...], set[str]] = defaultdict(set)
    for path in FILES:
        for entries in entry_lists(yaml.safe_load(path.read_text(encoding="utf-8"))):
            if len(entries) > SHORT:
                seen[tuple(map(signature, entries))].add(path.name)
    copied = [files for files in seen.values() if len(files) > 1 and files != GELU]
    assert not copied


def test_a_member_of_a_family_lists_no_layers_of_the_network():
    """It overrides parameters and, at most, blocks."""
    for name in NETWORKS:
        tree = yaml.safe_load(zoo.path(name).read_text(encoding="utf-8"))
        assert not ("extends" in tree and "layers" in tree), name


def test_the_networks_together_use_only_known_layers_and_many_of_them():
    used = {layer.layer.type for name in NETWORKS for layer in wire(archcost.load(name)).layers}
    assert used <= set(LAYERS)
    assert {"conv_transpose2d", "max_unpool2d", "upsample", "local_response_norm", "concat", "add", "mse"} <= used


IN_FLOAT32 = (
    ".positions",
    "rotary_emb.ones",
    "gate.none",
    "_turned.parts",
    "scan.before",
    ".lengths",
    "cosines",
    "sines",
)


@pytest.mark.parametrize("network", NETWORKS)
def test_sixteen_bits_stay_sixteen(network: str) -> None:
    """A constant of 32 bits among tensors of 16 would have all that comes behind it computed in 32.

    Norms and angles that transformers works out in 32 bits begin with a cast, and what comes behind has 16 again.
    """
    graph = in_precision(archcost.build(shortened(network)), archcost.Run(precision="bf16"), "cuda")
    widened = [
        node.name
        for node in graph.nodes
        if node.layer.type != "cast"
        and "float32" in {tensor.dtype for tensor in node.output_types}
        and "float32" not in {tensor.dtype for tensor in node.input_types}
    ]
    assert [name for name in widened if not name.endswith(IN_FLOAT32)] == []
    widens_last = network.startswith("mamba")  # as transformers does for these alone
    assert widens_last or "float32" not in {tensor.dtype for tensor in graph.returned}
