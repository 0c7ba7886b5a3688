"""The most that lives at once, at many batches: held against walks over the events, batch by batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost import ArchcostError
from archcost.sweeps.envelope import Line, Sizes, most_alive, upper


def walked(events: list[int], sizes: list[int], block: int) -> int:
    """One batch: storages come and go, each in whole blocks."""
    live: dict[int, int] = {}
    most = 0
    for event in events:
        if event < 0:
            del live[~event]
        else:
            live[event] = (sizes[event] + block - 1) // block * block
            most = max(most, sum(live.values()))
    return most


@st.composite
def steps(draw: st.DrawFn) -> tuple[list[int], list[int], list[int]]:
    """Events, and base and slope of each storage: some in whole blocks of 8, some not."""
    count = draw(st.integers(1, 12))
    base = draw(st.lists(st.integers(0, 400), min_size=count, max_size=count))
    slope = draw(st.lists(st.sampled_from([0, 0, 1, 3, 8, 12, 40]), min_size=count, max_size=count))
    events: list[int] = []
    alive: list[int] = []
    for storage in range(count):
        events.append(storage)
        alive.append(storage)
        for gone in draw(st.lists(st.sampled_from(alive), unique=True, max_size=len(alive))):
            alive.remove(gone)
            events.append(~gone)
    return events, base, slope


@given(steps(), st.sampled_from([1, 8]), st.sets(st.integers(1, 500), min_size=1, max_size=20), st.data())
@settings(max_examples=80, deadline=None)
def test_each_batch_is_that_of_a_walk(
    step: tuple[list[int], list[int], list[int]], block: int, batches: set[int], data: st.DataObject
) -> None:
    events, base, slope = step
    rising = sorted(batches)
    own = data.draw(st.sets(st.integers(0, len(base) - 1), max_size=2))
    odd = {each: data.draw(st.lists(st.integers(0, 300), min_size=len(rising), max_size=len(rising))) for each in own}
    bare = [0 if each in own else value for each, value in enumerate(base)]
    grows = [0 if each in own else value for each, value in enumerate(slope)]
    sizes = Sizes(np.array(bare), np.array(grows), {each: np.array(values) for each, values in odd.items()})
    found = most_alive(events, sizes, np.array(rising), block).tolist()
    for place, batch in enumerate(rising):
        at_batch = [
            odd[each][place] if each in own else value + batch * more
            for each, (value, more) in enumerate(zip(base, slope, strict=True))
        ]
        assert found[place] == walked(events, at_batch, block)


def test_by_hand() -> None:
    """10 + N until 2 + 3·N is more: 10 + N < 2 + 3·N from N > 4 on; 4·N − 3 is more than that from N > 5 on."""
    base, slope = np.array([10, 2, -3, 1]), np.array([1, 3, 4, 1])
    assert upper(base, slope, 1, 100) == [Line(1, 10, 1), Line(5, 2, 3), Line(6, -3, 4)]
    assert upper(base, slope, 6, 6) == [Line(6, -3, 4)]


def test_what_64_bits_do_not_hold_is_refused() -> None:
    sizes = Sizes(np.array([0]), np.array([2**32]), {})
    assert most_alive([0], sizes, np.array([2**29])).tolist() == [2**61]
    with pytest.raises(ArchcostError, match="64 bits"):
        most_alive([0], sizes, np.array([2**31 - 1]))
