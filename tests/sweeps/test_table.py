"""Columns: chosen, compared, and turned into text."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost import ArchcostError
from archcost.sweeps import Sweep
from archcost.sweeps.pareto import undominated
from archcost.sweeps.table import Column

SMALL = Sweep.of(
    "net",
    {
        "hardware": Column(np.array([0, 0, 1, 1], np.int16), ("a", "b")),
        "batch": Column(np.array([1, 2, 1, 2])),
        "peak_bytes": Column(np.array([1000, 2000, 1000, 3 * 2**20])),
        "step_seconds": Column(np.array([0.5, 0.25, np.nan, 0.125])),
    },
    (),
)


def test_columns_are_arrays() -> None:
    assert SMALL["hardware"].tolist() == ["a", "a", "b", "b"]
    assert SMALL["peak_bytes"].tolist() == [1000, 2000, 1000, 3145728]
    assert len(SMALL) == 4
    assert SMALL.row(2) == {"hardware": "b", "batch": 1, "peak_bytes": 1000, "step_seconds": None}
    with pytest.raises(ValueError, match="read-only"):
        SMALL["peak_bytes"][0] = 7


def test_rows_are_chosen() -> None:
    chosen = SMALL.where(SMALL["hardware"] == "b")
    assert chosen["batch"].tolist() == [1, 2]
    assert chosen["hardware"].tolist() == ["b", "b"]
    assert len(SMALL.where(SMALL["batch"] > 9)) == 0


def test_pareto_by_hand() -> None:
    """The third row has no time. Of the others each is beaten in time by a larger one: 0.5 s, 0.25 s, 0.125 s."""
    assert SMALL.pareto("step_seconds", "peak_bytes")["batch"].tolist() == [1, 2, 2]
    assert SMALL.pareto("step_seconds").row(0)["hardware"] == "b"
    assert SMALL.pareto("batch", "peak_bytes")["peak_bytes"].tolist() == [1000, 2000, 1000]  # a larger batch is better


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.0, np.nan]), min_size=3, max_size=3), max_size=12), st.data()
)
@settings(max_examples=100, deadline=None)
def test_nobody_beats_what_is_kept(rows: list[list[float]], data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 3))
    costs = np.array(rows, np.float64).reshape(-1, 3)[:, :width]

    def beats(one: Any, other: Any) -> bool:
        return bool((one <= other).all() and (one < other).any())

    known = [row for row in range(len(costs)) if not np.isnan(costs[row]).any()]
    expected = [row for row in known if not any(beats(costs[other], costs[row]) for other in known)]
    assert undominated(costs).tolist() == expected


def test_json_and_csv_have_every_row() -> None:
    told = json.loads(SMALL.to_json())
    assert told["schema"] == "archcost.sweep/1"
    assert told["rows"] == 4
    assert told["columns"]["step_seconds"] == [0.5, 0.25, None, 0.125]
    rows = list(csv.DictReader(io.StringIO(SMALL.render("csv"))))
    assert [row["peak_bytes"] for row in rows] == ["1000", "2000", "1000", "3145728"]
    assert [row["step_seconds"] for row in rows] == ["0.5", "0.25", "", "0.125"]


def test_a_long_table_shows_its_ends() -> None:
    numbers = np.arange(1, 1_000_001)
    long = Sweep.of("net", {"batch": Column(numbers), "peak_bytes": Column(numbers * 4)}, ("mystery",))
    shown = str(long)
    assert shown.startswith("net: 1,000,000 configurations")
    assert len(shown.splitlines()) < 40
    assert "1,000,000" in shown.splitlines()[-3]
    assert "mystery" in shown.splitlines()[-1]
    assert "<table>" in long._repr_html_()  # pyright: ignore[reportPrivateUsage]
    assert "| 1,000,000 |" in long.to_markdown().replace("  ", " ")


def test_wrong_questions() -> None:
    with pytest.raises(ArchcostError, match="no such column") as told:
        SMALL["peak_byte"]
    assert told.value.hint == "'peak_bytes'"
    with pytest.raises(ArchcostError, match="words are neither more nor less"):
        SMALL.pareto("hardware", "batch")
    with pytest.raises(ArchcostError, match="no columns to compare by"):
        SMALL.pareto()
    with pytest.raises(ArchcostError, match="one truth value each"):
        SMALL.where([True])
    with pytest.raises(ArchcostError, match="no such row"):
        SMALL.row(4)


def test_a_frame_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ArchcostError, match="pandas, which is not installed"):
        SMALL.to_frame()
