"""Which layers are computed again in backward instead of being kept: the words of `--recompute` as segments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from archcost.costs.checkpoint_segments import Segment
from archcost.costs.program import Op, Program
from archcost.errors import ArchcostError, nearest, shorten
from archcost.graph import ModelGraph, Node
from archcost.terms.autograd import Setting

Names = tuple[str, ...]
TRAINING = Setting(frozenset())


def segments(graph: ModelGraph, recompute: str) -> tuple[Names, ...]:
    """Runs of layers that follow one another, by name. `auto` is not one of them: it needs a budget.

    Raises ArchcostError for a word, number or name that does not suit.
    """
    if recompute == "none":
        return ()
    if recompute == "blocks":
        return tuple(_blocks(graph.nodes, 0))
    if recompute.startswith("every:"):
        return tuple(_every(graph.nodes, _length(recompute)))
    return tuple(_named(graph, [name.strip() for name in recompute.split(",")]))


def _blocks(nodes: Sequence[Node], depth: int) -> Iterator[Names]:
    """The outermost blocks that hold layers of their own: a stage of nothing but blocks is not one, its blocks are."""
    for group in _groups(nodes, depth):
        parts = [node.name.split(".") for node in group]
        if len(parts[0]) <= depth + 1:
            continue
        if any(len(part) == depth + 2 for part in parts):
            yield tuple(node.name for node in group)
        else:
            yield from _blocks(group, depth + 1)


def _groups(nodes: Sequence[Node], depth: int) -> Iterator[list[Node]]:
    """Neighbours whose names agree in the first `depth + 1` parts."""
    group: list[Node] = []
    for node in nodes:
        if group and node.name.split(".")[: depth + 1] != group[-1].name.split(".")[: depth + 1]:
            yield group
            group = []
        group.append(node)
    if group:
        yield group


def _length(recompute: str) -> int:
    digits = recompute.removeprefix("every:")
    if digits.isascii() and digits.isdigit() and 0 < len(digits) < 10 and int(digits) > 0:
        return int(digits)
    raise ArchcostError("every:K recomputes K layers at a time", expected="K of 1 or more", found=shorten(recompute))


def _every(nodes: Sequence[Node], length: int) -> Iterator[Names]:
    """K layers each. A layer that overwrites what arrives stays with the layer before it, which made that."""
    group: list[str] = []
    for node in nodes:
        if len(group) >= length and not overwrites(node):
            yield tuple(group)
            group = []
        group.append(node.name)
    if group:
        yield tuple(group)


def overwrites(node: Node) -> bool:
    return node.layer.overwrites(TRAINING)


def instead(node: Node) -> str:
    """What would leave alone the input that a layer overwrites."""
    return "inplace: false" if hasattr(node.layer, "inplace") else "a clone of its input"


def _named(graph: ModelGraph, names: Sequence[str]) -> Iterator[Names]:
    """Each name is a layer, or a block whose layers make one segment."""
    taken: set[str] = set()
    known = dict.fromkeys(node.name for node in graph.nodes)
    for name in names:
        found = tuple(layer for layer in known if layer == name or layer.startswith(f"{name}."))
        if not found:
            raise ArchcostError(
                f"no layer or block {shorten(name)} to recompute",
                expected="none, blocks, every:K, auto, or names of layers or blocks with commas between",
                found=shorten(name),
                hint=nearest(name, {"none", "blocks", *_prefixes(known)}),
            )
        if taken & set(found):
            raise ArchcostError("a layer can be recomputed once only", found=name)
        taken |= set(found)
        yield found


def _prefixes(names: Sequence[str] | dict[str, None]) -> set[str]:
    return {".".join(name.split(".")[: depth + 1]) for name in names for depth in range(name.count(".") + 1)}


def layer_of(op: Op) -> str:
    """The layer that an operation belongs to: its own, or the one that autocast's copy is made for."""
    return op.node.name.partition(" (")[0]


def asked(graph: ModelGraph, recompute: str) -> tuple[Names, ...]:
    """What a run has computed again beside the module's own checkpoints. Raises ArchcostError where they meet."""
    own = {name for checkpoint in graph.checkpoints for name in checkpoint.names}
    found = segments(graph, recompute)
    for names in found:
        if meeting := [name for name in names if name in own]:
            raise ArchcostError(
                "the module computes these layers again by itself",
                expected="recompute none, or names of layers outside the module's own checkpoints",
                found=f"recompute {shorten(recompute)}, and {meeting[0]} in a checkpoint of the module",
                hint="a spec without its checkpoints",
            )
    return found


def refuse_search(graph: ModelGraph) -> None:
    """Raises ArchcostError for a module that has chosen by itself."""
    if graph.checkpoints:
        raise ArchcostError(
            "recompute: auto looks for checkpoints, and the module has its own",
            expected="recompute none, or a spec without checkpoints",
            found=f"a checkpoint that begins at {graph.checkpoints[0].names[0]}",
        )


def own_checkpoints(program: Program, graph: ModelGraph) -> tuple[Segment, ...]:
    """Those of the module. Raises ArchcostError where layers in one do not follow one another."""
    pairs = [(located(program, (each.names,), chosen=False), each.reentrant) for each in graph.checkpoints]
    return tuple([segment._replace(reentrant=reentrant) for found, reentrant in pairs for segment in found])


def located(program: Program, runs: Sequence[Names], chosen: bool = True) -> tuple[Segment, ...]:
    """Names → operations; a cast that does nothing in this precision is none.

    Raises ArchcostError when layers do not follow one another; of those that are `chosen` here, and not by the module,
    also when they overwrite what is held.
    """
    if not runs:
        return ()
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for index, op in enumerate(program.ops):
        first.setdefault(layer_of(op), index)
        last[layer_of(op)] = index
    made = {storage: index for index, op in enumerate(program.ops) for storage in op.makes}
    segments: list[Segment] = []
    for wanted in runs:
        names = tuple([name for name in wanted if name in first])
        if not names:
            continue
        start, end = first[names[0]], last[names[-1]] + 1
        inside = {layer_of(op) for op in program.ops[start:end]}
        if inside != set(names):
            raise ArchcostError(
                "layers recomputed together follow one another",
                expected=f"only layers of {names[0]} to {names[-1]}",
                found=", ".join(sorted(inside - set(names))[:3]),
            )
        reads = dict.fromkeys(s for op in program.ops[start:end] for s in op.reads if made.get(s, -1) < start)
        for op in program.ops[start:end] if chosen else ():
            if overwrites(op.node) and op.outputs[0] in reads:
                maker = program.storages[op.outputs[0]].owner
                raise ArchcostError(
                    f"{op.name} overwrites what its checkpoint would hold",
                    expected=f"the layer that makes its input recomputed with it ({maker})",
                    found=f"a segment that begins at {names[0]}",
                )
        if chosen and any(op.saved for op in program.ops[start:end]):
            _refuse_spoiled(program, end, reads)
        segments.append(Segment(start, end, tuple(reads)))
    return tuple(segments)


def _refuse_spoiled(program: Program, end: int, reads: Collection[int]) -> None:
    """Torch refuses to compute a checkpoint again when a layer behind it has overwritten what it holds."""
    for op in program.ops[end:]:
        if overwrites(op.node) and op.outputs[0] in reads:
            raise ArchcostError(
                f"{op.name} overwrites what a checkpoint before it holds",
                expected="a checkpoint that holds only what stays as it is",
                found=f"one that holds what {program.storages[op.outputs[0]].owner} makes",
                hint=instead(op.node),
            )
