"""Networks that write out what a module would do: what is kept, and peaks under the tracker, to the byte."""

from __future__ import annotations

from typing import Any

import pytest

import archcost
from archcost.passes.run import Run
from archcost.pytorch.crosscheck_memory import check_memory
from tests.pytorch.test_saved_networks import agree

Layers = list[dict[str, Any]]

CONV: dict[str, Any] = {"type": "conv2d", "name": "x", "out_channels": 4, "kernel_size": 3}

NETWORKS: dict[str, Layers] = {
    "root mean square": [
        {"type": "pow", "exponent": 2.0},
        {"type": "mean", "dim": -1, "keepdim": True},
        {"type": "scale", "shift": 1e-6},
        {"type": "rsqrt"},
        {"type": "mul", "inputs": ["x", "rsqrt1"]},
    ],
    "standardised": [
        {"type": "mean", "dim": [2, 3], "keepdim": True, "name": "mean"},
        {"type": "sub", "inputs": ["x", "mean"], "name": "centred"},
        {"type": "std", "dim": [2, 3], "keepdim": True, "inputs": ["x"], "name": "spread"},
        {"type": "div", "inputs": ["centred", "spread"]},
        {"type": "conv2d", "out_channels": 2, "kernel_size": 1},
    ],
    "rotated halves": [
        {"type": "transpose", "dim0": 1, "dim1": 3, "name": "turned"},
        {"type": "slice", "stop": 2, "dim": -1, "inputs": ["turned"], "name": "first"},
        {"type": "slice", "start": 2, "dim": -1, "inputs": ["turned"], "name": "second"},
        {"type": "neg", "inputs": ["second"], "name": "negated"},
        {"type": "concat", "dim": -1, "inputs": ["negated", "first"]},
        {"type": "linear", "out_features": 5},
    ],
    "windows that shift": [
        {"type": "roll", "shifts": [1, 1], "dims": [2, 3]},
        {"type": "reshape", "shape": [4, 2, 3, 2, 3]},
        {"type": "permute", "dims": [0, 1, 2, 4, 3, 5]},
        {"type": "reshape", "shape": [4, 4, 9]},
        {"type": "softmax", "dim": -1},
        {"type": "sum", "dim": 1},
    ],
    "routed": [
        {"type": "flatten", "start_dim": 2, "name": "flat"},
        {"type": "softmax", "dim": 1},
        {"type": "topk", "k": 2, "dim": 1, "name": "top"},
        {"type": "gather", "dim": 1, "inputs": ["flat", "top:1"], "name": "picked"},
        {"type": "mul", "inputs": ["picked", "top"]},
        {"type": "max", "dim": 2},
    ],
    "masked": [
        {"type": "gt", "other": 0.0, "name": "mask"},
        {"type": "exp", "inputs": ["x"], "name": "powers"},
        {"type": "where", "inputs": ["mask", "x", "powers"], "name": "chosen"},
        {"type": "masked_fill", "value": 0.5, "inputs": ["chosen", "mask"]},
        {"type": "amax", "dim": 3, "keepdim": True},
        {"type": "expand", "size": [-1, -1, -1, 5]},
        {"type": "prelu", "num_parameters": 4},
    ],
    "packed and unbound": [
        {"type": "view", "shape": [-1, 2, 2, 36], "name": "packed"},
        {"type": "permute", "dims": [1, 0, 2, 3]},
        {"type": "unbind", "name": "parts"},
        {"type": "clone", "inputs": ["parts"], "name": "copy"},
        {"type": "contiguous", "inputs": ["copy"], "name": "whole"},
        {"type": "detach", "inputs": ["parts:1"], "name": "cut"},
        {"type": "mul", "inputs": ["whole", "cut"]},
        {"type": "chunk", "chunks": 2, "dim": -1, "name": "halves"},
        {"type": "exp", "inputs": ["halves:1"]},
    ],
    "in doubles": [
        {"type": "cast", "dtype": "float64"},
        {"type": "exp"},
        {"type": "cast", "dtype": "float32"},
        {"type": "cast", "dtype": "float32"},
        {"type": "mul", "inputs": ["x", "cast3"]},
        {"type": "pad", "pad": [-1, 2, 1, -3, 0, 0, 1, 0]},
    ],
    "made on the way": [
        {"type": "constant", "shape": [1, 4, 1, 1], "inputs": ["x"], "name": "noise"},
        {"type": "mul", "inputs": ["x", "noise"]},
        {"type": "mean", "dim": [2, 3], "name": "pooled"},
        {"type": "constant", "shape": [], "name": "one"},
        {"type": "add", "inputs": ["pooled", "one"], "name": "shifted"},
        {"type": "buffer", "shape": [4], "name": "table"},
        {"type": "mul", "inputs": ["shifted", "table"], "name": "scaled"},
        {"type": "parameter", "shape": [1, 1, 4], "name": "token"},
        {"type": "expand_batch", "size": [1, 3, -1], "inputs": ["token", "x"], "name": "tokens"},
        {"type": "parameter", "shape": [1, 4], "name": "table2"},
        {"type": "tile", "dims": [1, 3], "inputs": ["table2", "x"], "name": "tiled"},
        {"type": "unsqueeze", "dim": 1, "inputs": ["tiled"], "name": "wide"},
        {"type": "view", "shape": [-1, 3, 4], "inputs": ["wide"], "name": "rows"},
        {"type": "add", "inputs": ["tokens", "rows"], "name": "sum"},
        {"type": "unsqueeze", "dim": 1, "inputs": ["scaled"]},
        {"type": "add", "inputs": ["sum", "unsqueeze1"]},
    ],
    "written into zeros": [
        {"type": "constant", "shape": [1, 4, 6, 6], "inputs": ["x"], "name": "blank"},
        {"type": "slice", "stop": 2, "inputs": ["x"], "name": "first"},
        {"type": "exp", "name": "powers"},
        {"type": "write", "inputs": ["blank", "powers"], "name": "once"},
        {"type": "slice", "start": 3, "inputs": ["x"], "name": "last"},
        {"type": "write", "inputs": ["once", "last"], "name": "twice"},
        {"type": "mul", "inputs": ["x", "twice"]},
        {"type": "scale", "factor": 2.0},
        {"type": "write", "name": "marked"},
        {"type": "tanh"},
    ],
    "scattered": [
        {"type": "flatten", "start_dim": 2, "name": "flat"},
        {"type": "topk", "k": 3, "dim": 2, "name": "top"},
        {"type": "scale", "factor": 0.0, "inputs": ["flat"], "name": "blank"},
        {"type": "scatter", "dim": 2, "inputs": ["blank", "top:1", "top"], "name": "spread"},
        {"type": "scatter_add", "dim": 2, "inputs": ["spread", "top:1", "top"]},
        {"type": "tensor_unfold", "dimension": 2, "size": 5, "step": 3},
        {"type": "logsumexp", "dim": 3},
    ],
    "forgotten": [
        {"type": "relu", "name": "side"},
        {"type": "exp", "name": "far"},
        {"type": "argmax", "dim": 1, "name": "where"},
        {"type": "sigmoid", "inputs": ["side"], "name": "near"},
        {"type": "detach", "name": "cut"},
        {"type": "mul", "inputs": ["x", "cut"]},
        {"type": "tanh", "name": "last"},
        {"type": "unsqueeze", "dim": 1, "inputs": ["where"], "name": "index"},
        {"type": "gather", "dim": 1, "inputs": ["last", "index"]},
    ],
    "pixels": [
        {"type": "pixel_shuffle", "upscale_factor": 2},
        {"type": "mish"},
        {"type": "unfold", "kernel_size": 3, "stride": 2},
        {"type": "cumsum", "dim": 2},
        {"type": "select", "index": 1, "dim": 1},
    ],
}


@pytest.mark.parametrize("name", NETWORKS)
def test_kept_and_peaks(name: str) -> None:
    spec = archcost.ModelSpec.model_validate({"name": "n", "input": [3, 8, 8], "layers": [CONV, *NETWORKS[name]]})
    agree(spec, batch=2)
    found = [check for check in check_memory(spec, Run(optimizer="sgd"), batch=2) if "tracker" in check.by]
    assert [(check.scope, check.archcost) for check in found] == [(check.scope, check.witness) for check in found]
    assert len(found) == 10  # four peaks and six roles


def test_what_is_forgotten_inside_a_checkpoint() -> None:
    layers = [CONV, *NETWORKS["forgotten"], {"type": "exp"}]
    spec = archcost.ModelSpec.model_validate({"name": "n", "input": [3, 8, 8], "layers": layers})
    for every in (2, 3, 5):
        found = check_memory(spec, Run(optimizer="sgd", recompute=f"every:{every}"), batch=2)
        watched = [check for check in found if "tracker" in check.by]
        assert [check.archcost for check in watched] == [check.witness for check in watched]
        assert len(watched) == 10
