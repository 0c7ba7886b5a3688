"""A network and what is read from a module of it: other names, the same layers."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.comparison.compare import Comparison, side_by_side
from tests.collections.torchvision_models import declare_operators

torch = pytest.importorskip("torch")

# Ours, theirs, how many layers without weights and operations differ, and how many are executed elsewhere.
# A DenseNet of torchvision lays a single map beside nothing at the head of each block; its GoogLeNet works out the
# auxiliary heads on the way.
TORCHVISION = [
    ("resnet50", "resnet50", 0, 0),
    ("mobilenet_v2", "mobilenet_v2", 0, 0),
    ("densenet121", "densenet121", 4, 0),
    ("googlenet", "googlenet", 0, 18),
]


def with_module(name: str, module: Any) -> Comparison:
    graph = archcost.build(archcost.load(name))
    inputs = [torch.zeros(tensor.shape, device="meta") for tensor in graph.inputs.values()]
    imported = archcost.from_torch(module, *inputs, name=name)
    return side_by_side([archcost.cost(graph), archcost.cost(archcost.build(imported))])


def torchvision_module(name: str) -> Any:
    declare_operators()
    models = pytest.importorskip("torchvision.models")
    options = {"init_weights": False} if name == "googlenet" else {}
    with torch.device("meta"):
        return models.get_model(name, weights=None, **options).train()


def totals(comparison: Comparison) -> list[tuple[int, int, int, int]]:
    return [
        (network.parameters, network.macs, network.flops_forward, network.flops_backward)
        for network in comparison.networks
    ]


@pytest.mark.parametrize("name", ["mlp", "lenet5", "alexnet", "unet", "segnet", "resnet18", "squeezenet1_1"])
def test_a_network_and_its_own_module_under_other_names(name: str) -> None:
    with torch.device("meta"):
        inner = torch.nn.Sequential(archcost.pytorch.build(archcost.load(name)))  # names begin with "0."
    comparison = with_module(name, inner)
    assert comparison.aligned_by == "structure"
    assert [row for row in comparison.differing if row not in comparison.without_cost] == []
    assert len(set(totals(comparison))) == 1


@pytest.mark.parametrize(("ours", "theirs", "free", "elsewhere"), TORCHVISION)
def test_networks_and_those_of_torchvision(ours: str, theirs: str, free: int, elsewhere: int) -> None:
    comparison = with_module(ours, torchvision_module(theirs))
    assert comparison.aligned_by == "structure"
    changed = [row for row in comparison.differing if row.changed]
    assert len(changed) == free
    assert comparison.without_cost.issuperset(changed)
    assert len(comparison.differing) - len(changed) == elsewhere
    assert len(set(totals(comparison))) == 1


def test_vgg_of_torchvision_has_a_pool_more() -> None:
    comparison = with_module("vgg_d_bn", torchvision_module("vgg16_bn"))
    assert [row.names for row in comparison.differing] == [(None, "avgpool")]
    assert len(set(totals(comparison))) == 1


def test_a_residual_block_by_both_names() -> None:
    # the 1×1 convolution of the shortcut and the last of the main branch are equal in all that is compared
    names = {row.names for row in with_module("resnet50", torchvision_module("resnet50")).rows}
    block = {"conv1": "conv1", "bn2": "bn2", "conv3": "conv3", "shortcut.conv": "downsample.0", "add": "add1"}
    assert {(f"stage1.residual1.{ours}", f"layer1.0.{theirs}") for ours, theirs in block.items()} <= names
