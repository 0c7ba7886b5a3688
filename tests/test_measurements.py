"""The log of measured steps: what is made of it is up to date, its errors are small, and the formulas say it still."""

from __future__ import annotations

import json
from statistics import fmean, median

import pytest

from archcost.costs.error_bands import band
from archcost.costs.phases import by_phase, requested_by_phase
from archcost.costs.timeline import timeline
from archcost.graph import build
from archcost.passes.run import Run
from archcost.spec import load, zoo
from archcost.spec.overrides import override
from tests.documents import numbers_in_prose
from tests.measurements.log import ROLES, Pair, PhaseRecord, Record, Settings, read, to_json
from tests.measurements.page import BANDS, BEGIN, PAGE, bands, block, renew, signed, unmeasured

LOG = read("cpu")


def test_the_page_is_up_to_date() -> None:
    text = PAGE.read_text()
    assert renew(text) == text, "make docs brings the page up to date"


def test_the_bands_that_ship_are_up_to_date() -> None:
    assert BANDS.read_text() == bands(), "make docs brings the bands up to date"


def test_numbers_in_prose_stand_in_the_tables() -> None:
    prose, _, tables = PAGE.read_text().partition(BEGIN)
    for number in numbers_in_prose(prose):
        assert number in tables, f"{number} stands in prose, but in no table"


def test_bands_hold_every_step() -> None:
    lowest, highest = band("cpu") or pytest.fail("nothing measured")
    errors = [record.worst("allocator").error for record in LOG.records]
    assert lowest <= min(errors)
    assert max(errors) <= highest
    assert highest - lowest < 0.1
    assert band("cpu", "peak_bytes") is not None


def test_what_is_measured_is_measured_in_every_setting() -> None:
    """Batches, optimizers, precisions, recompute: 2·4·2·2, on one size of input at least.

    A shipped network either is measured so, or is on the page's list of those that are not.
    """
    missing = [record for record in LOG.refused if "too many for the machine" not in record[1]]
    assert missing == []
    networks = set(zoo.names())
    left_out = unmeasured(LOG.records)
    assert len(networks) - len(left_out) == 23
    prose = PAGE.read_text()
    assert all(f"`{network}`" in prose for network in left_out)
    for network in networks.difference(left_out):
        found = [record.settings for record in LOG.records if record.settings.network == network]
        assert len({settings[2:] for settings in found if settings.threads == 1}) == 32, network
        assert len([settings for settings in found if settings.threads == 2]) == 2, network


def test_errors_are_small() -> None:
    """Of tensors 0.1 % in the mean and 0.5 % at worst, of the allocator 1 % in the median and 5 % at worst."""
    tensors = [abs(record.worst("tracker").error) for record in LOG.records]
    assert fmean(tensors) <= 0.001
    assert max(tensors) <= 0.005
    allocator = [abs(record.worst("allocator").error) for record in LOG.records]
    assert median(allocator) <= 0.01
    assert max(allocator) <= 0.05


@pytest.mark.parametrize(
    "record", LOG.records[:: max(1, len(LOG.records) // 24)], ids=lambda record: str(record.settings)
)
def test_formulas_still_say_what_the_log_says(record: Record) -> None:
    """If not: `python -m tests.measurements --again`, and see that the errors stay small."""
    settings = record.settings
    spec = load(settings.network)
    graph = build(override(spec, (), (settings.input,)) if settings.input else spec, settings.batch)
    run = Run(
        optimizer=settings.optimizer,  # type: ignore[arg-type]
        optimizer_impl=settings.optimizer_impl,  # type: ignore[arg-type]
        precision=settings.precision,  # type: ignore[arg-type]
        recompute=settings.recompute,
    )
    plain = timeline(graph, run)
    assert plain.peak == record.peak
    watched = {phase.name: phase for phase in by_phase(timeline(graph, run, out_of_place=True))}
    allocator = requested_by_phase(timeline(graph, run, threads=settings.threads))
    said = {
        name: PhaseRecord(phase.peak, trace, allocator[name], tuple(phase.roles[role] for role in ROLES))
        for (name, phase), trace in zip(watched.items(), requested_by_phase(plain).values(), strict=True)
    }
    assert said == record.predicted


SETTINGS = Settings("mlp", None, 2, "sgd", None, "fp32", "none")


def record(peak: int, predicted: int, measured: int) -> Record:
    """One phase; all witnesses agree among themselves, and every byte is a weight's."""
    ours, theirs = (PhaseRecord(each, each, each, (each, *(0,) * 6)) for each in (predicted, measured))
    return Record(SETTINGS, peak, {"forward": ours}, {"forward": theirs})


def test_a_record_by_hand() -> None:
    one = record(1000, 1010, 1000)
    assert one.worst("tracker") == Pair(1010, 1000)
    assert one.worst("tracker").error == pytest.approx(0.01)
    assert one.bias == pytest.approx(0.01)
    assert one.peak_in_trace == Pair(1000, 1000)
    sides = [[each, each, each, [each] + [0] * 6] for each in (1010, 1000)]
    assert json.loads(to_json(one))["phases"] == {"forward": sides}


def test_tables_by_hand() -> None:
    """Two steps, one of them 1 % high: mean and median half of that."""
    log = LOG.__class__(LOG.machines, (record(1000, 1010, 1000), record(1000, 1000, 1000)), ((SETTINGS, "why"),))
    text = block(log)
    assert "| tensors, tracker | 2 | 1 | 0.500 % | 0.500 % | 0.000 % | +1.000 % |" in text
    assert "| `mlp` | declared | 2 | 1.000 % | 1.000 % | 0.500 % | 1.000 % | 1.000 % |" in text
    assert "| weights | 2 | 1 | 1.000 % |" in text
    assert "| allocator | mlp, batch 2, sgd, fp32 | 1,010 | 1,000 | +1.000 % |" in text
    assert "Not run: mlp, batch 2, sgd, fp32: why." in text


def test_an_error_that_rounds_to_nothing_has_no_sign() -> None:
    assert [signed(error) for error in (-1e-6, 0.0, 1e-6, -0.001)] == ["0.000 %"] * 3 + ["-0.100 %"]
