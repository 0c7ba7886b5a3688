"""A checkpoint that grows by one operation after the other: what it needs, and the work of computing it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

NOTHING: frozenset[int] = frozenset()


class Span(NamedTuple):
    """One layer that keeps what it does, or a checkpoint of layers up to the boundary `end`.

    Held for backward are `takes`, storages from before, and `owns`, which are `owned` bytes. Forward loses hold of
    `ended`, and of what it made there stay `stays` bytes, `owns` among them. In bytes needed: `forward` beside what
    forward has alive at its beginning, `backward` beside what is held before it and `takes`, `after` beside the first
    alone.
    """

    end: int
    is_checkpoint: bool
    flops: int
    takes: frozenset[int]
    owns: frozenset[int]
    owned: int
    ended: frozenset[int]
    stays: int
    forward: int
    backward: int
    after: int


class Backward(NamedTuple):
    """The most that lives at an operation, beside what is kept: before it, in its own function, while sums of it are
    taken, and as its gradients are handed out."""

    before: int = 0
    function: int = 0
    sums: int = 0
    handing: int = 0


class OpCosts(NamedTuple):
    """Of an operation, what growing checkpoints ask of it again and again; storages with the operation that made them.

    `level` is what it makes and what lives while it runs, in bytes, `last` the same where it stops before it has a
    result.
    """

    overwrites: int
    """By which operation what it overwrites was made: one behind all others where it overwrites nothing."""
    reads: tuple[tuple[int, int], ...]
    comes: int
    level: int
    last: int
    stays: int
    saves: bool
    kept: tuple[tuple[int, int, int], ...]
    """Storage, maker, bytes."""
    ended: tuple[tuple[int, int, int, int], ...]
    """Storage, maker, what it costs to hold it, bytes."""
    flops: int
    again_flops: int
    """Of what it does again where it is the last that keeps anything."""
    runs_to_save: bool
    inside: int
    backward: Backward | None


class Grown(NamedTuple):
    """A checkpoint as it has grown: what it needs at least however long it grows on, and, where it is one, its span."""

    needs: int
    flops: int
    span: Span | None


class Growing:
    """A checkpoint that grows by one operation after the other."""

    __slots__ = (
        "_alive",
        "_highest",
        "_inside",
        "_kept",
        "_overwriters",
        "_overwritten",
        "_passes",
        "_run",
        "_trailing",
        "after",
        "again",
        "backward",
        "before",
        "begin",
        "flops",
        "forward",
        "kept",
        "least_before",
        "saver",
        "stays",
        "takes",
    )

    def __init__(
        self, begin: int, before: int, least_before: int, overwritten: Mapping[int, int], passes: Mapping[int, Backward]
    ) -> None:
        self.begin = begin
        self.before = before
        """Bytes from before that forward still has alive."""
        self.least_before = least_before
        self._overwriters = overwritten
        self._passes = passes
        self.takes: frozenset[int] = NOTHING
        self.kept: set[int] = set()
        self.saver: int | None = None
        """The last operation that keeps anything and whose backward comes, at which everything is computed again."""
        self.flops = self._run = 0
        self.stays = self.forward = self.again = 0
        self._kept = 0
        self._alive = 0
        """While it is computed again: what is kept, and what is yet to be read."""
        self._highest = 0
        self._inside = self._trailing = self.after = self.backward = 0
        self._overwritten = -1
        """The last operation that overwrites what it takes."""

    def add(self, index: int, op: OpCosts) -> bool:
        """False where it would overwrite what the checkpoint holds."""
        begin = self.begin
        if op.overwrites < begin:
            return False
        new = [s for s, maker in op.reads if maker < begin and s not in self.takes]
        if new:
            self.takes = self.takes.union(new)
            self._overwritten = max(self._overwritten, *[self._overwriters.get(s, -1) for s in new])
        if op.inside - self.before > self.forward:
            self.forward = op.inside - self.before
        level, last, kept = self._alive + op.level, self._alive + op.last, self._kept
        for storage, maker, nbytes in op.kept:
            if maker >= begin and storage not in self.kept:
                self.kept.add(storage)
                self._kept += nbytes
        self._alive += op.comes
        self.stays += op.stays
        for storage, maker, held, nbytes in op.ended:
            if maker < begin:
                self.before -= held
                continue
            self.stays -= held
            if storage not in self.kept:
                self._alive -= nbytes
        if op.saves:
            self.again = max(self._highest, last if op.runs_to_save else 0)
            self.flops = self._run + op.again_flops
        if level > self._highest:
            self._highest = level
        self._run += op.flops
        if op.backward is not None:
            self._pass(index, op.backward, bool(op.kept), kept)
        return True

    def _pass(self, index: int, moment: Backward, keeps: bool, kept: int) -> None:
        """Backward through an operation; before it, `kept` bytes were kept."""
        if not keeps:
            without = max(moment.function, moment.sums, moment.handing)
            if self.saver is None:  # the checkpoint has gone by then
                self.after = max(self.after, without)
            else:
                self._inside = max(self._inside, self._kept + without)
                self._trailing = max(self._trailing, without)
            return
        self._inside = max(self._inside, self._kept + moment.function, kept + moment.sums)
        if self.saver is None:
            self.after = max(self.after, moment.handing)
        else:
            self._inside = max(self._inside, kept + moment.handing)
        self.saver = index
        self.backward = self._inside
        self._trailing = 0

    @property
    def needs(self) -> int:
        """At least, however long it grows; it is computed again at a later moment then, when other gradients live."""
        return max(self.backward, self.again + self.least_before)

    def span(self, end: int, past: int) -> Span | None:
        """Up to the boundary `end`, before the operation `past`. None where nothing would be computed again, or what it
        holds is overwritten later.
        """
        if self.saver is None or self._overwritten >= past:
            return None
        again = self.again + self._passes[self.saver].before
        backward = max(self.backward, self._trailing, again)
        return Span(
            end, True, self.flops, self.takes, NOTHING, 0, NOTHING, self.stays, self.forward, backward, self.after
        )
