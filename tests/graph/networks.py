"""Random small networks, as the entries of a spec: chains, branches, and blocks with parameters."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from archcost.costs import ModelCost, cost
from archcost.graph import build
from archcost.spec import ModelSpec

Entry = dict[str, Any]
LIMITS = {"max_examples": 60, "deadline": None, "derandomize": True}

channels = st.sampled_from([2, 3, 4, 6, 12])
flags = st.booleans()


@st.composite
def convolutions(draw: st.DrawFn, **fixed: Any) -> Entry:
    """A convolution that keeps at least a third of the size, so that a few of them fit any image."""
    kernel = draw(st.integers(1, 4))
    return {
        "type": "conv2d",
        "out_channels": draw(channels),
        "kernel_size": kernel,
        "padding": draw(st.integers(kernel // 2, kernel)),
        "dilation": 1,
        "bias": draw(flags),
        **fixed,
    }


pools = st.builds(
    lambda kind, kernel, ceil: {"type": kind, "kernel_size": kernel, "stride": 2, "padding": 1, "ceil_mode": ceil},
    st.sampled_from(["max_pool2d", "avg_pool2d"]),
    st.integers(2, 3),
    flags,
)
pointwise = st.sampled_from(
    [
        {"type": "relu", "inplace": True},
        {"type": "gelu"},
        {"type": "dropout", "p": 0.25},
        {"type": "batch_norm2d"},
        {"type": "batch_norm2d", "affine": False, "trainable": False},
        {"type": "local_response_norm", "size": 3, "alpha": 5e-4},
        {"type": "softmax", "dim": 1},
        {"type": "identity"},
    ]
)
resizing = st.sampled_from(
    [
        {"type": "upsample", "scale_factor": 2.0},
        {"type": "upsample", "scale_factor": 1.5, "mode": "bilinear"},
        {"type": "pad", "pad": (1, 0, 2, 1)},
        {"type": "conv_transpose2d", "out_channels": 3, "kernel_size": 3, "stride": 2, "output_padding": 1},
        {"type": "adaptive_avg_pool2d", "output_size": (3, None)},
        {"type": "conv2d", "out_channels": 4, "kernel_size": 3, "stride": 2, "padding": 1, "trainable": False},
    ]
)
chains = st.lists(convolutions() | pools | pointwise | resizing, min_size=1, max_size=6)
same_size = st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=2)


def branch(name: str, kernels: list[int], width: int) -> list[Entry]:
    """Convolutions one after the other that start at `stem` and keep the size."""
    return [
        {
            "type": "conv2d",
            "name": f"{name}{index}",
            "out_channels": width,
            "kernel_size": kernel,
            "padding": "same",
            "inputs": ("stem" if index == 0 else f"{name}{index - 1}",),
        }
        for index, kernel in enumerate(kernels)
    ]


def joined(branches: dict[str, list[int]], width: int, join: str) -> list[Entry]:
    """Branches in the order of the dict; the join names them in alphabetical order."""
    ends = tuple(f"{name}{len(branches[name]) - 1}" for name in sorted(branches))
    placed = [entry for name, kernels in branches.items() for entry in branch(name, kernels, width)]
    return [*placed, {"type": join, "name": "join", "inputs": ends}]


stem = st.just({"type": "conv2d", "name": "stem", "out_channels": 4, "kernel_size": 3, "padding": 1})
branches = st.dictionaries(st.sampled_from("abc"), same_size, min_size=2, max_size=3)


@st.composite
def specs(draw: st.DrawFn) -> ModelSpec:
    """A chain, perhaps inside a block that is used and repeated, perhaps with branches, perhaps with a classifier."""
    layers = list(draw(chains))
    fields: dict[str, Any] = {}
    if draw(flags):
        widened = {"type": "conv2d", "out_channels": "$width * 2", "kernel_size": 1}
        fields["blocks"] = {"body": {"parameters": {"width": None}, "layers": [widened, *layers]}}
        used = [{"block": "body", "width": 3, "trainable": draw(flags)}]
        layers = [*used, {"repeat": draw(st.integers(0, 2)), "name": "again", "layers": [{"type": "relu"}]}]
    if draw(flags):
        layers += [draw(stem), *joined(draw(branches), draw(channels), draw(st.sampled_from(["add", "concat"])))]
    if draw(flags):
        layers += [{"type": "flatten"}, {"type": "linear", "out_features": 5, "bias": draw(flags)}]
    return spec_of(*layers, size=draw(st.sampled_from([(11, 13), (16, 16)])), **fields)


def spec_of(*layers: Entry, size: tuple[int, int] = (11, 13), **fields: Any) -> ModelSpec:
    return ModelSpec.model_validate({"name": "net", "input": (3, *size), **fields, "layers": layers})


def cost_of(spec: ModelSpec, batch: int = 1) -> ModelCost:
    return cost(build(spec, batch))
