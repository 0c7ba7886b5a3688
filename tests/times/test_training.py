"""Training on a device of which only inference is known: every constant by hand."""

from __future__ import annotations

from typing import Any

from archcost.hardware import library
from archcost.hardware.calibration import Calibration
from archcost.passes.run import Run
from archcost.times.choose import choose
from archcost.times.training import from_inference

COMMON: dict[str, Any] = {
    "engine": "eager",
    "precision": "amp-fp16",
    "status": "public",
    "runs": 1,
    "families": 1,
    "dispatch": "8 us",
}


def made(device: str, mode: str, classes: dict[str, Any], **more: Any) -> Calibration:
    fields = {**COMMON, "device": device, "modes": [mode], "classes": classes, **more}
    return Calibration.model_validate({"version": "torch 2.9", "source": mode, "band": [0.8, 1.2], **fields})


INFERENCE = made(
    "nvidia-rtx-4090",
    "infer",
    {
        "convolution": {"rate": "100 TFLOP/s", "bandwidth": "800 GB/s"},
        "batch norm": {"bandwidth": "900 GB/s"},
        "softmax": {"bandwidth": "700 GB/s"},
    },
)
TRAINED = made(
    "nvidia-rtx-3090",
    "train",
    {
        "convolution": {"rate": "60 TFLOP/s", "bandwidth": "500 GB/s"},
        "batch norm": {"bandwidth": "468 GB/s"},
        "optimizer": {"bandwidth": "780 GB/s"},
    },
    backward={
        "convolution": {"rate": "45 TFLOP/s", "bandwidth": "400 GB/s"},
        "batch norm": {"bandwidth": "234 GB/s"},
    },
    band=[0.9, 1.3],
)


def test_backward_is_as_much_slower_as_elsewhere() -> None:
    """A convolution's backward at 45/60 of its rate and 400/500 of its bandwidth. A batch norm in training and the
    optimizer are the other card's, by 1,008 of 936 GB/s of the data sheets; its backward takes twice its forward.
    """
    profile = library.load("nvidia-rtx-4090")
    found = from_inference(profile, INFERENCE, [TRAINED])
    assert found is not None
    calibration, note = found
    assert calibration.modes == ("train",)
    assert calibration.classes["convolution"] == INFERENCE.classes["convolution"]
    assert calibration.classes["softmax"].bandwidth == 700e9
    assert calibration.classes["batch norm"].bandwidth == 468e9 * 1008 / 936
    assert calibration.classes["optimizer"].bandwidth == 780e9 * 1008 / 936
    backward = calibration.backward["convolution"]
    assert (backward.rate, backward.bandwidth) == (100e12 * 45 / 60, 800e9 * 400 / 500)
    assert calibration.backward["batch norm"].bandwidth == 468e9 * 1008 / 936 * 234 / 468
    assert calibration.band == (0.8 / 1.35, 1.3 * 1.35)
    assert "no training on nvidia-rtx-4090 is known" in note
    assert "nvidia-rtx-3090" in note


def test_nobody_of_the_kind_has_trained() -> None:
    assert from_inference(library.load("raspberry-pi-4"), INFERENCE, [TRAINED]) is None
    assert from_inference(library.load("nvidia-rtx-4090"), INFERENCE, []) is None


def test_the_other_16_bits_where_a_card_multiplies_as_fast_in_both() -> None:
    """The 3090's steps were run in float16. In bfloat16 it has the same rate, a T4 has none."""
    in_float16 = choose(library.load("nvidia-rtx-3090"), Run(precision="amp-fp16"), None)
    in_bfloat16 = choose(library.load("nvidia-rtx-3090"), Run(precision="amp-bf16"), None)
    assert in_float16.notes == ()
    assert in_float16.calibration is not None
    assert in_bfloat16.calibration is not None
    assert in_bfloat16.calibration.classes == in_float16.calibration.classes
    assert in_bfloat16.calibration.band[0] == in_float16.calibration.band[0] / 1.05
    assert "no runs in amp-bf16 are known: those in amp-fp16" in in_bfloat16.notes[0]
    assert choose(library.load("nvidia-t4"), Run(precision="amp-bf16"), None).calibration is None


def test_cards_without_training_are_asked_for_it() -> None:
    """One of which inference in that precision is known, and one of which nothing in 16 bits is."""
    own = choose(library.load("nvidia-rtx-4090"), Run(precision="amp-fp16"), None)
    assert own.calibration is not None
    assert "forward by its own inference, backward as much longer as on nvidia-rtx-3090" in own.notes[0]
    relatives = choose(library.load("nvidia-a100-sxm4-80gb"), Run(precision="amp-fp16"), None)
    assert relatives.calibration is not None
    assert "constants of nvidia-rtx-3090, scaled by data sheets" in relatives.notes[0]
