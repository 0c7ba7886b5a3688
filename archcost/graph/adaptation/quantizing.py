"""Linear layers whose weights are kept in few bits, in the place of those of floats.

As transformers does with bitsandbytes: all linear layers but the head, and those that share a weight with another; its
`Conv1D`, which keeps its matrix turned, becomes a linear layer. Products of parameters are left alone, experts too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from archcost.errors import SpecError, listing
from archcost.graph.adaptation.composite import field_of, made
from archcost.graph.adaptation.lora import features_out
from archcost.graph.adaptation.modules import Module, modules_of
from archcost.graph.adaptation.patterns import covers, names, no_match
from archcost.graph.adaptation.rewritten import Rewritten, Span, Step
from archcost.graph.adaptation.targets import all_linear
from archcost.graph.expand import Alias, PlacedLayer, Scope
from archcost.layers import Layer, WeightedLayer
from archcost.spec.model import ModelSpec
from archcost.spec.quantized import Quantized

TYPES: Mapping[str, str] = {
    "nf4": "linear_4bit",
    "fp4": "linear_4bit",
    "int8": "linear_8bit",
    "int4": "hqq_linear",
    "fp8": "weight_only_linear",
}
"""By word of `weights` the type of a layer."""
QUANTIZED = frozenset(TYPES.values())


def quantized(spec: ModelSpec, steps: Sequence[Step]) -> Rewritten:
    """The steps with quantised layers. Raises SpecError for a pattern that means none."""
    modules = {name: each for name, each in modules_of(steps).items() if each.kind in ("linear", "conv1d")}
    chosen = _chosen(spec, steps, modules)
    at = {modules[name].first: (modules[name], how) for name, how in chosen.items()}
    others = next((how.others for how in spec.weights if how.others), None)
    done: list[Step] = []
    spans: dict[str, Span] = {}
    index = 0
    while index < len(steps):
        step = steps[index]
        if index not in at:
            done.append(_kept(step) if others else step)
            index += 1
            continue
        module, how = at[index]
        replaced = steps[index : module.last + 1]
        done += _in_place(module, how, replaced)
        spans |= {each.name: Span(module.name, module.name) for each in replaced if each.name != module.name}
        index = module.last + 1
    return Rewritten(done, spans)


def _chosen(spec: ModelSpec, steps: Sequence[Step], modules: Mapping[str, Module]) -> dict[str, Quantized]:
    sharing = _sharing(steps)
    chosen: dict[str, Quantized] = {}
    for index, how in enumerate(spec.weights):
        place = spec.source.exactly(("weights", index)) or spec.source.exactly(("weights",))
        try:
            meant = _meant(how, steps, modules, sharing)
        except SpecError as error:
            raise error.at(layer=f"weights {how.type}", place=place) from None
        for name in meant:
            if name in chosen:
                found = f"{chosen[name]} and {how}"
                raise SpecError(
                    "two formats of one weight", expected="each layer in one", found=found, hint="exclude=…"
                ).at(layer=name, place=place)
            chosen[name] = how
    return chosen


def _meant(how: Quantized, steps: Sequence[Step], modules: Mapping[str, Module], sharing: Collection[str]) -> list[str]:
    if not modules:
        raise SpecError("weights means nothing", expected="a network with linear layers", found=str(how))
    if how.layers:
        meant = dict.fromkeys(name for pattern in how.layers for name in _of(pattern, modules, "layers"))
    else:
        meant = dict.fromkeys(name for name in all_linear(steps, modules) if name not in sharing)
    left_out = {name for pattern in how.exclude for name in _of(pattern, modules, "exclude")}
    found = [name for name in modules if name in meant and name not in left_out]
    if not found:
        known = listing([*modules], 6)
        raise SpecError(
            "no layer is left to be quantised", expected=f"layers= or exclude= among {known}", found=str(how)
        )
    for name in found:
        if name in sharing:
            raise SpecError(
                "its weight is that of another layer too, and stays as it is",
                expected="linear layers with a weight of their own",
                found=name,
                hint="exclude=…",
            )
    return found


def _of(pattern: str, modules: Mapping[str, Module], what: str) -> list[str]:
    found = [name for name in modules if names(pattern, name)] or [name for name in modules if covers(pattern, name)]
    if not found:
        raise no_match(what, pattern, modules, "linear layers")
    return found


def _sharing(steps: Sequence[Step]) -> set[str]:
    """Layers whose weight is another's, or is lent to another."""
    found: set[str] = set()
    for step in steps:
        if not isinstance(step, PlacedLayer):
            continue
        if isinstance(step.layer, WeightedLayer) and step.layer.given:
            found.add(step.name)
        if step.layer.shared_weight is None:
            continue
        owner = step.layer.shared_weight.removesuffix(".T").removesuffix(".weight")
        found |= {step.name, *(scope.full(owner) for scope in step.scope.outwards())}
    return found


def _kept(step: Step) -> Step:
    """In float32, whatever the run."""
    if not isinstance(step, PlacedLayer):
        return step
    if step.part is not None:
        raise SpecError(
            f"the weights of {step.part.composite.type} cannot be kept in float32 apart",
            expected="others=float32 with layers that are no composites",
            found=step.name,
        )
    is_weighted = isinstance(step.layer, WeightedLayer)
    return step._replace(layer=step.layer.model_copy(update={"keep_float32": True})) if is_weighted else step


def _in_place(module: Module, how: Quantized, replaced: Sequence[Step]) -> Iterator[Step]:
    first = replaced[0]
    assert isinstance(first, PlacedLayer)
    trains = all(step.scope.trainable and _trainable(step.layer) for step in replaced if isinstance(step, PlacedLayer))
    is_turned = module.kind == "conv1d"
    bias = True if is_turned else field_of(module.layers[0], "bias")
    fields = {"out_features": features_out(module), "bias": bias, **_fields(how)}
    layer = made(TYPES[how.type], module.name.rpartition(".")[2], (), **fields)
    yield PlacedLayer(module.name, layer, first.scope, first.reads, first.path, None, first.holds, trains)
    if is_turned:
        for step in replaced:
            yield Alias(step.name, Scope("", None, True), (f"{module.name}:*",), step.path)


def _trainable(layer: Layer) -> bool:
    return not isinstance(layer, WeightedLayer) or layer.trainable


def _fields(how: Quantized) -> dict[str, Any]:
    match how.type:
        case "nf4" | "fp4":
            fields = {"quant_type": how.type, "block_size": how.group or 64, "double_quant": how.double}
            more = {"compute_dtype": how.compute, "keep_input": how.keep_input}
            return fields | {name: value for name, value in more.items() if value}
        case "int4":
            return {"group_size": how.group or 64}
        case "int8" | "fp8":
            return {}


def frozen(steps: Sequence[Step]) -> tuple[list[Step], tuple[str, ...]]:
    """The steps, whose quantised layers do not train; and the names of those that would."""
    done: list[Step] = []
    would: list[str] = []
    for step in steps:
        if isinstance(step, PlacedLayer) and step.layer.type in QUANTIZED and step.trains:
            would.append(step.name)
            step = step._replace(trains=False)
        done.append(step)
    return done, tuple(would)
