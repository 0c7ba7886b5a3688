"""Published runs of compiled networks beside what the calibrations of those cards say, for networks that ship."""

from __future__ import annotations

import numpy as np
import pytest

import archcost
from tests.measurements.compiled import RUNS, rows
from tests.measurements.test_training import NAMES, spec_at


@pytest.mark.parametrize("column", ["rtx-4090 amp-fp16", "rtx-pro-6000 bf16"])
def test_published_runs_of_shipped_networks(column: str) -> None:
    device, precision, _ = RUNS[column]
    off: list[float] = []
    inside: list[bool] = []
    for row in rows():
        if row.column != column or row.network not in NAMES:
            continue
        found = archcost.estimate(
            spec_at(NAMES[row.network], row.size),
            row.batch,
            hardware=device,
            mode="infer",
            precision=precision,
            optimizer="none",
            engine="compiled",
        ).time
        assert found is not None
        assert found.step is not None
        assert (found.status, found.engine) == ("public", "torch 2.9 compiled")
        off.append(abs(found.step / row.seconds - 1))
        inside.append(found.band[0] <= row.seconds <= found.band[1])
    assert len(off) >= 10
    assert float(np.median(off)) < 0.1
    assert sum(inside) >= 0.85 * len(inside)
