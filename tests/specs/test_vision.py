"""Vision transformers with images of other sizes: torchvision's published counts."""

from __future__ import annotations

import pytest

import archcost
from archcost import ArchcostError


@pytest.mark.parametrize(
    ("network", "image", "parameters", "macs"),  # of weights' metadata, `num_params` and `_ops`
    [
        ("vit_b_16", "3x384x384", 86859496, 55.484),  # IMAGENET1K_SWAG_E2E_V1
        ("vit_l_16", "3x512x512", 305174504, 361.986),  # IMAGENET1K_SWAG_E2E_V1
        ("vit_h_14", "3x224x224", 632045800, 167.295),  # IMAGENET1K_SWAG_LINEAR_V1
    ],
)
def test_an_image_alone_changes_the_table_of_positions(network: str, image: str, parameters: int, macs: float) -> None:
    cost = archcost.cost(archcost.build(archcost.load(network, inputs=[image])))
    assert (cost.parameters, round(cost.macs / 1e9, 3)) == (parameters, macs)


def test_an_image_that_is_no_square() -> None:
    spec = archcost.load("vit_b_16", inputs=["3x224x384"])
    assert archcost.build(spec).nodes[0].output_types[0].shape == (1, 768, 14, 24)


@pytest.mark.parametrize(
    ("image", "windows"),  # of 7 x 7 in the last stage; one alone is not shifted, as in torchvision
    [("3x224x224", 1), ("3x448x448", 4)],
)
def test_windows_of_swin_are_shifted_where_there_are_several(image: str, windows: int) -> None:
    graph = archcost.build(archcost.load("swin_t", inputs=[image]))
    rolled = [node for node in graph.nodes if node.layer.type == "roll" and node.name.startswith("stage4.")]
    assert len(rolled) == (0 if windows == 1 else 2)


def test_an_image_that_windows_do_not_divide() -> None:
    with pytest.raises(ArchcostError, match=r"stage1: cannot work out an expression\n.*not 96/7\n.*\$window = 7"):
        archcost.build(archcost.load("swin_t", inputs=["3x384x384"]))
