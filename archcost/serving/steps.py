"""The two steps of inference with a cache, as graphs: the prompt at once, and one token after all before it.

Made of the network itself. At each attention a cache stands between keys and values and who reads them; what does not
depend on the tokens that are written (an encoder, keys and values of what it read) is there from the first step on.
Of the prompt only the last position goes through the head, as engines and transformers' `generate` have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd, lcm

from archcost.errors import ArchcostError
from archcost.graph import ModelGraph, Port
from archcost.graph.build import assemble
from archcost.graph.sequence import longest
from archcost.graph.wiring import WiredLayer
from archcost.layers import LAYERS, Layer
from archcost.passes.cache_layers import Keeping, Kept
from archcost.passes.caches import Cached, Caches, caches
from archcost.serving.lengths import with_tokens
from archcost.serving.limits import most_positions
from archcost.serving.repeats import Short, shortened
from archcost.spec import ModelSpec
from archcost.tensors import TensorType

SHORT = 32
"""Tokens of a graph in which no window shows, as in that of a single token."""

LONG = 2**17
"""Longer than any window: there a network shows what it hides."""


@dataclass(frozen=True)
class Steps:
    """A network that makes a cache, ready to be asked for steps of any length. Raises ArchcostError for one that makes
    none.
    """

    spec: ModelSpec
    latent: bool = True
    grows: bool = False
    """The cache is copied with each token, as transformers' DynamicCache is."""
    remade: Callable[[int], ModelSpec] | None = None
    """Makes the network for so many tokens, where no parameter of it is their number, as of an imported module."""
    _shorts: dict[int, tuple[ModelSpec, Short]] = field(default_factory=dict[int, tuple[ModelSpec, Short]], repr=False)
    _plains: dict[int, ModelGraph] = field(default_factory=dict[int, ModelGraph], repr=False)
    _graphs: dict[tuple[int, int, int, bool], ModelGraph] = field(
        default_factory=dict[tuple[int, int, int, bool], ModelGraph], repr=False
    )

    @cached_property
    def whole(self) -> ModelGraph:
        """The network as it is, with two blocks for all that are equal."""
        short = self._whole_short
        spec = self.spec.model_copy(update={"published": None})  # which is told of all blocks
        return assemble(spec, short.wiring.layers, 1, short.wiring.outputs)

    @cached_property
    def _whole_short(self) -> Short:
        return shortened(self.spec)

    @property
    def whole_times(self) -> Mapping[str, int]:
        """By layer of `whole`, how often it stands in the network."""
        return self._whole_short.times

    @cached_property
    def tokens(self) -> str:
        """The input that is written token by token."""
        found = caches(self.whole, self.latent)
        if found.why_none:
            raise ArchcostError(
                f"{self.spec.name} makes no cache",
                expected="a network that writes token by token, each seeing those before",
                found=found.why_none,
            )
        inputs = self.spec.inputs
        return next((name for name in found.tokens if inputs[name].dtype.startswith("int")), found.tokens[0])

    @cached_property
    def long(self) -> ModelGraph:
        """The network over a long sequence, in which its windows show."""
        if self.remade is not None:  # which says nothing of windows, and may make masks as large as that
            return self.whole
        try:
            return self._plain(LONG)
        except ArchcostError:  # longer than a table of positions
            return self.whole

    @cached_property
    def caches(self) -> Caches:
        """What is kept, as an engine would keep it."""
        return caches(self.long, self.latent)

    @cached_property
    def times(self) -> Mapping[str, int]:
        """By layer that keeps something, how often it stands in the network; 1 where nothing is said."""
        return self.whole_times if self.long is self.whole else self._short(LONG)[1].times

    def times_at(self, tokens: int) -> Mapping[str, int]:
        """By layer of a step over so many tokens, how often it stands in the network."""
        return self._short(up_to(tokens, self.share))[1].times if tokens > 1 else self._short(1)[1].times

    @cached_property
    def most_positions(self) -> tuple[int, str] | None:
        """The rows of a table of positions, if there is one, and the layer that reads it."""
        try:
            found = most_positions(self._sample, self._plain(2 * SHORT if self.remade else LONG))
        except ArchcostError:  # longer than the table, so its end is not far
            found = most_positions(self._sample, self._plain(2 * SHORT))
        stated, sequence = longest(self.spec), self.spec.sequence
        if stated is None or sequence is None or (found is not None and found[0] <= stated):
            return found
        return stated, sequence.table or sequence.parameter

    def prefill(self, prompt: int, batch: int = 1, all_logits: bool = False) -> ModelGraph:
        """So many tokens at once, of so many sequences; rounded up where experts share them."""
        prompt = up_to(prompt, self.share // gcd(self.share, batch))
        return self._known((prompt, 0, batch, all_logits), lambda: self._made(prompt, None, batch, all_logits))

    def decode(self, past: int, batch: int = 1) -> ModelGraph:
        """One token more of each sequence, after so many; with more sequences where experts could not share them."""
        batch = up_to(batch, self.share)
        return self._known((1, past, batch, True), lambda: self._made(1, past, batch, True))

    def _known(self, key: tuple[int, int, int, bool], make: Callable[[], ModelGraph]) -> ModelGraph:
        if key not in self._graphs:
            self._graphs[key] = make()
        return self._graphs[key]

    def _short(self, tokens: int) -> tuple[ModelSpec, Short]:
        """The spec with so many tokens, and its wiring."""
        if tokens not in self._shorts:
            made = with_tokens(self.spec, self.tokens, tokens) if self.remade is None else self.remade(tokens)
            spec = made.model_copy(update={"published": None})
            self._shorts[tokens] = (spec, shortened(spec))
        return self._shorts[tokens]

    @cached_property
    def _sample(self) -> ModelGraph:
        return self._plain(SHORT)

    def _plain(self, tokens: int) -> ModelGraph:
        if tokens not in self._plains:
            spec, (wiring, *_) = self._short(tokens)
            self._plains[tokens] = assemble(spec, wiring.layers, 1, wiring.outputs)
        return self._plains[tokens]

    @cached_property
    def _windows(self) -> Mapping[str, int]:
        return {each.layer: each.window for each in self.caches.attentions if each.window is not None}

    @cached_property
    def share(self) -> int:
        """Tokens are a multiple of this: experts get equal shares of whole tokens."""
        tokens = SHORT
        found = 1
        for node in self._sample.nodes:
            if node.layer.type == "expert_route":
                experts, chosen = getattr(node.layer, "num_experts", 1), node.input_types[0].numel // tokens
                found = lcm(found, experts // gcd(experts, chosen))
        return found

    @property
    def _stands(self) -> Mapping[str, str]:
        """By a layer that the long network leaves out, the one that stands for it there."""
        return (self._whole_short if self.long is self.whole else self._short(LONG)[1]).stands

    def _made(self, new: int, past: int | None, batch: int, all_logits: bool) -> ModelGraph:
        spec, (wiring, *_) = self._short(new)
        layers = list(wiring.layers)
        plain = self._sample if new == 1 else self._plain(new)  # a single position shows no mask
        if not all_logits:
            layers = _last_position(layers, wiring.outputs, plain)
        layers = self._with_caches(layers, plain, past)
        grown = [Port(layer.name) for layer in layers if isinstance(layer.layer, Keeping) and layer.layer.grows]
        outputs = (*wiring.outputs, *grown)  # which the caller holds
        layers = _holding_arguments(_needed(layers, outputs))
        read = {self.tokens, *(port.producer for layer in layers for port in layer.reads)}
        inputs = {name: given for name, given in spec.declared_inputs.items() if name in read}
        return assemble(spec.model_copy(update={"inputs": inputs, "loss": "none"}), layers, batch, outputs)

    def _with_caches(self, layers: list[WiredLayer], plain: ModelGraph, past: int | None) -> list[WiredLayer]:
        """With a cache behind whatever is kept; `past` None for the first step, in which all of it is made."""
        instead: dict[Port, Port] = {}
        after: dict[str, list[WiredLayer]] = {}
        places = {layer.name: place for place, layer in enumerate(layers)}
        read: dict[Port, int] = {}
        for place, layer in enumerate(layers):
            for port in layer.inputs:
                read.setdefault(port, place)
        types = {Port(node.name, index): each for node in plain.nodes for index, each in enumerate(node.output_types)}
        for each in caches(plain, latent=False).attentions:  # attention reads keys and values, whatever is kept of them
            last = max([places[port.producer] for port in each.ports])
            held: list[Port] = []
            for port in each.ports:
                if port not in instead:
                    instead[port] = Port(f"{port.producer}.{'cache' if not port.output else f'cache{port.output}'}")
                    kept = self._kept(each, types[port], past)
                    source = Port(self.tokens) if isinstance(kept, Kept) else port
                    cache = _wired(instead[port].producer, kept, source)
                    at = min(last, read.get(port, last + 1) - 1)
                    named = tuple([other for other in held if places[other.producer] <= at])
                    after.setdefault(layers[at].name, []).append(cache._replace(named=named))
                    held += [port] * self.grows
        made: list[WiredLayer] = []
        for layer in layers:
            moved = layer._replace(inputs=tuple([instead.get(port, port) for port in layer.inputs]))
            alone = past is not None and getattr(moved.layer, "is_causal", False)  # a single query, which sees all
            made.append(moved._replace(layer=moved.layer.model_copy(update={"is_causal": False})) if alone else moved)
            made += after.get(layer.name, ())
        return made

    def _kept(self, each: Cached, tensor: TensorType, past: int | None) -> Layer:
        if each.kind == "cross" and past is not None:
            return Kept(shape=tensor.shape, dtype=tensor.dtype)
        before = 0 if past is None or each.kind == "cross" else past
        window = self._windows.get(self._stands.get(each.layer, each.layer))
        if window is not None:
            before = min(before, window - 1)
        return Keeping(past=before, dim=-2 if tensor.shape[-2] == each.positions else -1, grows=self.grows)


def up_to(number: int, step: int) -> int:
    """The next multiple."""
    return -(-number // step) * step


def _wired(name: str, layer: Layer, source: Port) -> WiredLayer:
    return WiredLayer(name, layer, (source,), False, None, (), {})


def _needed(layers: list[WiredLayer], outputs: tuple[Port, ...]) -> list[WiredLayer]:
    """Without what leads to no output."""
    wanted = {port.producer for port in outputs}
    kept: list[WiredLayer] = []
    for layer in reversed(layers):
        if layer.name in wanted:
            kept.append(_alone(layer))
            wanted.update(port.producer for port in layer.reads)
            if layer.shared is not None:
                wanted.add(layer.shared.owner)
    return kept[::-1]


def _holding_arguments(layers: list[WiredLayer]) -> list[WiredLayer]:
    """With what each block reads from outside alive until its last layer is done: a block stands for a module, whose
    caller has the arguments in variables until it returns.
    """
    last: dict[str, int] = {}
    arguments: dict[str, dict[Port, None]] = {}
    for place, layer in enumerate(layers):
        for block in _blocks(layer.name):
            last[block] = place
            outside = {port: None for port in layer.inputs if not port.producer.startswith(f"{block}.")}
            arguments.setdefault(block, {}).update(outside)
    held: dict[int, dict[Port, None]] = {}
    for block, place in last.items():
        held.setdefault(place, {}).update(arguments[block])
    return [
        layer._replace(named=tuple(dict.fromkeys((*layer.named, *held.get(place, ())))))
        for place, layer in enumerate(layers)
    ]


def _blocks(name: str) -> list[str]:
    """`layer1.mlp.gate` is in `layer1` and `layer1.mlp`."""
    parts = name.split(".")
    return [".".join(parts[:depth]) for depth in range(1, len(parts))]


def _alone(layer: WiredLayer) -> WiredLayer:
    """Without what it holds beside what it reads."""
    if layer.within is None:
        return layer
    within = layer.within
    return layer._replace(within=within._replace(part=within.part._replace(is_last=False), sources=within.sources[:1]))


def _last_position(layers: list[WiredLayer], outputs: tuple[Port, ...], sample: ModelGraph) -> list[WiredLayer]:
    """With the last position alone going into the head: the product behind which each position stays by itself."""
    by_name = {layer.name: layer for layer in layers}
    nodes = {node.name: node for node in sample.nodes}
    for output in outputs:
        layer = by_name.get(output.producer)
        while layer is not None and layer.layer.type != "linear" and len(layer.inputs) == 1:
            layer = by_name.get(layer.inputs[0].producer)
        if layer is None or layer.layer.type != "linear":
            continue
        source, rank = layer.inputs[0], nodes[layer.name].input_types[0].rank
        if rank != 3:
            continue
        name = f"{layer.name}.last"
        last = _wired(name, LAYERS["slice"].model_validate({"type": "slice", "dim": 1, "start": -1}), source)
        at = layers.index(layer)
        return [*layers[:at], last, layer._replace(inputs=(Port(name),)), *layers[at + 1 :]]
    return layers
