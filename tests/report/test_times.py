"""How the time of a step is shown: with a calibration, with bounds, and without any. Seconds are those of
tests/times/test_by_hand.py.
"""

from __future__ import annotations

import csv
import io
import json
from typing import Any, cast

import pytest

import archcost
from archcost.cli import main
from archcost.estimates import Estimate
from archcost.report import render
from archcost.report.grouping import Folded
from tests.times.made_up import CPU, GPU, NET, calibration, estimated

TEXT = """\
Time of a step: 9.12 us, and nine times in ten from 7.3 us to 11.4 us. Public: made up eager, public runs of such a
  device, 1,200 runs of 40 families of networks; of families left out, half were within 6.0%, nine in ten within 18.0%.

time                share  waits for
---------  -------  ------  ---------
forward    3.29 us   36.1%  dispatch
backward   3.35 us   36.7%  dispatch
optimizer  2.48 us   27.2%  dispatch
---------  -------  ------  ---------
step       9.12 us  100.0%

The 3 slowest layers:

layer   class        forward  backward  seconds  share  waits for
------  -----------  -------  --------  -------  -----  ---------
act     elementwise   128 ns    192 ns   320 ns   3.5%  bandwidth
fc      product       128 ns    160 ns   288 ns   3.2%  matrix
(loss)  reduction      34 ns      0 ns    34 ns   0.4%  bandwidth

samples a second  219,300
MFU               0.0%{peak}
launches          8, which take the host 8 us
"""

WITHOUT_RUNS = "amd-mi300x"
"""No runs of it or of its relatives are known."""

KEYS = {
    "step_seconds", "forward_seconds", "backward_seconds", "optimizer_seconds", "samples_per_second", "mfu", "status",
    "engine", "band",
}  # fmt: skip
"""Of the contract."""


def test_text() -> None:
    text = render(estimated(CPU)).partition("Time of a step")
    shown = "".join(text[1:])
    [mfu] = [line for line in shown.splitlines() if line.startswith("MFU")]
    expected = TEXT.format(peak=mfu.partition("0.0%")[2])
    assert [line.split() for line in shown.splitlines()] == [line.split() for line in expected.splitlines()]


def told(estimate: Estimate) -> dict[str, Any]:
    return json.loads(render(estimate, "json"))


def nulls(data: Any, path: str = "") -> list[str]:
    if isinstance(data, dict):
        return [
            name
            for key, value in cast("dict[str, Any]", data).items()
            for name in nulls(value, f"{path}.{key}" if path else key)
        ]
    if isinstance(data, list):
        return [name for value in cast("list[Any]", data) for name in nulls(value, path)]
    return [path] if data is None else []


@pytest.mark.parametrize("device", [CPU, GPU, "google-tpu-v4", "raspberry-pi-5", "st-stm32f746"])
@pytest.mark.parametrize("settings", [{}, {"mode": "infer", "precision": "bf16"}], ids=["train", "infer"])
def test_every_null_is_named(device: str, settings: dict[str, Any]) -> None:
    data = told(archcost.estimate(archcost.loads(NET), 2, hardware=device, **settings))
    assert set(data["time"]) >= KEYS
    assert set(nulls(data)) <= set(data["unknown"])
    assert all(data["time"][name.removeprefix("time.")] is None for name in data["unknown"] if name.startswith("time."))


def test_json_with_a_calibration() -> None:
    time = told(estimated(CPU))["time"]
    assert time["step_seconds"] == pytest.approx(9.122e-6)
    assert time["step_seconds"] == pytest.approx(
        time["forward_seconds"] + time["backward_seconds"] + time["optimizer_seconds"]
    )
    assert time["band"] == [pytest.approx(0.8 * 9.122e-6), pytest.approx(1.25 * 9.122e-6)]
    assert (time["status"], time["engine"]) == ("public", "made up eager")
    assert [layer["name"] for layer in time["slowest"]] == ["act", "fc", "(loss)"]
    assert time["basis"]["runs"] == 1_200


def test_bounds_are_never_one_number() -> None:
    estimate = archcost.estimate(archcost.loads(NET), 2, hardware=WITHOUT_RUNS)
    data = told(estimate)["time"]
    low, high = data["band"]
    assert (data["status"], data["step_seconds"], data["samples_per_second"]) == ("bound", None, None)
    assert 0 < low < data["typical_seconds"] < high
    assert "Time of a step, uncalibrated: " in render(estimate)


def test_without_a_rate_memory_is_answered() -> None:
    estimate = archcost.estimate(archcost.loads(NET), 2, hardware="google-tpu-v4")
    data = told(estimate)
    assert data["memory"]["fits"]
    assert data["time"]["step_seconds"] is None
    assert data["time"]["notes"] == ["google-tpu-v4 has no rate for float32"]
    assert "Time of a step: not known. google-tpu-v4 has no rate for float32." in render(estimate)
    # In bfloat16 it multiplies, and what is no product moves bytes.
    assert archcost.estimate(archcost.loads(NET), 2, hardware="google-tpu-v4", precision="amp-bf16").time is not None


@pytest.mark.parametrize("format", ["markdown", "latex", "html", "csv"])
def test_other_forms(format: str) -> None:
    assert "9.12" in render(estimated(CPU), format)


def test_csv_has_every_number() -> None:
    rows = dict(list(csv.reader(io.StringIO(render(estimated(CPU), "csv"))))[1:])
    assert float(rows["time.step_seconds"]) == pytest.approx(9.122e-6)
    assert float(rows["time.band.low"]) == pytest.approx(0.8 * 9.122e-6)
    assert rows["time.status"] == "public"


def test_a_step_by_itself_in_a_notebook() -> None:
    time = estimated(CPU).time
    assert time is not None
    assert "<table>" in time._repr_html_()  # pyright: ignore[reportPrivateUsage]
    rows = list(csv.DictReader(io.StringIO(render(time, "csv"))))
    assert [row["layer"] for row in rows] == ["fc", "act", "(loss)"]


# The table of layers

BLOCKS = """
name: net
input: [4]
loss: sum
blocks:
  part:
    layers:
      - {name: fc, type: linear, out_features: 8}
      - {name: act, type: relu}
layers:
  - {block: part, name: one}
  - {block: part, name: two}
"""


def folded(depth: int | None, **settings: Any) -> Folded:
    estimate = estimated(CPU, BLOCKS, **settings)
    return Folded(archcost.cost(archcost.build(archcost.loads(BLOCKS), 2)), depth, estimate)


def test_parts_add_up_to_the_step() -> None:
    whole, deep = folded(1), folded(None)
    assert whole.time is not None
    assert set(whole.seconds) == {"one", "two", ""}  # the loss is beside the layers
    for name in ("one", "two"):
        inner = [deep.seconds[f"{name}.{layer}"].whole for layer in ("fc", "act")]
        assert whole.seconds[name].whole == pytest.approx(sum(inner))
    kernels = sum(seconds.whole for seconds in whole.seconds.values())
    # SGD on 40 and 72 weights: 3·112·4 B at 1 GB/s.
    assert whole.time.step == pytest.approx(kernels + whole.time.dispatch + 1344e-9)


def test_the_table_shows_seconds() -> None:
    text = render(folded(None))
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line[:1].isalpha()}
    # Layer one.fc is that of tests/times/test_by_hand.py; two.fc reads 8 values, and its input needs a gradient.
    assert rows["one.fc"][-7:] == ["128", "ns", "160", "ns", "288", "ns", "matrix"]
    assert rows["one.act"][-7:] == ["128", "ns", "192", "ns", "320", "ns", "bandwidth"]
    assert rows["loss"][-5:] == ["34", "ns", "34", "ns", "bandwidth"]


def test_json_of_the_table() -> None:
    data = json.loads(render(folded(None), "json"))
    assert (data["schema"], data["hardware"]) == ("archcost.summary/1", CPU)
    [kernel] = data["layers"][0]["time"]["kernels"]
    assert kernel["forward"] == {
        "flops": 128, "bytes": 256, "intensity": 0.5, "launches": 1, "seconds": pytest.approx(128e-9), "roof": "matrix",
    }  # fmt: skip
    assert data["layers"][0]["time"]["seconds"] == pytest.approx(288e-9)
    assert "kernels" not in json.loads(render(folded(1), "json"))["layers"][0]["time"]


def test_copies_of_autocast_are_their_layer_s() -> None:
    seconds = folded(None, precision="amp-bf16", basis=calibration(CPU, precision="amp-bf16")).seconds
    names = [layer.name for layer in seconds["one.fc"].layers]
    assert names == ["one.fc (bias as bfloat16)", "one.fc (weight as bfloat16)", "one.fc (input as bfloat16)", "one.fc"]


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--time"], "no device to estimate for"),
        (["--hardware", GPU], "no step is timed\n  expected: --time with settings of one\n  found: --hardware"),
        (["--mode", "infer"], "no step is timed"),
        (["--time", "--hardware", "nvidia-rtx-4091"], "unknown hardware"),
    ],
)
def test_wrong_questions(capsys: pytest.CaptureFixture[str], argv: list[str], told: str) -> None:
    assert main(["summary", "lenet5", *argv]) == 2
    assert told in capsys.readouterr().err


def test_strict_refuses_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "lenet5", "--time", "--hardware", WITHOUT_RUNS]) == 0
    assert "Times are typical ones of a training step" in capsys.readouterr().out
    assert main(["summary", "lenet5", "--time", "--hardware", WITHOUT_RUNS, "--strict"]) == 1
    assert "time.step_seconds" in capsys.readouterr().err
