"""A network whose kernels can be worked out by hand, and constants that make round times of them."""

from __future__ import annotations

from typing import Any

import archcost
from archcost.estimates import Estimate
from archcost.hardware.calibration import Calibration, Errors, Pace
from archcost.times import StepTime

CPU, GPU = "amd-epyc-9654", "nvidia-rtx-4090"

NET = """
name: net
input: [4]
loss: sum
layers:
  - {name: fc, type: linear, out_features: 8}
  - {name: act, type: relu}
  - {name: flat, type: flatten}
"""


def calibration(made_on: str, **changed: Any) -> Calibration:
    """1 GFLOP/s of products, 1 GB/s of all that is moved but 2 of what is added up, 1 us a launch."""
    constants: dict[str, Any] = {
        "device": made_on,
        "engine": "eager",
        "version": "made up",
        "precision": "fp32",
        "modes": ("infer", "train"),
        "status": "public",
        "source": "made up for tests",
        "runs": 1_200,
        "families": 40,
        "dispatch": 1e-6,
        "classes": {
            "product": Pace(rate=1e9, bandwidth=4e9),
            "elementwise": Pace(bandwidth=1e9),
            "reduction": Pace(bandwidth=2e9),
            "optimizer": Pace(bandwidth=1e9),
        },
        "band": (0.8, 1.25),
        "errors": Errors(median=0.06, p90=0.18, beyond_factor_two=0.01, inside_band=0.9),
    }
    return Calibration(**constants | changed)


def estimated(device: str, text: str = NET, basis: Calibration | None = None, **settings: Any) -> Estimate:
    asked: dict[str, Any] = {"optimizer": "sgd"} | settings
    found = basis or calibration(device, precision=asked.get("precision", "fp32"))
    return archcost.estimate(archcost.loads(text), 2, hardware=device, calibration=found, **asked)


def timed(device: str, text: str = NET, basis: Calibration | None = None, **settings: Any) -> StepTime:
    time = estimated(device, text, basis, **settings).time
    assert time is not None
    return time
