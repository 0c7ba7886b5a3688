"""Which layers are computed again in backward instead of being kept: the words of `--recompute` as names of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from archcost.errors import ArchcostError, nearest, shorten
from archcost.graph import ModelGraph, Node
from archcost.passes.contract import Condition, Names, Pass, RunGraph
from archcost.passes.in_place import IN_PLACE_AS_ASKED
from archcost.passes.loss import WITHOUT_LOSS
from archcost.passes.precision import IN_DECLARED_DTYPES
from archcost.terms.autograd import Setting

TRAINING = Setting(frozenset())


def _recomputed(given: RunGraph) -> RunGraph:
    """`auto` names none yet: they are searched for among the operations of the whole run, within its budget."""
    run, graph = given.run, given.graph
    if not run.trains:
        return given
    if run.recompute == "auto":
        _refuse_search(graph)
        return given
    return replace(given, recomputed=_asked(graph, run.recompute))


def segments(graph: ModelGraph, recompute: str) -> tuple[Names, ...]:
    """Runs of layers that follow one another, by name. `auto` is not one of them: it needs a budget.

    Raises ArchcostError for a word, number or name that does not suit.
    """
    if recompute == "none":
        return ()
    if recompute == "blocks":
        return tuple(_blocks(graph.nodes, 0))
    if recompute.startswith("every:"):
        return tuple(_runs_of(graph.nodes, _length(recompute)))
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


def _runs_of(nodes: Sequence[Node], length: int) -> Iterator[Names]:
    """Names of `length` layers at a time. A layer that overwrites its input stays with the layer that made that."""
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
    """Segments from names: each is a layer, or a block, whose layers are one segment."""
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


def _asked(graph: ModelGraph, recompute: str) -> tuple[Names, ...]:
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


def _refuse_search(graph: ModelGraph) -> None:
    """Raises ArchcostError for a module that has chosen by itself."""
    if graph.checkpoints:
        raise ArchcostError(
            "recompute: auto looks for checkpoints, and the module has its own",
            expected="recompute none, or a spec without checkpoints",
            found=f"a checkpoint that begins at {graph.checkpoints[0].names[0]}",
        )


def _twice_or_never(given: RunGraph) -> Iterator[str]:
    left = {node.name for node in given.network.nodes}
    for checkpoint in given.network.checkpoints:
        left.difference_update(checkpoint.names)
    for names in given.recomputed:
        yield from (f"{name} of {names[0]} to {names[-1]}" for name in names if name not in left)
        left.difference_update(names)


EACH_IN_ONE_SEGMENT = Condition("what is recomputed are layers of the network, each in one segment", _twice_or_never)

RECOMPUTE = Pass(
    "recompute",
    _recomputed,
    requires=(WITHOUT_LOSS, IN_DECLARED_DTYPES, IN_PLACE_AS_ASKED),
    ensures=(EACH_IN_ONE_SEGMENT,),
    repeatable=True,
)
