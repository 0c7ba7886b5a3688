"""What a network keeps of past positions, so that the next token needs one position's work: keys, values, states.

Read off the graph alone. An attention whose keys depend on the tokens that are written keeps its keys and values, as
they are before heads are repeated; one whose keys do not, as of a decoder that looks at an encoder, keeps those once
for all tokens. A network makes a cache where no position of it looks at later ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from archcost.graph import ModelGraph, Node, Port
from archcost.layers.shape.reshape import Reshaping
from archcost.passes.attentions import Attention, attentions
from archcost.passes.states import State, states
from archcost.tensors import TensorType

Kind = Literal["full", "window", "latent", "cross"]
"""Of what an attention keeps: every position, those that its window shows, a latent of which keys and values are made
again, or those of another sequence, which stay as they are.
"""


class Cached(NamedTuple):
    """What one attention keeps. `elements` are those of one position of one sequence."""

    layer: str
    kind: Kind
    ports: tuple[Port, ...]
    """The outputs of layers that are kept: keys, values; or the one that both are, or are made of."""
    elements: int
    window: int | None
    positions: int
    """As many as the graph has; of `cross` as many as there are."""
    expanded: int
    """Elements of keys and values of one position: more than `elements` where a latent is kept."""
    vectors: int
    """Of one position: a key and a value for each head that is kept, or the latent. In 8 bits each has its scale."""

    def kept(self, positions: int) -> int:
        """Positions that are kept of a sequence of so many tokens."""
        if self.kind == "cross":
            return self.positions
        return positions if self.window is None else min(positions, self.window)


@dataclass(frozen=True)
class Caches:
    """All that a network keeps. `tokens` are the inputs that are written token by token; `why_none` says why nothing
    is kept, where nothing is.
    """

    attentions: tuple[Cached, ...]
    tokens: tuple[str, ...]
    why_none: str = ""
    states: tuple[State, ...] = ()

    @property
    def of_positions(self) -> tuple[Cached, ...]:
        """Those that keep something of each token."""
        return tuple([each for each in self.attentions if each.kind != "cross"])

    @property
    def fixed(self) -> tuple[Cached, ...]:
        return tuple([each for each in self.attentions if each.kind == "cross"])


def caches(graph: ModelGraph, latent: bool = True) -> Caches:
    """What a network keeps of past positions; with `latent: false` never a latent, but keys and values."""
    return _Search(graph, latent).found()


class _Search:
    def __init__(self, graph: ModelGraph, latent: bool) -> None:
        self.graph, self.latent = graph, latent
        self.attends = False
        self.nodes = {node.name: node for node in graph.nodes}
        self.bits = {name: 1 << index for index, name in enumerate(graph.inputs)}
        self.reached: dict[str, int] = dict(self.bits)
        """By input and layer, the network's inputs whose values it depends on, a bit each."""
        for node in graph.nodes:
            depends = 0
            for port in node.uses:
                depends |= self.reached[port.producer]
            self.reached[node.name] = depends

    def found(self) -> Caches:
        kept = tuple(states(self.graph, self.reached))
        found = self._of_attention()
        if not kept or (found.why_none and self.attends):
            return found
        names = found.tokens or tuple([name for name, bit in self.bits.items() if bit & self.reached[kept[0].layer]])
        return Caches(found.attentions, names, "", kept)

    def _of_attention(self) -> Caches:
        every = list(attentions(self.graph, self.reached))
        self.attends = bool(every)
        if not every:
            return Caches((), (), "it has no attention, and no state of past positions")
        written = self._written(every)
        if not written:
            layer = every[0].layer
            return Caches((), (), f"every position sees all others, in {layer}, so that none can be kept")
        own = [each for each in every if self._keys(each) & written]
        looks_on = next((each for each in own if each.sees == "all"), None)
        if looks_on is not None:
            return Caches((), (), f"{looks_on.layer} sees the positions behind as well, which change what it made")
        if any(each.sees == "masked" for each in own) and not self._speaks(written):
            return Caches((), (), "it does not put out the chances of a next token")
        crossing = [each for each in every if not self._keys(each) & written and self._queries(each) & written]
        kept = {id(each) for each in (*own, *crossing)}
        names = tuple([name for name, bit in self.bits.items() if bit & written])
        found = [self._cached(each, bool(self._keys(each) & written)) for each in every if id(each) in kept]
        return Caches(tuple(found), names)

    def _keys(self, each: Attention) -> int:
        return self.reached[each.key.producer] | self.reached[each.value.producer]

    def _queries(self, each: Attention) -> int:
        return self.reached[each.query.producer]

    def _written(self, every: Sequence[Attention]) -> int:
        """The inputs that are written token by token: what queries depend on and keys of the same attention do not;
        where all depend on the same, those of the first attention that hides what comes.
        """
        apart = 0
        for each in every:
            apart |= self._queries(each) & ~self._keys(each)
        if apart:
            return apart if self._has_tokens(apart) else 0
        first = next((each for each in every if each.sees != "all" and self._keys(each)), None)
        if first is None:
            return 0
        depends = self._keys(first)
        return depends if first.sees == "before" or self._has_tokens(depends) else 0

    def _has_tokens(self, depends: int) -> bool:
        inputs = self.graph.inputs
        return any(not inputs[name].is_floating for name, bit in self.bits.items() if bit & depends)

    def _speaks(self, written: int) -> bool:
        """Whether an output has an axis as long as a table of tokens: a mask alone may be anything."""
        vocabularies = {
            getattr(node.layer, "num_embeddings", 0)
            for node in self.graph.nodes
            if node.layer.type == "embedding" and self.reached[node.name] & written
        }
        return any(vocabularies.intersection(tensor.shape) for tensor in self.graph.returned)

    def _type(self, port: Port) -> TensorType:
        if port.producer in self.graph.inputs:
            return self.graph.inputs[port.producer]
        return self.nodes[port.producer].output_types[port.output]

    def _cached(self, each: Attention, own: bool) -> Cached:
        kept = tuple(dict.fromkeys([self._before_repeats(each.key), self._before_repeats(each.value)]))
        values = sum([self._type(port).numel for port in kept])
        of_position = self.graph.batch * each.positions
        expanded = values // of_position
        kind: Kind = "cross" if not own else "full" if each.window is None else "window"
        if own and self.latent:
            narrow = self._latent(each)
            held = sum([self._type(port).numel for port in narrow])
            if narrow and held < values:
                count = held // of_position
                return Cached(each.layer, "latent", narrow, count, each.window, each.positions, expanded, len(narrow))
        vectors = self._vectors(kept, each) // of_position
        return Cached(each.layer, kind, kept, expanded, each.window, each.positions, expanded, vectors)

    def _vectors(self, kept: Sequence[Port], each: Attention) -> int:
        features = (self._type(each.query).shape[-1], self._type(each.value).shape[-1])
        return sum([self._type(port).numel // width for port, width in zip(kept, features, strict=False)])

    def _before_repeats(self, port: Port) -> Port:
        """The narrowest tensor of which the keys are only a rearrangement: heads that serve several are repeated."""
        narrowest = port
        for before in self._rearranged(port):
            if self._type(before).numel < self._type(narrowest).numel:
                narrowest = before
        while (node := self.nodes.get(narrowest.producer)) is not None and node.layer.type == "unsqueeze":
            narrowest = node.inputs[0]  # an axis for the repeats
        return narrowest

    def _rearranged(self, port: Port) -> Iterator[Port]:
        """Back through layers that compute nothing, from the last to the first."""
        while (node := self.nodes.get(port.producer)) is not None:
            sources = [read for read in node.inputs if self._type(read).numel]
            alone = node.layer.type == "concat" and len(sources) == 1  # of a cache that was empty
            if not (isinstance(node.layer, Reshaping) and node.inputs) and not alone:
                return
            port = sources[0] if alone else node.inputs[0]
            yield port

    def _latent(self, each: Attention) -> tuple[Port, ...]:
        """Where keys and values are made of something narrower by another product (DeepSeek-V2, arXiv:2405.04434):
        those outputs of products from which all of them are made. Empty where there is no such thing.
        """
        products = self._products((each.key, each.value))
        if products is None:
            return ()
        roots: dict[Port, None] = {}
        raised = False
        for product in products:
            below = self._products(product.inputs[:1])
            if below is not None and len(below) == 1 and _width(below[0]) < _width(product):
                roots[Port(below[0].name)] = None
                raised = True
            else:
                roots[Port(product.name)] = None
        return tuple(roots) if raised else ()

    def _products(self, ports: Sequence[Port]) -> list[Node] | None:
        """The nearest products with weights behind these tensors; None where they are also made of anything else that
        depends on an input.
        """
        found: dict[str, Node] = {}
        seen: set[str] = set()
        waiting = [port.producer for port in ports]
        while waiting:
            name = waiting.pop()
            if name in seen or not self.reached[name]:
                continue
            seen.add(name)
            node = self.nodes.get(name)
            if node is None or node.layer.type == "embedding" or len(seen) > MOST_SEARCHED:
                return None
            if node.layer.type in PRODUCTS and node.weights:
                found[name] = node
            else:
                waiting += [port.producer for port in node.inputs]
        return list(found.values())


PRODUCTS = frozenset(["linear", "addmm", "conv1d", "quantized_linear"])

MOST_SEARCHED = 60
"""Layers between keys and the products that they are made by."""


def _width(node: Node) -> int:
    return node.output_types[0].numel
