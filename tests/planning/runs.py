"""Networks, devices and a calibration for tests of whole runs."""

from __future__ import annotations

from typing import Any

from archcost.hardware.calibration import Calibration, Pace
from archcost.spec import ModelSpec

T4, A100 = "nvidia-t4", "nvidia-a100-sxm4-80gb"


def small(**fields: Any) -> ModelSpec:
    """5 features → 3, without a bias: 15 weights."""
    layers = [{"type": "linear", "out_features": 3, "bias": False}]
    return ModelSpec.model_validate({"name": "small", "input": [5], "layers": layers, **fields})


def reading(**inputs: int) -> ModelSpec:
    """Rows of tokens, each embedded by itself."""
    named = {name: {"shape": [length], "dtype": "int64"} for name, length in inputs.items()}
    layers = [
        {"name": f"e_{name}", "type": "embedding", "num_embeddings": 11, "embedding_dim": 3, "inputs": [name]}
        for name in inputs
    ]
    return ModelSpec.model_validate({"name": "reading", "inputs": named, "layers": layers})


def calibrated(name: str, **fields: Any) -> Calibration:
    """A product takes what its bytes do, at 1 kB/s, and half a second a launch."""
    return Calibration(
        device=name,
        engine="eager",
        version="torch 2.13",
        precision="fp32",
        modes=("infer", "train"),
        status="public",
        source="made up for this test: no device",
        runs=1,
        families=1,
        dispatch=0.5,
        classes={"product": Pace(bandwidth=1e3)},
        band=(0.5, 2.0),
        **fields,
    )
