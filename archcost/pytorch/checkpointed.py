"""A network run with checkpoints: layers whose saved tensors are dropped, and computed again in backward."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from torch import Tensor
from torch.utils.checkpoint import checkpoint  # pyright: ignore[reportUnknownVariableType]

from archcost.errors import ArchcostError, nearest, shorten
from archcost.graph import Port
from archcost.pytorch.network import Network, Step, play


class Segment(NamedTuple):
    """Layers in one checkpoint: what they take from before, what they give to those after, what dies with them."""

    steps: tuple[Step, ...]
    takes: tuple[Port, ...]
    gives: tuple[Port, ...]
    frees: tuple[Port, ...]


class Checkpointed:
    """Runs a network, each segment under torch.utils.checkpoint, the other layers as ever.

    Those that begin at a layer of `reentrant` run with reentrance. A segment names layers that follow one another.
    Raises ArchcostError for one that does not, and for layers in two.
    """

    def __init__(
        self, network: Network, segments: Sequence[Sequence[str]], reentrant: Collection[str] = frozenset()
    ) -> None:
        self.network = network
        self.reentrant = reentrant
        self.parts = _parts(network, segments)

    def __call__(self, **inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        values = {Port(name): tensor for name, tensor in inputs.items()}
        for part in self.parts:
            if isinstance(part, Step):
                play(self.network, (part,), values)
                continue
            values.update(zip(part.gives, self._checkpoint(part, values), strict=True))
            for port in part.frees:
                del values[port]
        returned = tuple(values[port] for port in self.network.outputs)
        return returned[0] if len(returned) == 1 else returned

    def _checkpoint(self, segment: Segment, values: dict[Port, Tensor]) -> tuple[Tensor, ...]:
        def run(*given: Tensor) -> tuple[Tensor, ...]:
            inside = dict(zip(segment.takes, given, strict=True))
            play(self.network, segment.steps, inside)
            return tuple(inside[port] for port in segment.gives)

        within = segment.steps[0].name in self.reentrant
        return checkpoint(run, *(values[port] for port in segment.takes), use_reentrant=within)  # pyright: ignore


def _parts(network: Network, segments: Sequence[Sequence[str]]) -> tuple[Step | Segment, ...]:
    """Layers and segments in order."""
    index = {step.name: place for place, step in enumerate(network.steps)}
    ends: dict[int, int] = {}
    for names in segments:
        for name in names:
            if name not in index:
                raise ArchcostError("no layer to recompute", found=shorten(name), hint=nearest(name, index))
        places = [index[name] for name in names]
        if not places or places != list(range(places[0], places[0] + len(places))):
            raise ArchcostError(
                "layers recomputed together follow one another", found=shorten(", ".join(names) or "no layer")
            )
        ends[places[0]] = places[-1] + 1
    parts: list[Step | Segment] = []
    place = 0
    for start, end in sorted(ends.items()):
        if start < place:
            raise ArchcostError("a layer can be recomputed in one segment only", found=network.steps[start].name)
        parts += [*network.steps[place:start], _segment(network, start, end)]
        place = end
    return (*parts, *network.steps[place:])


def _segment(network: Network, start: int, end: int) -> Segment:
    steps = network.steps[start:end]
    names = {step.name for step in steps}
    read = dict.fromkeys(port for step in steps for port in step.inputs)
    later = dict.fromkeys(port for step in network.steps[end:] for port in (*step.inputs, *step.frees))
    after = later | dict.fromkeys(network.outputs)
    return Segment(
        steps,
        tuple(port for port in read if port.producer not in names),
        tuple(port for port in after if port.producer in names),
        tuple(port for step in steps for port in step.frees if port.producer not in names),
    )
