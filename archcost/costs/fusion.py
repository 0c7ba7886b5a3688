"""What a compiler makes of forward: one kernel of all that works value by value between two products.

As torch.compile does by default (torch/_inductor/scheduler.py), products and convolutions stay the libraries' own. All
else that runs over as many values, and waits for no product or sum in between, is one kernel: it reads what comes from
elsewhere once, and writes only what somebody else reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archcost.costs.kernel import Kernel, Kernels, dtype_of
from archcost.costs.program import Op, Program
from archcost.terms.time_classes import CONTRACTIONS, TimeClass

WINDOWS: frozenset[TimeClass] = frozenset(["max pooling", "average pooling"])
"""They look at values more than once, which are therefore written before."""

_OTHERS: frozenset[TimeClass] = frozenset(["sort", "unknown"])
ALONE = CONTRACTIONS | WINDOWS | _OTHERS

SUMS: frozenset[TimeClass] = frozenset(["reduction", "adaptive pooling"])
"""They end a kernel: whoever needs a sum waits until it is there."""

ROWS: frozenset[TimeClass] = frozenset(["layer norm", "softmax"])
"""Sums over rows: a kernel holds the row and goes on."""


@dataclass(eq=False, slots=True)
class _Group:
    """Operations of one kernel, by number. `level` counts the products and sums that lie before it in a row."""

    level: int
    numel: int
    members: list[int] = field(default_factory=list[int])
    reads: dict[int, int] = field(default_factory=dict[int, int])
    """By storage the bytes that are read."""
    flops: int = 0
    kinds: set[TimeClass] = field(default_factory=set[TimeClass])

    @property
    def kind(self) -> TimeClass:
        if self.kinds & ROWS:
            return "layer norm"
        return "reduction" if self.kinds & SUMS else "elementwise"


def fused(program: Program, forward: Sequence[Kernels]) -> tuple[Kernels, ...]:
    """The forward kernels of every operation; those of a fused group stand at its last member."""
    found: list[Kernels] = [
        kernels[:1] if kernels and (op.is_copy or kernels[0].kind in ALONE) else ()
        for op, kernels in zip(program.ops, forward, strict=True)
    ]
    readers: dict[int, list[int]] = {}
    for index, op in enumerate(program.ops):
        for storage in op.reads:
            readers.setdefault(storage, []).append(index)
    for group in _groups(program, forward):
        last = max(group.members)
        nbytes = sum(group.reads.values()) + _written(program, group, readers)
        found[last] = (Kernel(group.kind, group.flops, nbytes, dtype_of(program.ops[last])),)
    return tuple(found)


def _groups(program: Program, forward: Sequence[Kernels]) -> Iterator[_Group]:
    levels: dict[int, int] = {}
    made: dict[int, _Group] = {}
    """By storage, the kernel that makes what it holds."""
    found: dict[_Group, None] = {}
    for index, (op, kernels) in enumerate(zip(program.ops, forward, strict=True)):
        if op.is_copy or not kernels:
            continue
        kind = kernels[0].kind
        level = max([levels.get(storage, 0) for storage in op.reads], default=0)
        levels.update(dict.fromkeys(op.outputs, level + (kind in ALONE or kind in SUMS)))
        if kind in ALONE:
            for storage in op.outputs:
                made.pop(storage, None)
            continue
        numel = max([tensor.numel for tensor in (op.node.input_types if kind in SUMS else op.node.output_types)])
        open_to = dict.fromkeys([made[storage] for storage in op.reads if storage in made])
        group, *others = [each for each in open_to if (each.level, each.numel) == (level, numel)] or [
            _Group(level, numel)
        ]
        for other in others:
            _merge(group, other, made)
            del found[other]
        found[group] = None
        group.members.append(index)
        group.flops += kernels[0].flops
        group.kinds.add(kind)
        for storage, nbytes in _read(program, op):
            if made.get(storage) is not group:
                group.reads[storage] = max(nbytes, group.reads.get(storage, 0))
        made.update(dict.fromkeys(op.outputs, group))
    yield from found


def _merge(group: _Group, other: _Group, made: dict[int, _Group]) -> None:
    """`group` takes over what `other` does."""
    for storage, maker in made.items():
        if maker is other:
            made[storage] = group
    group.members += other.members
    group.flops += other.flops
    group.kinds |= other.kinds
    for storage, nbytes in other.reads.items():
        group.reads[storage] = max(nbytes, group.reads.get(storage, 0))


def _read(program: Program, op: Op) -> Iterator[tuple[int, int]]:
    """Storages and bytes of a view that is no larger: a part of one, or one that is repeated."""
    types = [tensor for index, tensor in enumerate(op.node.input_types) if index not in op.node.layer.asked]
    for place, storage in enumerate(op.reads):
        whole = program.storages[storage].nbytes
        yield storage, min(whole, types[place].nbytes) if place < len(types) else whole


def _written(program: Program, group: _Group, readers: Mapping[int, Sequence[int]]) -> int:
    """What others read, or the caller gets."""
    members, returned = set(group.members), set(program.returned)
    written: dict[int, int] = {}
    for index in group.members:
        op = program.ops[index]
        for storage, tensor in zip(op.outputs, op.node.output_types, strict=True):
            if storage in returned or any(
                reader > index and reader not in members for reader in readers.get(storage, ())
            ):
                written[storage] = tensor.nbytes
    return sum(written.values())
