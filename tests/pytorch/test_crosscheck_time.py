"""`verify --measure --calibration`: steps are timed, and told beside the estimate. No test says how long they take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import archcost
from archcost import ArchcostError, Run
from archcost.cli import main
from archcost.hardware.calibration import Calibration, Pace
from archcost.hardware.calibration_file import as_text
from archcost.pytorch import verify
from archcost.pytorch.machine import here
from archcost.pytorch.timing import Bench

ANYTHING = Pace(rate=1e9, bandwidth=1e9, floor=1e-6)
RUN = Run(optimizer="sgd")


def made(**fields: object) -> Calibration:
    machine = here("cpu", "fp32")
    known = {
        "device": machine.name,
        "engine": "eager",
        "version": f"torch {machine.torch}",
        "processor": machine.processor,
        "precision": "fp32",
        "modes": ("infer", "train"),
        "status": "calibrated",
        "source": "made up",
        "runs": 1,
        "families": 1,
        "threads": 1,
        "dispatch": 0.0,
        "classes": dict.fromkeys(("product", "elementwise", "reduction", "softmax", "optimizer"), ANYTHING),
        "band": (1e-9, 1e9),
    }
    return Calibration.model_validate({**known, **fields})


def of_time(network: archcost.ModelSpec | nn.Module, calibration: Calibration, *inputs: object):
    found = verify(network, *inputs, run=RUN, calibration=calibration)
    return {check.scope: check for check in found.checks if check.quantity == "step_seconds"}


@pytest.mark.parametrize("kind", ["spec", "module"])
def test_a_step_and_its_phases(kind: str) -> None:
    spec = archcost.load("mlp")
    module = nn.Sequential(nn.Linear(6, 5), nn.ReLU())
    checks = of_time(spec, made()) if kind == "spec" else of_time(module, made(), torch.zeros(2, 6))
    assert list(checks) == ["total", "forward", "backward", "optimizer"]
    assert all(check.agrees for check in checks.values())
    assert isinstance(checks["total"].witness, float)
    phases = [check.witness for scope, check in checks.items() if scope != "total"]
    assert sum(phases) == pytest.approx(checks["total"].witness)


def test_what_the_band_does_not_hold_differs() -> None:
    checks = of_time(archcost.load("mlp"), made(dispatch=3600.0, band=(0.9, 1.1)))
    assert checks["total"].agrees is False
    assert checks["total"].reason is not None


@pytest.mark.parametrize("changed", [{"processor": "another"}, {"version": "torch 1.0"}])
def test_a_calibration_of_another_machine_cannot_be_held_against_this_one(changed: dict[str, str]) -> None:
    checks = of_time(archcost.load("mlp"), made(**changed))
    assert [check.agrees for check in checks.values()] == [None]
    assert "the calibration was made on" in str(checks["total"].reason)


def test_another_precision_is_refused() -> None:
    with pytest.raises(ArchcostError, match="of another kind of run"):
        of_time(archcost.load("mlp"), made(precision="amp-bf16"))


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(as_text(made()))
    asked = ["verify", "mlp", "--optimizer", "sgd", "--calibration", str(file)]
    assert main(asked) == 2
    assert "no s" in capsys.readouterr().err
    assert main([*asked, "--measure", "--format", "json"]) == 0
    checks = json.loads(capsys.readouterr().out)["checks"]
    (total,) = [each for each in checks if (each["quantity"], each["scope"]) == ("step_seconds", "total")]
    assert total["archcost"] > 0
    assert total["witness"] > 0
    assert main([*asked, "--measure"]) == 0
    assert "step seconds" in capsys.readouterr().out


def test_phases_of_one_name_are_added_up() -> None:
    bench = Bench()
    ticks = iter([0.0, 1.0, 3.0, 3.5, 4.0])
    bench._mark = lambda: next(ticks)  # pyright: ignore[reportPrivateUsage]
    names = ("forward", "backward", "forward", "backward")
    found = bench.phases(lambda begins: [begins(name) for name in names])
    assert found == {"forward": 1.5, "backward": 2.5}
