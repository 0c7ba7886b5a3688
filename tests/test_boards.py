"""Calibrations of boards, phones and microcontrollers, beside the published figures that they are fitted to."""

from __future__ import annotations

import json
from statistics import median

import numpy as np
import pytest

import archcost
from archcost import hardware
from archcost.hardware import calibration
from archcost.hardware.calibration import Calibration, read
from tests.documents import numbers_in_prose
from tests.measurements.boards import gpus, tables
from tests.measurements.boards.__main__ import band_of, inside, written
from tests.measurements.boards.fitting import NAMES, Run, own, seconds, shared, vector
from tests.measurements.boards.groups import groups
from tests.measurements.boards.networks import amounts, predicted
from tests.measurements.boards.page import PAGE, renew
from tests.measurements.page import BEGIN

ENGINES = {"ncnn", "ncnn-1-thread", "ncnn-int8", "ncnn-int8-1-thread", "ncnn-vulkan", "opencv", "tiny-int8"}
FOUND = [each for each in calibration.shipped() if each.engine in ENGINES]

NETWORKS = {
    "mobilenet": (4_231_976, 568_740_352),
    "squeezenet": (1_235_496, None),  # the parameters of SqueezeNet 1.1 as torchvision prints them
    "vgg16": (138_357_544, None),
    "alexnet": (60_965_224, None),  # of two towers
    "resnet50": (25_530_472, 3_857_973_248),  # He et al. 2016: 3.8 billion with the stride in the first 1 x 1
    "yolov4_tiny": (6_053_502, None),  # of 80 classes, 6.06 M as published
}
"""Parameters and MACs of networks of the tables, as published (tests/reference has most of them)."""


def test_every_group_has_its_calibrations():
    expected = {(device.hardware, device.engine) for group in groups(tables.every()).values() for device in group}
    assert {(each.device, each.engine) for each in FOUND} == expected
    for each in FOUND:
        hardware.load(each.device)
        assert (calibration.FOLDER / f"{each.device}--{each.engine}--{each.precision}.yaml").is_file()


@pytest.mark.parametrize("found", FOUND, ids=lambda found: f"{found.device} {found.engine}")
def test_a_calibration_says_what_it_is_worth(found: Calibration):
    assert found.status == "public"
    assert found.fuses == ("attention", "weights")
    assert found.errors is not None
    assert found.band[0] < 1 < found.band[1]
    assert found.runs >= found.families >= 2
    assert {"product", "recurrent", "convolution 3x3", "softmax", "copy"} <= set(found.classes)


def test_a_file_is_read_as_it_was_written():
    for found in FOUND[::20]:
        path = calibration.FOLDER / f"{found.device}--{found.engine}--{found.precision}.yaml"
        assert written(found) == path.read_text()
        assert read(path) == found


@pytest.mark.parametrize("device", ["raspberry-pi-4", "raspberry-pi-5"])
@pytest.mark.parametrize("engine", ["ncnn", "ncnn-1-thread"])
def test_ncnn_on_a_raspberry_pi(device: str, engine: str):
    """Families left out: half of the runs within 15 %."""
    (found,) = [each for each in FOUND if (each.device, each.engine) == (device, engine)]
    assert found.errors is not None
    assert found.errors.median <= 0.15


@pytest.mark.parametrize("engine", sorted(ENGINES))
def test_bands_that_claim_nine_in_ten_hold_85_in_100(engine: str):
    some = [(each.errors, each.runs) for each in FOUND if each.engine == engine]
    held = sum([errors.inside_band * runs for errors, runs in some if errors])
    assert held >= 0.85 * sum([runs for _, runs in some])


@pytest.mark.parametrize(
    ("network", "device", "engine", "milliseconds"),
    [
        ("mobilenet", "raspberry-pi-4", "ncnn", 61.17),  # ncnn's benchmark/README.md, lines 1842 ff.
        ("resnet18", "raspberry-pi-4", "ncnn", 123.12),
        ("vgg16", "raspberry-pi-5", "ncnn-1-thread", 189.63),  # lines 1971 ff.
        ("squeezenet", "raspberry-pi-5", "ncnn", 7.38),  # lines 1928 ff.
        ("torchvision_resnet50", "raspberry-pi-4", "opencv", 419.04),  # opencv_zoo's benchmark/README.md
        ("mlperf_tiny_ic", "st-stm32h7a3", "tiny-int8", 51.9481),  # MLPerf Tiny v1.1, STMicroelectronics
        ("mlperf_tiny_kws", "st-stm32l4r5", "tiny-int8", 62.8733),
    ],
)
def test_published_figures_are_in_the_band(network: str, device: str, engine: str, milliseconds: float):
    (found,) = [each for each in FOUND if (each.device, each.engine) == (device, engine)]
    low, high = found.band
    assert low <= milliseconds / 1e3 / predicted(network, found) <= high


@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_the_networks_are_those_that_ran(network: str):
    parameters, macs = NETWORKS[network]
    file = tables.FOLDER / "networks" / f"{network}.yaml"
    shipped = {"mobilenet": "mobilenet_v1", "vgg16": "vgg_d"}
    cost = archcost.cost(archcost.build(archcost.load(str(file) if file.exists() else shipped[network]), batch=1))
    assert cost.parameters == parameters
    assert macs in (None, cost.macs)


GPUS = [each for each in calibration.shipped() if each.source == gpus.SOURCE]


def test_gpus_in_float32():
    """Families left out: half of the runs within 10 %, nine in ten within 25 %, at least 85 in 100 in their band."""
    assert {each.device for each in GPUS} == {row.hardware for row in gpus.every()}
    some = [(each.errors, each.runs) for each in GPUS if each.errors]
    runs = sum([count for _, count in some])
    assert sum([errors.median * count for errors, count in some]) <= 0.1 * runs
    assert sum([errors.inside_band * count for errors, count in some]) >= 0.85 * runs
    assert median([errors.p90 for errors, _ in some]) <= 0.25


@pytest.mark.parametrize(
    ("network", "device", "batch", "trains", "milliseconds"),
    [
        ("hf_gpt2_large", "nvidia-t4", 4, False, 2505.22),
        ("hf_opt_13", "nvidia-h100-sxm5-80gb", 2, False, 340.478),
        ("hf_bert_large", "nvidia-l4", 8, True, 1275.44),  # 477.8 forward and 797.6 backward
        ("torchvision_resnet50", "nvidia-v100-sxm2-16gb", 64, False, 55.4),
    ],
)
def test_published_figures_of_gpus_are_in_the_band(
    network: str, device: str, batch: int, trains: bool, milliseconds: float
):
    (found,) = [each for each in GPUS if each.device == device]
    row = gpus.Step(device, network, batch, trains, milliseconds / 1e3)
    assert row.seconds == pytest.approx(next(s for s in gpus.steps() if s[:4] == row[:4]).seconds, rel=1e-3)
    low, high = found.band
    assert low <= row.seconds / gpus.predicted(row, found) <= high


def test_gpus_of_neusight_ran_these_networks():
    """BertLMHeadModel, GPT2LMHeadModel, OPTForCausalLM of transformers, without what is not run: segments of BERT
    (2 x 1,024), and the two positions that OPT's table has more (2 x 2,048).
    """
    parameters = {
        "hf_bert_large": 335_174_458 - 2 * 1024,
        "hf_gpt2_large": 774_030_080,
        "hf_opt_13": 1_315_758_080 - 2 * 2048,
    }
    for network, expected in parameters.items():
        spec = archcost.load(str(tables.FOLDER / "networks" / f"{network}.yaml"))
        assert archcost.cost(archcost.build(spec)).parameters == expected


def test_energy_of_an_inference():
    """MLPerf Tiny v1.1, STMicroelectronics, NUCLEO_L4R5ZI: 2,833 uJ in 62.9 ms for keywords."""
    found = archcost.estimate(
        archcost.load("mlperf_tiny_kws"), hardware="st-stm32l4r5", mode="infer", engine="tiny-int8"
    )
    assert found.time is not None
    assert found.time.energy is not None
    assert 0.5 < found.time.energy / 2833.138e-6 < 2
    assert found.time.mfu is None  # in 8 bits, of a run in fp32
    assert json.loads(found.to_json())["time"]["energy_joules"] == found.time.energy


def test_a_million_of_them_at_once_say_the_same():
    """A sweep of a fused engine is what `estimate` says one by one."""
    spec = archcost.load("lenet5")
    rows = archcost.sweep(spec, batch=[1, 2, 5], mode=["infer"], hardware=["raspberry-pi-4"], engine=["ncnn"])
    times = [
        archcost.estimate(spec, batch, hardware="raspberry-pi-4", mode="infer", engine="ncnn").time
        for batch in (1, 2, 5)
    ]
    assert list(rows["step_seconds"]) == pytest.approx([time.step for time in times if time and time.step])


def test_a_fit_finds_what_made_the_runs():
    """Runs that constants made, without noise: shared and own fits give each run back."""
    networks = ["mobilenet", "resnet18", "vgg16", "googlenet", "mlperf_tiny_ad", "squeezenet", "shufflenet_v2"]
    truth = np.array([-23.0] * 7 + [-21.0] * 7 + [-11.5])
    vectors = {name: vector(amounts(name)) for name in networks}
    devices = [
        [Run(name, found, faster * seconds(truth, found)) for name, found in vectors.items()]
        for faster in (1.0, 3.0, 0.2)
    ]
    assert len(truth) == len(NAMES) == len(vectors["mobilenet"])
    shape = shared(devices)
    for runs in devices:
        constants = own(runs, shape)
        off = [abs(seconds(constants, run.amounts) / run.seconds - 1) for run in runs]
        assert median(off) < 0.02


def test_bands_by_hand():
    """Residuals of ten families at -0.4, -0.3 … 0.5: the quantiles 0.05 and 0.95 are -0.355 and 0.455, and a tenth more
    since there are only ten.
    """
    rows = [row for row in tables.every() if (row.hardware, row.engine, row.threads) == ("raspberry-pi-4", "ncnn", 4)]
    first = {
        row.network: row for row in rows if row.network not in ("mobilenet_yolo", "mobilenetv2_yolov3", "resnet18")
    }
    ten = [(row, (number - 4) / 10) for number, row in enumerate(list(first.values())[:10])]
    low, high = band_of(ten, [])
    assert (low, high) == pytest.approx((2.718281828 ** (-0.355 * 1.1), 2.718281828 ** (0.455 * 1.1)))
    assert 0.5 <= inside(ten, []) <= 1


def test_the_page_is_up_to_date():
    text = PAGE.read_text()
    assert renew(text) == text, "make docs brings the page up to date"


def test_numbers_in_prose_stand_in_the_tables():
    prose, _, found = PAGE.read_text().partition(BEGIN)
    for number in numbers_in_prose(prose):
        assert number in found, f"{number} stands in prose, but in no table"
