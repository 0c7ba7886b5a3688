"""Random small networks: the formulas and the witnesses agree on every number of every layer."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archcost
from archcost.errors import ShapeError
from archcost.layers import LAYERS, Layer
from archcost.pytorch import verify
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.network import as_tuple
from archcost.tensors import TensorType

NETWORKS = 400

small = st.integers(1, 4)
flag = st.booleans()


def sizes(draw: st.DrawFn, ndim: int, least: int, most: int) -> int | list[int]:
    """One integer for all axes, or one each."""
    one = st.integers(least, most)
    return draw(one | st.lists(one, min_size=ndim, max_size=ndim))


def convolution(draw: st.DrawFn, ndim: int, channels: int) -> dict[str, Any]:
    groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
    fields = {
        "type": f"conv{ndim}d",
        "out_channels": groups * draw(st.integers(1, 3)),
        "groups": groups,
        "kernel_size": sizes(draw, ndim, 1, 3),
        "dilation": sizes(draw, ndim, 1, 2),
        "bias": draw(flag),
        "trainable": draw(st.sampled_from([True, True, True, False])),
    }
    if draw(flag):
        return {**fields, "padding": "same", "padding_mode": draw(st.sampled_from(["zeros", "replicate"]))}
    return {**fields, "stride": sizes(draw, ndim, 1, 3), "padding": sizes(draw, ndim, 0, 2)}


def transposed(draw: st.DrawFn, ndim: int, channels: int) -> dict[str, Any]:
    fields = convolution(draw, ndim, channels)
    stride = draw(st.integers(1, 3))
    return {
        **{key: value for key, value in fields.items() if key != "padding_mode"},
        "type": f"conv_transpose{ndim}d",
        "padding": sizes(draw, ndim, 0, 1),
        "stride": stride,
        "output_padding": draw(st.integers(0, stride - 1)),
    }


def pool(draw: st.DrawFn, ndim: int, channels: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(["max", "avg", "adaptive_avg"]))
    if kind == "adaptive_avg":
        return {"type": f"adaptive_avg_pool{ndim}d", "output_size": draw(st.integers(1, 3))}
    fields: dict[str, Any] = {
        "type": f"{kind}_pool{ndim}d",
        "kernel_size": sizes(draw, ndim, 2, 3),
        "stride": draw(st.none() | st.integers(1, 3)),
        "padding": draw(st.integers(0, 1)),
        "ceil_mode": draw(flag),
    }
    return {**fields, "return_indices": draw(flag)} if kind == "max" else fields


def norm(draw: st.DrawFn, ndim: int, channels: int) -> dict[str, Any]:
    groups = draw(st.sampled_from([g for g in range(1, channels + 1) if channels % g == 0]))
    choices: list[dict[str, Any]] = [
        {"type": f"batch_norm{ndim}d", "affine": draw(flag), "track_running_stats": draw(flag)},
        {"type": "group_norm", "num_groups": groups, "affine": draw(flag)},
        {"type": "layer_norm", "bias": draw(flag)},
        {"type": "rms_norm"},
        {"type": "local_response_norm", "size": 3},
    ]
    return draw(st.sampled_from(choices))


def pointwise(draw: st.DrawFn, ndim: int, channels: int) -> dict[str, Any]:
    return {"type": draw(st.sampled_from(["relu", "gelu", "sigmoid", "dropout", "identity", "hardswish"]))}


def upsample(draw: st.DrawFn, ndim: int, channels: int) -> dict[str, Any]:
    mode = draw(st.sampled_from(["nearest", {1: "linear", 2: "bilinear", 3: "trilinear"}[ndim]]))
    return {"type": "upsample", "scale_factor": draw(st.sampled_from([1.5, 2])), "mode": mode}


def linear(draw: st.DrawFn, ndim: int, channels: int) -> dict[str, Any]:
    return {"type": "linear", "out_features": draw(small), "bias": draw(flag), "trainable": draw(flag)}


def split(draw: st.DrawFn, ndim: int, channels: int) -> dict[str, Any]:
    return {"type": "split", "split_size": draw(small)}


SINGLE = [convolution, pool, norm, transposed, upsample, linear, pool, norm, convolution, split, pointwise]


@st.composite
def networks(draw: st.DrawFn) -> archcost.ModelSpec:
    """A chain with branches, of layers that suit what arrives. Each reads the last tensor, or any earlier one."""
    ndim = draw(st.integers(1, 3))
    size = draw(st.lists(st.integers(3, 7 if ndim < 3 else 4), min_size=ndim, max_size=ndim))
    inputs = {f"x{index}": [draw(small), *size] for index in range(draw(st.integers(1, 2)))}
    tensors = {name: TensorType((2, *shape)) for name, shape in inputs.items()}
    layers: list[Layer] = []
    for number in range(draw(st.integers(3, 9))):
        names = list(tensors)
        source = names[-1] if draw(flag) else draw(st.sampled_from(names))
        layer = _joining(draw, source, tensors) if draw(st.integers(0, 3)) == 3 else _single(draw, source, tensors)
        layer = layer.model_copy(update={"name": f"layer{number}"})
        try:
            results = layer.output_types(tuple(tensors[name] for name in layer.inputs))
        except ShapeError:
            continue  # a kernel larger than what is left
        layers.append(layer)
        for port, result in enumerate(results):
            if result.is_floating and result.numel < 5_000:
                tensors[f"{layer.name}:{port}" if port else f"{layer.name}"] = result
    return archcost.ModelSpec(name="random", inputs=inputs, layers=tuple(layers))  # pyright: ignore[reportArgumentType]


def _single(draw: st.DrawFn, source: str, tensors: dict[str, TensorType]) -> Layer:
    tensor = tensors[source]
    if tensor.rank == 2:
        kind = draw(st.sampled_from([linear, pointwise]))
    elif draw(st.integers(0, 9)) == 9:
        return LAYERS["flatten"](inputs=(source,))
    else:
        kind = draw(st.sampled_from(SINGLE))
    fields = kind(draw, tensor.rank - 2, tensor.shape[1])
    return LAYERS[fields.pop("type")].model_validate({**fields, "inputs": [source]})


def _joining(draw: st.DrawFn, source: str, tensors: dict[str, TensorType]) -> Layer:
    """A join with whatever fits; with itself when nothing else does."""
    shape = tensors[source].shape
    kind = draw(st.sampled_from(["add", "mul", "concat"]))
    along = 1 if kind == "concat" else len(shape)
    fitting = [
        name
        for name, tensor in tensors.items()
        if (*tensor.shape[:along], *tensor.shape[along + 1 :]) == (*shape[:along], *shape[along + 1 :])
    ]
    return LAYERS[kind](inputs=(source, draw(st.sampled_from(fitting))))


stable = settings(
    max_examples=NETWORKS, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_random_networks_agree() -> None:
    seen: Counter[str] = Counter()

    @stable
    @given(networks())
    def agree(spec: archcost.ModelSpec) -> None:
        verification = verify(spec, batch=2)
        seen.update(["networks", *(layer.type for layer in spec.layers if isinstance(layer, Layer))])
        seen.update(check.quantity for check in verification.checks if check.witness not in (None, 0))
        assert verification.disagreements == ()
        assert {check.by.partition(" ")[0] for check in verification.silent} <= {"fvcore"}

    agree()
    assert seen["networks"] >= 300
    kinds = {f"{kind}{ndim}d" for kind in ("conv", "conv_transpose", "max_pool", "avg_pool") for ndim in (1, 2, 3)}
    kinds |= {"linear", "group_norm", "layer_norm", "upsample", "add", "mul", "concat", "split", "flatten"}
    assert min(seen[kind] for kind in kinds) >= 10, seen
    assert min(seen[quantity] for quantity in ("parameters", "buffers", "macs", "flops_forward", "flops_backward")) > 0


def _torch_refuses(layer: Layer, shape: tuple[int, ...]) -> bool:
    """Or gives an empty tensor, which archcost refuses everywhere."""
    x = torch.zeros(shape, device="meta")
    try:
        with torch.device("meta"):
            results = as_tuple(FACTORIES[layer.type](layer, (x,))(x))
    except (RuntimeError, ValueError):
        return True
    return not all(result.numel() for result in results)


def test_avg_pool3d_refuses_a_kernel_larger_than_the_input() -> None:
    """1-d and 2-d pools take it when ceil_mode or padding make room."""
    for ndim, refused in ((1, False), (2, False), (3, True)):
        layer = LAYERS[f"avg_pool{ndim}d"].model_validate({"kernel_size": 3, "padding": 1})
        shape = (2, 1, *[2] * ndim)
        assert _torch_refuses(layer, shape) is refused
        if refused:
            with pytest.raises(ShapeError, match="the kernel is larger than the input"):
                layer.output_types((TensorType(shape),))
        else:
            assert layer.output_types((TensorType(shape),))


def test_what_archcost_refuses_torch_refuses_too() -> None:
    refused: Counter[str] = Counter()

    @stable
    @given(st.data())
    def refuse(data: st.DataObject) -> None:
        ndim = data.draw(st.integers(1, 3))
        shape = (2, *data.draw(st.lists(st.integers(1, 3), min_size=ndim + 1, max_size=ndim + 1)))
        layer = _single(data.draw, "x", {"x": TensorType(shape)})
        try:
            layer.output_types((TensorType(shape),))
        except ShapeError:
            refused[layer.type] += 1
            assert _torch_refuses(layer, shape), f"torch takes {layer!r} on {shape}"

    refuse()
    assert refused.total() >= 20, refused
