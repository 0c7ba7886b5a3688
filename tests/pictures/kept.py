"""`make pictures` (`python -m tests.pictures.kept`): the pictures of docs/plots.md, drawn again.

No part of `make docs`: another release of matplotlib draws the same picture in other bytes. A test holds what each says
of itself against what it would say now, so that a picture whose numbers are old is found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import archcost

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"

KEPT: dict[str, tuple[str, str, dict[str, Any]]] = {
    "timeline_vgg_d": ("vgg_d", "timeline", {"batch": 32, "hardware": "nvidia-rtx-2080-ti"}),
    "layers_vgg_d": ("vgg_d", "layers", {"batch": 32, "hardware": "nvidia-t4"}),
    "roofline_resnet50": (
        "resnet50",
        "roofline",
        {"batch": 64, "hardware": "nvidia-rtx-4090", "precision": "amp-bf16"},
    ),
    "volumes_alexnet_2012": ("alexnet_2012", "volumes", {}),
    "volumes_vgg_d": ("vgg_d", "volumes", {}),
    "volumes_conv_autoencoder_lecture": ("conv_autoencoder_lecture", "volumes", {}),
    "graph_unet": ("unet", "graph", {}),
    "pareto_resnet50": (
        "resnet50",
        "pareto",
        {"hardware": ["nvidia-rtx-3090", "nvidia-a100-sxm4-80gb"], "precision": ["fp32", "amp-fp16"]},
    ),
    "error_vgg_d": ("vgg_d", "error", {}),
}
"""By the name of the file: the network, the kind, and what else `archcost.plot` is given."""


def made(name: str) -> archcost.Picture:
    network, kind, settings = KEPT[name]
    return archcost.plot(network, kind, **settings)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in KEPT:
        made(name).save(FOLDER / f"{name}.svg")


if __name__ == "__main__":
    main()
