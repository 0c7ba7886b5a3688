"""Shipped networks as they are, on another input, or with other parameters; and what they cost."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

import archcost
from archcost import ModelCost, ModelSpec
from archcost.costs.model import LayerCost
from archcost.graph.wiring import wire
from archcost.spec import zoo
from archcost.spec.overrides import set_inputs
from tests.specs.language_models import DECODER, NARROW


def variant(network: str, image: tuple[int, ...] | None = None, **parameters: int) -> ModelSpec:
    """A shipped network with an image of another shape, or with other values for some of its parameters.

    Inputs whose sizes are parameters follow them.
    """
    spec = archcost.load(network)
    unknown = set(parameters) - set(spec.parameters)
    assert not unknown, f"{network} has no parameter {unknown}"
    tree: dict[str, Any] = spec.to_dict() | {"parameters": {**spec.parameters, **parameters}, "published": None}
    made = ModelSpec.model_validate(tree)
    return set_inputs(made, ["x".join(map(str, image))], parameters) if image else made


SMALLER: dict[str, tuple[tuple[int, ...] | None, dict[str, int]]] = {
    "c3d": ((3, 16, 32, 32), {}),
    "fcn32s": ((3, 64, 64), {"side": 64}),
    "segnet": ((3, 44, 56), {"height": 44, "width": 56}),
    "unet": ((1, 188, 188), {"side": 188}),
    "mlp_mixer": ((3, 64, 64), {}),
    "densenet161": ((3, 64, 64), {"depth3": 6, "depth4": 6}),
    "densenet169": ((3, 64, 64), {"depth3": 12, "depth4": 6}),
    "densenet201": ((3, 64, 64), {"depth3": 6, "depth4": 12}),
    "resnet101": ((3, 64, 64), {"depth3": 7}),
    "resnet152": ((3, 64, 64), {"depth2": 5, "depth3": 7}),
    "efficientnet_b1": ((3, 64, 64), {}),
    **dict.fromkeys((f"efficientnet_b{n}" for n in range(2, 8)), ((3, 64, 64), {"deeper": 10})),
    **dict.fromkeys(("resnext50_32x4d", "wide_resnet50_2", "googlenet", "mobilenet_v2"), ((3, 64, 64), {})),
    **dict.fromkeys(("mobilenet_v3_small", "shufflenet_v2", "squeezenet1_1"), ((3, 64, 64), {})),
    "cnn3d_course": ((3, 32, 64, 64), {}),
    "resnet18_lstm": ((5, 3, 32, 32), {"frames": 5}),
    **dict.fromkeys(("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"), ((3, 64, 64), {"depth": 2})),
    "convnext_tiny": ((3, 64, 64), {"depth3": 2}),
    "swin_t": ((3, 128, 128), {"width": 32, "heads": 1, "pairs3": 1, "window": 4, "shift": 2}),
    **dict.fromkeys(("gpt2", "gpt2_medium", "gpt2_large", "gpt2_xl", "gpt3_175b"), (None, {**DECODER, "context": 48})),
    **{name: (None, narrow) for name, narrow in NARROW.items()},
    **dict.fromkeys(("transformer_base", "transformer_big"), (None, {**DECODER, "written": 24})),
    **dict.fromkeys(("vgg_a_bn", "vgg_b_bn", "vgg_d_bn", "vgg_e_bn"), ((3, 64, 64), {})),
}
"""Images that torch is quick with, parameters that go with them, and fewer rounds of what is repeated; of transformers
narrow ones.
"""


def smaller(network: str) -> ModelSpec:
    """The network as in `SMALLER` where it is there, else as it ships."""
    if network not in SMALLER:
        return archcost.load(network)
    image, parameters = SMALLER[network]
    return variant(network, image, **parameters)


@cache
def one_of_each() -> tuple[str, ...]:
    """The networks that ship, of those that are the same when they are narrow the first."""
    seen: set[str] = set()
    found: list[str] = []
    for name in zoo.names():
        tree = yaml.safe_load(zoo.path(name).read_text(encoding="utf-8"))
        sizes = {**tree.get("parameters", {}), **NARROW.get(name, {})}
        network = repr((tree.get("extends", name), tree.get("blocks"), sorted(sizes.items(), key=str)))
        if name not in NARROW or network not in seen:
            seen.add(network)
            found.append(name)
    return tuple(found)


DEEPEST = 1000
"""Layers up to which a network is gone through whole where each of its layers is looked at."""


def shortening(network: str) -> tuple[str, ...]:
    """Settings that leave two of the layers of a deep network: those that follow repeat them."""
    spec = archcost.load(network)
    deep = "depth" in spec.parameters and len(wire(spec).layers) > DEEPEST
    return ("depth=2",) if deep else ()


def shortened(network: str) -> ModelSpec:
    return archcost.load(network, settings=shortening(network))


@cache
def costed(network: str, image: tuple[int, ...] | None = None, **parameters: int) -> ModelCost:
    """Its cost at batch 1, published figures checked where nothing is changed."""
    spec = variant(network, image, **parameters) if image or parameters else archcost.load(network)
    return archcost.cost(archcost.build(spec))


def layers(cost: ModelCost, *types: str) -> list[LayerCost]:
    return [layer for layer in cost.layers if layer.type in types]


def weights(found: list[LayerCost]) -> int:
    """Without biases."""
    return sum(layer.parameters - layer.biases for layer in found)


def macs(found: list[LayerCost]) -> int:
    return sum(layer.macs for layer in found)


def backward(found: list[LayerCost]) -> int:
    """Contraction FLOPs of both gradients."""
    return sum(layer.flops.backward.contraction for layer in found)


def numel(found: list[LayerCost]) -> int:
    """Values that come out, indices left out."""
    return sum(layer.node.output_types[0].numel for layer in found)
