"""torch's caching allocator of a GPU, simulated: what a sequence of allocations takes from the driver.

Memory comes from the driver in segments and is handed out in blocks that are cut from them. The rules are those of
torch 2.13 with its default settings on one stream (c10/cuda/CUDACachingAllocator.cpp, the constants in
c10/core/AllocatorConfig.h): no expandable segments, no garbage collection, a block of any size may be split.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

MIN_BLOCK = 512
"""kMinBlockSize: what every size is rounded up to a multiple of."""

SMALL = 1 << 20
"""kSmallSize: the largest block of the small pool, and what must be left over for a large block to be split."""

SMALL_SEGMENT = 2 << 20
"""kSmallBuffer."""

LARGE_SEGMENT = 20 << 20
"""large_segment_size, for blocks below LARGE."""

LARGE = 10 << 20
"""kMinLargeAlloc: from here on a block asks for a segment of its own."""

SEGMENT_STEP = 2 << 20
"""kRoundLarge: what such a segment is rounded up to a multiple of."""

FREE = -1
"""Stands for the size in a Change that frees."""


class Change(NamedTuple):
    """`nbytes` bytes are allocated under a name, or what is alive under it is freed (FREE)."""

    key: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """Bytes. Where an allocation failed, those until then, and nothing after it was played."""

    allocated: int
    """Peak of the blocks in use: `torch.cuda.max_memory_allocated`. A block can be larger than the tensor in it."""

    reserved: int
    """Peak of the segments: `torch.cuda.max_memory_reserved`."""

    allocated_at_end: int
    reserved_at_end: int
    failed_at: int | None
    """The index of the change that found no memory, even after cached segments had been given back."""

    @property
    def fits(self) -> bool:
        return self.failed_at is None


def rounded(nbytes: int) -> int:
    """A size rounded up to a multiple of 512 bytes (round_size in c10); 0 stays 0, as no block is taken for it."""
    return (nbytes + MIN_BLOCK - 1) // MIN_BLOCK * MIN_BLOCK


def segment_size(size: int) -> int:
    """Bytes of the segment that is taken from the driver when no free block has `size` bytes (get_allocation_size)."""
    if size <= SMALL:
        return SMALL_SEGMENT
    if size < LARGE:
        return LARGE_SEGMENT
    return (size + SEGMENT_STEP - 1) // SEGMENT_STEP * SEGMENT_STEP


def simulate(changes: Iterable[Change | tuple[int, int]], capacity: int | None = None) -> Simulated:
    """Plays the changes in order. `capacity` is what the driver can give, in bytes; None is no limit.

    A key names one tensor while it is alive and may be used again afterwards. Raises ValueError where a key is
    allocated while alive, KeyError where what is freed is not alive.
    """
    allocator = _Allocator(capacity)
    alive: dict[int, _Block | None] = {}
    allocated = reserved = 0
    failed_at = None
    for index, (key, nbytes) in enumerate(changes):
        if nbytes < 0:
            block = alive.pop(key)
            if block is not None:
                allocator.free(block)
            continue
        if key in alive:
            raise ValueError(f"change {index} allocates {key}, which is alive")
        if nbytes == 0:
            alive[key] = None
            continue
        block = alive[key] = allocator.allocate(rounded(nbytes))
        if block is None:
            failed_at = index
            break
        if allocator.allocated > allocated:
            allocated = allocator.allocated
        if allocator.reserved > reserved:
            reserved = allocator.reserved
    return Simulated(allocated, reserved, allocator.allocated, allocator.reserved, failed_at)


class _Block:
    """A piece of a segment; `before` and `after` are its neighbours in that segment, if it was split."""

    __slots__ = ("address", "after", "before", "free", "pool", "size")

    def __init__(self, address: int, size: int, pool: _Pool, before: _Block | None, after: _Block | None) -> None:
        self.address = address
        self.size = size
        self.pool = pool
        self.before = before
        self.after = after
        self.free = False


_Pool = list[tuple[int, int, _Block]]
"""The free blocks by size, then by age of the segment, then by address within it, as torch 2.13 orders them (pytorch
pull request 183591). Addresses here grow with every new segment, so that they stand for both."""


class _Allocator:
    def __init__(self, capacity: int | None) -> None:
        self.capacity = capacity
        self.allocated = 0
        self.reserved = 0
        self._small: _Pool = []
        self._large: _Pool = []
        self._next_address = 0

    def allocate(self, size: int) -> _Block | None:
        """The smallest free block that holds the rounded size (get_free_block), else one of a new segment; what is
        left over becomes a free block if it is large enough (should_split). None where there is no memory."""
        pool = self._small if size <= SMALL else self._large
        at = bisect_left(pool, (size,))
        block = pool.pop(at)[2] if at < len(pool) else self._segment(segment_size(size), pool)
        if block is None:
            return None
        left = block.size - size
        if left > SMALL or (left >= MIN_BLOCK and pool is self._small):
            rest = _Block(block.address + size, left, pool, block, block.after)
            if block.after is not None:
                block.after.before = rest
            block.size = size
            block.after = rest
            self._keep(rest)
        block.free = False
        self.allocated += block.size
        return block

    def free(self, block: _Block) -> None:
        """Joins the block with free neighbours and keeps it (free_block, try_merge_blocks)."""
        self.allocated -= block.size
        before, after = block.before, block.after
        if before is not None and before.free:
            self._take(before)
            block.address = before.address
            block.size += before.size
            block.before = before.before
            if block.before is not None:
                block.before.after = block
        if after is not None and after.free:
            self._take(after)
            block.size += after.size
            block.after = after.after
            if block.after is not None:
                block.after.before = block
        self._keep(block)

    def _keep(self, block: _Block) -> None:
        block.free = True
        insort(block.pool, (block.size, block.address, block))

    def _take(self, block: _Block) -> None:
        pool = block.pool
        del pool[bisect_left(pool, (block.size, block.address))]

    def _segment(self, size: int, pool: _Pool) -> _Block | None:
        """A new segment as one block (alloc_block). Where the driver has not enough left, it is asked again after all
        segments that are free as a whole were given back to it (release_cached_blocks)."""
        if not self._can_grow(size):
            self._give_back()
            if not self._can_grow(size):
                return None
        block = _Block(self._next_address, size, pool, None, None)
        self._next_address += size
        self.reserved += size
        return block

    def _can_grow(self, size: int) -> bool:
        return self.capacity is None or self.reserved + size <= self.capacity

    def _give_back(self) -> None:
        for pool in (self._large, self._small):
            split = [entry for entry in pool if entry[2].before is not None or entry[2].after is not None]
            self.reserved += sum(entry[0] for entry in split) - sum(entry[0] for entry in pool)
            pool[:] = split
