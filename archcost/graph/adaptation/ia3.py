"""IA3: a trained factor for each feature that goes into a layer or comes out of it (peft/tuners/ia3/layer.py, 0.21)."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.errors import ShapeError
from archcost.graph.adaptation.composite import Part, field_of, made
from archcost.graph.adaptation.lora import cast_in, features_out, frozen_base, stays
from archcost.graph.adaptation.modules import Module
from archcost.spec.adapters import Ia3
from archcost.terms.memory_format import Shape

FACTORS = "ia3_l.default"


def ia3(module: Module, adapter: Ia3, is_fed: bool, shape: Shape | None) -> Sequence[Part]:
    """The parts of PEFT's module in order of execution; `is_fed` scales what goes in. Raises ShapeError."""
    if module.kind == "embedding" or module.layers[0].type == "conv1d":
        raise ShapeError(
            "PEFT has no IA3 for this layer", expected="linear layers, conv2d and conv3d", found=module.layers[0].type
        )
    if module.kind == "linear" and module.layers[0].type != "linear":
        raise ShapeError(
            "no rule for IA3 on a weight of few bits", expected="lora or rslora", found=module.layers[0].type
        )
    return (
        _convolution(module, adapter, is_fed, shape)
        if module.kind == "convolution"
        else _linear(module, adapter, is_fed, shape)
    )


def _linear(module: Module, adapter: Ia3, is_fed: bool, shape: Shape | None) -> Sequence[Part]:
    """The factors are a row where they scale what goes in, a column where they scale what comes out."""
    features = (shape[-1] if shape else 1) if is_fed else features_out(module)
    factors = [
        Part(
            made(
                "parameter",
                FACTORS,
                (),
                shape=(1, features) if is_fed else (features, 1),
                keep_float32=stays(adapter),
            )
        ),
        Part(made("flatten", "flatten1", (FACTORS,), start_dim=0)),
        Part(made("scale", "scale1", ("flatten1",))),
    ]
    if is_fed:
        base = frozen_base(module, "cast2")
        scaled = [
            cast_in(adapter),
            Part(made("mul", "mul1", ("cast1", "scale1"))),
            Part(made("cast_like", "cast2", ("mul1", "input"))),
        ]
        return [*factors, *scaled, *base[:-1], Part(base[-1].layer, ("cast1", "scale1"))]
    base = frozen_base(module)
    result = base[-1].layer.name or ""
    return [
        *factors,
        *base,
        Part(made("mul", "mul1", (result, "scale1"))),
        Part(made("cast_like", "cast1", ("mul1", result)), (result, "scale1")),
    ]


def _convolution(module: Module, adapter: Ia3, is_fed: bool, shape: Shape | None) -> Sequence[Part]:
    axes = len(shape) - 2 if shape else 2
    channels = (shape[1] if shape else 1) if is_fed else field_of(module.layers[0], "out_channels")
    whole = (1, channels, *(1,) * axes)
    factors = [
        Part(made("parameter", FACTORS, (), shape=whole, keep_float32=stays(adapter))),
        Part(made("scale", "scale1", (FACTORS,))),
    ]
    if is_fed:
        scaled = [
            cast_in(adapter),
            Part(made("mul", "mul1", ("cast1", "scale1"))),
            Part(made("cast", "cast2", ("mul1",), dtype="weights")),
        ]
        last = Part(made("cast_like", "cast3", ("base_layer", "input")), ("cast1", "scale1", "cast2"))
        return [*factors, *scaled, *frozen_base(module, "cast2"), last]
    return [
        *factors,
        *frozen_base(module),
        cast_in(adapter, "base_layer"),
        Part(made("mul", "mul1", ("cast1", "scale1")), ("base_layer",)),
        Part(made("cast_like", "cast2", ("mul1", "input")), ("scale1",)),
    ]
