"""The log of times of networks: what is off, by how much, and the page that is made of it. No time is asserted."""

from __future__ import annotations

from pathlib import Path

import pytest

import archcost
from archcost.pytorch import validate as validating
from archcost.pytorch.calibrate import Asked, calibrate
from archcost.pytorch.probes import Probe
from archcost.pytorch.validate import NETWORKS, validate
from archcost.pytorch.validation import Predicted, Record, read, summary, summary_table, to_json
from tests.measurements.cpu_times import PAGE, renew


def record(measured: float = 2.0, drift: float = 1.0, batch: int = 1) -> Record:
    return Record("n", None, batch, "step", measured, drift, Predicted(1.0, 0.5, 2.5), Predicted(3.0, 2.5, 3.5))


def test_errors_are_relative_and_the_machine_may_have_been_slower() -> None:
    """1 s for 2 s is half too little. Had the machine taken twice as long as when it was calibrated, it were right;
    layers that were timed beside the network are held against what was measured: 3 s for 2 s.
    """
    assert record().error("classes") == pytest.approx(-0.5)
    assert record(drift=2.0).error("classes") == pytest.approx(0.0)
    assert record(drift=2.0).error("layers") == pytest.approx(0.5)
    assert record().is_inside("classes")
    assert not record().is_inside("layers")


def test_a_summary() -> None:
    """Errors of 1/4 − 1, 1/2 − 1, 1/1 − 1 and 1/0.8 − 1 in size: 75, 50, 0 and 25 %. 4 s lie outside 0.5 to 2.5."""
    records = [record(seconds) for seconds in (4.0, 2.0, 1.0, 0.8)]
    found = summary(records, "classes")
    assert found == pytest.approx((4, 0.375, 0.75, 0.75, 0.75))
    assert "classes, step" in summary_table(records)


def test_a_log_keeps_the_last_of_each(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"processor":"made up"}\n' + "".join(map(to_json, (record(), record(3.0), record(batch=2)))))
    found = read(log)
    assert [machine["processor"] for machine in found.machines] == ["made up"]
    assert list(found.records) == [record(3.0), record(batch=2)]
    assert read(tmp_path / "none.jsonl").records == ()


def test_a_network_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = (Probe({"type": "linear", "out_features": 16}, ((4, 8),)), Probe({"type": "relu"}, ((2, 8, 6, 6),)))
    monkeypatch.setattr("archcost.pytorch.calibrate.probes", lambda quick: few)
    monkeypatch.setattr("archcost.pytorch.calibrate.optimizers", lambda bench, quick: {})
    for name in ("TURNS", "PASSES", "REPEATS"):
        monkeypatch.setattr(validating, name, 1)
    calibration = calibrate(Asked(tmp_path / "mine.yaml", quick=True, threads=1), lambda done, total: None)
    found = list(validate(archcost.build(archcost.load("mlp"), 2), None, calibration))
    assert [(each.network, each.batch, each.what) for each in found] == [("mlp", 2, "forward"), ("mlp", 2, "step")]
    assert all(each.measured > 0 and each.drift > 0 for each in found)


def test_networks_are_of_many_kinds() -> None:
    assert len({network.name for network in NETWORKS}) >= 12


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert renew(text) == text, "make docs brings the page up to date"
