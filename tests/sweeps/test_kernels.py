"""What a CPU's kernels allocate, followed through their rules: held against the rules at single batches."""

from __future__ import annotations

from fractions import Fraction

import pytest

import archcost
from archcost import Run
from archcost.costs.cpu_kernels import own_memory
from archcost.estimates.batches import growth
from archcost.sweeps.kernels import alike, pieces
from archcost.sweeps.samples import Samples, Span

LAST = 5_000
LOOKED_AT = (2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 64, 100, 255, 256, 257, 1_000, 4_999, LAST)


@pytest.mark.parametrize("network", ["resnet18", "mobilenet_v2", "unet", "conv_autoencoder_transposed", "gpt2"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_lines_are_what_the_rules_say(network: str, precision: str) -> None:
    grown = growth(archcost.load(network), Run(precision=precision), "cpu")
    followed = 0
    for run, _ in alike(list(grown.kernels.items())):
        lines = pieces(run, 3, 2, LAST)
        if lines is None:
            continue
        followed += 1
        starts = [line.start for line in lines]
        assert starts == sorted(set(starts))
        assert starts[0] == 2
        for batch in LOOKED_AT:
            line = next(line for line in reversed(lines) if line.start <= batch)
            assert line.base + line.slope * batch == own_memory(run.at(batch, 3), run.direction)
    assert followed > 0 or not grown.kernels


def test_a_comparison_narrows_the_span() -> None:
    """At 10: 3·N + 1 < 50 holds up to 16 (49), 2·N > 7 from 4 on (8)."""
    span = Span(10, 1, 1000)
    batch = Samples(span)
    assert 3 * batch + 1 < 50
    assert max(2 * batch, 7) != 7
    assert (span.lowest, span.highest) == (4, 16)


def test_what_is_no_line_holds_for_one_batch() -> None:
    for rule in (lambda n: n // 3, lambda n: n * n, lambda n: n % 2, lambda n: -(-n // 8), lambda n: 5 / n):
        span = Span(10, 1, 1000)
        assert rule(Samples(span)) == rule(10)
        assert (span.lowest, span.highest) == (10, 10)


def test_what_stays_a_line() -> None:
    """(6·N + 5) // 3 = 2·N + 1, as 6·N is a multiple of 3; 6·N // (2·N) = 3."""
    span = Span(10, 1, 1000)
    batch = Samples(span)
    whole = (6 * batch + 5) // 3
    assert isinstance(whole, Samples)
    assert (whole.base, whole.slope) == (1, 2)
    assert 6 * batch // (2 * batch) == 3
    half = batch / 2
    assert isinstance(half, Samples)
    assert half.slope == Fraction(1, 2)
    assert (span.lowest, span.highest) == (1, 1000)


def test_a_tie_holds_for_one_batch() -> None:
    span = Span(10, 1, 1000)
    assert Samples(span) == 10
    assert (span.lowest, span.highest) == (10, 10)
    span = Span(10, 1, 1000)
    assert Samples(span) != 1  # as for all batches but one
    assert span.lowest == 2
