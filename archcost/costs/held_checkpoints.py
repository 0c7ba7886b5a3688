"""What checkpoints hold between forward and backward."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.costs.checkpoint_segments import Segment
from archcost.costs.events import Tape
from archcost.costs.off_card import Activations
from archcost.costs.program import Held, Op


class HeldCheckpoints:
    """Of a step that is played onto a tape. `own` is what each checkpoint keeps for itself."""

    def __init__(self, ops: Sequence[Op], tape: Tape, own: Held | None) -> None:
        self.ops, self.tape, self.own = ops, tape, own
        self.held: dict[Segment, list[int]] = {}
        """The storages that a checkpoint holds, until all that its segment keeps is let go."""
        self.keepers: dict[Segment, set[int]] = {}
        """Operations of the segment that keep something, as long as they do."""
        self.arguments: list[int] = []
        """Of the segment that forward is in, what it takes and does not hold."""

    def enter(self, segment: Segment, offloaded: Activations | None = None) -> None:
        """What the segment takes is held; what is offloaded only until forward has left it, as its argument."""
        takes = offloaded.enter(segment) if offloaded else segment.takes
        self.arguments = [storage for storage in segment.takes if storage not in takes]
        for storage in segment.takes:
            self.tape.refs[storage] += 1
        self.held[segment] = [*takes, *([self.tape.new(self.own)] if self.own else [])]
        self.keepers[segment] = {index for index in range(segment.first, segment.end) if self.ops[index].saved}

    def end(self, segment: Segment) -> None:
        """Forward has left it: where nothing is kept, nothing will ask for what it holds."""
        self.tape.let_go(self.arguments)
        self.arguments = []
        if not self.keepers[segment] and not segment.reentrant:
            self.let_go(segment)

    def leave(self, segment: Segment, index: int) -> None:
        """The last operation that lets go of what it kept lets go of the checkpoint."""
        if segment in self.held:
            self.keepers[segment].discard(index)
            if not self.keepers[segment]:
                self.let_go(segment)

    def let_go(self, segment: Segment) -> None:
        self.tape.let_go(self.held.pop(segment, []))

    def left(self) -> list[int]:
        """What is still held for a backward that did not come; it is the caller's to let go."""
        left = [storage for held in self.held.values() for storage in held]
        self.held.clear()
        return left
