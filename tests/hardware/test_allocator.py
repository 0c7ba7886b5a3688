"""The simulated caching allocator: cases that can be counted by hand, and a slow model that has no blocks at all."""

from __future__ import annotations

from itertools import permutations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcost.hardware.allocator import FREE, Change, Simulated, rounded, segment_size, simulate

KIB, MIB = 1 << 10, 1 << 20


def played(*changes: tuple[int, float], capacity_mib: float | None = None) -> Simulated:
    """Sizes and capacity in MiB."""
    capacity = None if capacity_mib is None else int(capacity_mib * MIB)
    return simulate([Change(key, FREE if size == FREE else int(size * MIB)) for key, size in changes], capacity)


# What one tensor takes


@pytest.mark.parametrize(("nbytes", "size"), [(0, 0), (1, 512), (511, 512), (512, 512), (513, 1024), (1024, 1024)])
def test_sizes_round_up_to_512_bytes(nbytes: int, size: int):
    assert rounded(nbytes) == size


@pytest.mark.parametrize(
    ("nbytes", "allocated", "reserved"),
    [
        (1, 512, 2 * MIB),
        (MIB - 511, MIB, 2 * MIB),
        (MIB, MIB, 2 * MIB),
        (MIB + 1, MIB + 512, 20 * MIB),
        (10 * MIB - 512, 10 * MIB - 512, 20 * MIB),
        (10 * MIB - 1, 10 * MIB, 10 * MIB),  # rounded before it is asked for
        (10 * MIB, 10 * MIB, 10 * MIB),
        (10 * MIB + 1, 10 * MIB + 512, 12 * MIB),  # 2 MiB - 512 B are left: split off
        (11 * MIB - 512, 11 * MIB - 512, 12 * MIB),  # 1 MiB + 512 B are left: split off
        (11 * MIB, 12 * MIB, 12 * MIB),  # 1 MiB is left: not enough, the block keeps it
        (3000 * MIB, 3000 * MIB, 3000 * MIB),
        (8_519_680, 8_519_680, 20 * MIB),  # cuBLAS's workspace
    ],
)
def test_one_tensor(nbytes: int, allocated: int, reserved: int):
    assert simulate([Change(7, nbytes)]) == Simulated(allocated, reserved, allocated, reserved, None)


def test_an_empty_tensor_takes_nothing():
    assert simulate([Change(1, 0), Change(1, FREE)]) == Simulated(0, 0, 0, 0, None)


def test_nothing_played():
    assert simulate([]) == Simulated(0, 0, 0, 0, None)


# Splitting


def test_small_tensors_share_a_segment():
    whole = [Change(0, MIB), Change(1, MIB - 512), Change(2, 1)]  # 2 MiB to the byte
    assert simulate(whole).reserved == 2 * MIB
    assert simulate([*whole, Change(3, 1)]).reserved == 4 * MIB


def test_a_large_rest_of_one_mebibyte_is_not_split_off():
    """9.5 + 9.5 of 20: the second block is the 10.5 MiB that are left."""
    assert played((0, 9.5), (1, 9.5)) == Simulated(20 * MIB, 20 * MIB, 20 * MIB, 20 * MIB, None)


def test_small_and_large_have_pools_of_their_own():
    assert played((0, 100), (0, FREE), (1, 1)).reserved == 102 * MIB
    assert played((0, 1), (0, FREE), (1, 1.5)).reserved == 22 * MIB


def test_a_free_segment_of_any_size_is_reused():
    """`max_split_size` is unlimited: no segment is too large to be cut up."""
    assert played((0, 100), (0, FREE), (1, 1.5), (2, 98.5)).reserved == 100 * MIB


# Choosing


def test_the_smallest_block_that_holds_it():
    """12 into the segment of 12, so that 16 finds its own."""
    assert played((0, 16), (1, 12), (0, FREE), (1, FREE), (2, 12), (3, 16)).reserved == 28 * MIB


def test_of_equal_blocks_that_of_the_older_segment():
    """12 are free in both segments of 20. What is put there goes to the first, so the second can become whole."""
    two = ((0, 8), (1, 12), (2, 8), (3, 12), (1, FREE), (3, FREE))
    assert played(*two, (4, 8), (2, FREE), (5, 20)).reserved == 40 * MIB
    assert played(*two, (4, 8), (0, FREE), (5, 20)).reserved == 60 * MIB


def test_of_equal_blocks_in_a_segment_the_first():
    """Five of 4: the first and third go, 4 come back in the first's place, and the third joins the fourth."""
    five = tuple((key, 4) for key in range(5))
    assert played(*five, (0, FREE), (2, FREE), (5, 4), (3, FREE), (6, 8)).reserved == 20 * MIB


def test_of_equal_blocks_in_a_segment_the_first_also_after_joining():
    """Of 40: 16 + 4 are freed, join, and are cut into five of 4. The fifth lies before the free 4 at 24, so that is
    where 4 go, and the 4 at 24 join the last 12."""
    cut = ((0, 40), (0, FREE), (1, 16), (2, 4), (3, 4), (4, 4), (5, 12), (1, FREE), (2, FREE))
    fifths = tuple((key, 4) for key in range(6, 11))
    assert played(*cut, *fifths, (4, FREE), (10, FREE), (11, 4), (5, FREE), (12, 16)).reserved == 40 * MIB


# Joining


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_free_neighbours_join(order: tuple[int, ...]):
    """6 + 6 + 8 of one segment, freed in any order, are 20 again."""
    blocks = ((0, 6), (1, 6), (2, 8))
    assert played(*blocks, *((key, FREE) for key in order), (3, 20)).reserved == 20 * MIB


def test_blocks_of_two_segments_do_not_join():
    assert played((0, 10), (1, 10), (0, FREE), (1, FREE), (2, 20)).reserved == 40 * MIB


# Peaks


def test_peaks_are_not_the_end():
    assert played((0, 30), (1, 10), (0, FREE), (1, FREE)) == Simulated(40 * MIB, 40 * MIB, 0, 40 * MIB, None)


# Running out


def test_cached_segments_are_given_back_before_it_fails():
    assert played((0, 20), (0, FREE), (1, 30), capacity_mib=30) == Simulated(
        30 * MIB, 30 * MIB, 30 * MIB, 30 * MIB, None
    )


def test_all_free_segments_are_given_back_at_once():
    """Also the 12 that need not have gone, and the small ones: 30 is all that is left."""
    end = played((0, 20), (1, 12), (2, 1), (0, FREE), (1, FREE), (2, FREE), (3, 30), capacity_mib=45)
    assert end == Simulated(33 * MIB, 34 * MIB, 30 * MIB, 30 * MIB, None)


def test_nothing_is_given_back_while_there_is_room():
    assert played((0, 20), (0, FREE), (1, 30), capacity_mib=50).reserved_at_end == 50 * MIB


def test_a_segment_in_use_is_not_given_back():
    """2 of 20 are used: 18 are free there and 20 more at the driver, but not 22 in one piece."""
    end = played((0, 2), (1, 22), capacity_mib=40)
    assert end == Simulated(2 * MIB, 20 * MIB, 2 * MIB, 20 * MIB, 1)
    assert not end.fits


def test_fragments_do_not_fit_although_their_sum_does():
    """Of 30 the middle 10 stay: 20 are free, in two pieces."""
    cut = ((0, 30), (0, FREE), (1, 10), (2, 10), (3, 10), (1, FREE), (3, FREE))
    assert played(*cut, (4, 10), (5, 10), capacity_mib=30).fits
    assert played(*cut, (4, 20), capacity_mib=30).failed_at == 7


def test_a_tensor_fits_to_the_byte():
    assert played((0, 12), capacity_mib=12).fits
    assert simulate([Change(0, 12 * MIB)], 12 * MIB - 1).failed_at == 0


def test_a_small_tensor_needs_a_whole_segment():
    assert simulate([Change(0, 1)], 2 * MIB - 1) == Simulated(0, 0, 0, 0, 0)


def test_nothing_is_played_after_a_failure():
    assert played((0, 12), (1, 12), (0, FREE), capacity_mib=20) == Simulated(12 * MIB, 12 * MIB, 12 * MIB, 12 * MIB, 1)


# Keys


def test_a_key_can_be_used_again():
    assert played((0, 10), (0, FREE), (0, 10)).reserved == 10 * MIB


@pytest.mark.parametrize("nbytes", [0, 5])
def test_a_key_that_is_alive(nbytes: int):
    with pytest.raises(ValueError, match="change 1 allocates 3, which is alive"):
        simulate([Change(3, nbytes), Change(3, 8)])


def test_a_key_that_is_not_alive():
    with pytest.raises(KeyError):
        simulate([Change(3, 8), Change(3, FREE), Change(3, FREE)])


# Against a model without blocks: a segment is what of it is used; a hole is what lies between


class Piece(NamedTuple):
    start: int
    end: int


class Holes:
    def __init__(self, capacity: int | None) -> None:
        self.capacity = capacity
        self.segments: dict[int, tuple[int, bool]] = {}
        """Size, and whether small."""
        self.used: dict[int, dict[int, Piece]] = {}
        """Of a segment, by key."""
        self.asked = 0

    def allocate(self, key: int, nbytes: int) -> bool:
        size = -(-nbytes // 512) * 512
        small = size <= MIB
        if not (found := self.holes(size, small)):
            new = 2 * MIB if small else 20 * MIB if size < 10 * MIB else -(-size // (2 * MIB)) * 2 * MIB
            if self.capacity is not None and self.reserved() + new > self.capacity:
                empty = [number for number, pieces in self.used.items() if not pieces]
                for number in empty:
                    del self.segments[number], self.used[number]
                if self.reserved() + new > self.capacity:
                    return False
            number = self.asked = self.asked + 1
            self.segments[number] = (new, small)
            self.used[number] = {}
            found = [(new, number, 0)]
        hole, number, start = min(found)
        left = hole - size
        split = left >= 512 if small else left > MIB
        self.used[number][key] = Piece(start, start + (size if split else hole))
        return True

    def free(self, key: int) -> None:
        for pieces in self.used.values():
            pieces.pop(key, None)

    def holes(self, size: int, small: bool) -> list[tuple[int, int, int]]:
        """Those that are large enough: size, segment, start."""
        found: list[tuple[int, int, int]] = []
        for number, (length, is_small) in self.segments.items():
            pieces = sorted(self.used[number].values())
            starts = [0, *(piece.end for piece in pieces)]
            ends = [*(piece.start for piece in pieces), length]
            assert all(start <= end for start, end in zip(starts, ends, strict=True)), "pieces overlap"
            found += [
                (end - start, number, start) for start, end in zip(starts, ends, strict=True) if is_small is small
            ]
        return [hole for hole in found if hole[0] >= max(size, 1)]

    def reserved(self) -> int:
        return sum(length for length, _ in self.segments.values())

    def allocated(self) -> int:
        return sum(piece.end - piece.start for pieces in self.used.values() for piece in pieces.values())


EDGES = (512, MIB, 2 * MIB, 10 * MIB, 19 * MIB, 20 * MIB)
SIZES = st.one_of(
    st.integers(0, 4 * KIB),
    st.integers(0, 3 * MIB),
    st.integers(MIB, 40 * MIB),
    st.tuples(st.sampled_from(EDGES), st.integers(-512, 512)).map(sum),
    st.sampled_from([size * MIB for size in (1, 2, 4, 8, 9, 11, 12, 18)]),
)


@st.composite
def steps(draw: st.DrawFn) -> list[Change]:
    """Any order of allocations and frees."""
    changes: list[Change] = []
    alive: list[int] = []
    for key in range(draw(st.integers(1, 25))):
        changes.append(Change(key, draw(SIZES)))
        alive.append(key)
        for _ in range(draw(st.integers(0, min(2, len(alive))))):
            dead = alive.pop(draw(st.integers(0, len(alive) - 1)))
            changes.append(Change(dead, FREE))
    return changes


CAPACITIES = st.one_of(st.none(), st.integers(1, 120).map(lambda size: size * MIB))


@given(steps(), CAPACITIES)
@settings(max_examples=400, deadline=None)
def test_as_the_model_of_holes(changes: list[Change], capacity: int | None):
    model = Holes(capacity)
    allocated = reserved = 0
    failed_at = None
    for index, (key, nbytes) in enumerate(changes):
        if nbytes == FREE:
            model.free(key)
        elif nbytes > 0 and not model.allocate(key, nbytes):
            failed_at = index
            break
        allocated, reserved = max(allocated, model.allocated()), max(reserved, model.reserved())
    assert simulate(changes, capacity) == Simulated(allocated, reserved, model.allocated(), model.reserved(), failed_at)


def alive(changes: list[Change]) -> list[int]:
    """Rounded bytes of each tensor that is alive after all."""
    sizes: dict[int, int] = {}
    for key, nbytes in changes:
        if nbytes == FREE:
            del sizes[key]
        else:
            sizes[key] = -(-nbytes // 512) * 512
    return list(sizes.values())


@given(steps())
@settings(max_examples=100, deadline=None)
def test_sizes_blocks_and_segments_are_in_order(changes: list[Change]):
    """Rounded tensors ≤ blocks ≤ segments at every moment. A large block is at most 1 MiB larger than its tensor, a
    small one is what it was rounded to. Without a limit nothing is ever given back."""
    before = 0
    for count in range(1, len(changes) + 1):
        sizes = alive(changes[:count])
        now = simulate(changes[:count])
        assert sum(sizes) <= now.allocated_at_end <= now.reserved_at_end
        assert now.allocated_at_end - sum(sizes) <= MIB * sum(size > MIB for size in sizes)
        assert before <= now.reserved_at_end == now.reserved
        before = now.reserved_at_end


@given(steps())
@settings(max_examples=100, deadline=None)
def test_when_all_is_freed_every_segment_is_whole(changes: list[Change]):
    """So that all of them can be given back for one tensor that needs the room of all."""
    dead = {key for key, nbytes in changes if nbytes == FREE}
    over = [*changes, *(Change(key, FREE) for key, nbytes in changes if nbytes != FREE and key not in dead)]
    end = simulate(over)
    assert end.allocated_at_end == 0
    needed = end.reserved + 2 * MIB
    last = simulate([*over, Change(-1, needed)], max(needed, segment_size(rounded(needed))))
    assert last.fits
    assert last.reserved_at_end == segment_size(rounded(needed))


@given(steps(), st.integers(1, 120).map(lambda size: size * MIB))
@settings(max_examples=100, deadline=None)
def test_a_limit_is_kept_and_does_not_matter_when_it_is_not_reached(changes: list[Change], capacity: int):
    free, limited = simulate(changes), simulate(changes, capacity)
    assert limited.reserved <= capacity
    if free.reserved <= capacity:
        assert limited == free
