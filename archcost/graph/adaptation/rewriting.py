"""Steps of a network → steps of the changed one: adapters in the place of layers, and which of all that is trained.

1. Linear layers get the weights of few bits that `weights` asks for, before an adapter is put on them.
2. Each target of an adapter becomes layers in a scope of its own, as a composite does, and its name stands for what
   comes out. Whoever reads, shares or names the layer elsewhere finds it (`Rewritten.spans`, `Rewritten.owners`).
3. What is none of an adapter is frozen where there is one; then `freeze`; then `train`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from archcost.errors import SpecError
from archcost.graph.adaptation.composite import AdaptedLayer, Parts
from archcost.graph.adaptation.dora import dora
from archcost.graph.adaptation.ia3 import ia3
from archcost.graph.adaptation.lora import BASE, lora
from archcost.graph.adaptation.modules import Module, modules_of
from archcost.graph.adaptation.patterns import covers, no_match
from archcost.graph.adaptation.quantizing import frozen, quantized
from archcost.graph.adaptation.rewritten import Rewritten, Span, Step
from archcost.graph.adaptation.targets import is_fed, targets_of
from archcost.graph.expand import Alias, CompositePart, PlacedLayer, Scope
from archcost.graph.size import MOST_LAYERS
from archcost.layers import WeightedLayer
from archcost.spec.adapters import Ia3, Lora
from archcost.spec.model import ModelSpec

MOST_STEPS = MOST_LAYERS
"""Of a changed network, as of any other."""


def rewrite(spec: ModelSpec, steps: Sequence[Step]) -> Rewritten:
    """The steps changed. Raises SpecError."""
    before = quantized(spec, steps) if spec.weights else Rewritten(steps)
    done = _adapted(spec, before.steps) if spec.adapt else Rewritten(before.steps)
    earlier = {name: done.spans.get(at.last, at) for name, at in before.spans.items()}
    done = done._replace(spans={**earlier, **done.spans})
    if len(done.steps) > MOST_STEPS:
        expected, found = f"at most {MOST_STEPS:,} layers and connections", f"{len(done.steps):,}"
        raise SpecError("the adapted network is too large", expected=expected, found=found)
    trained, thawed = frozen(_trained(spec, done.steps))
    return done._replace(steps=trained, thawed=thawed)


def _adapted(spec: ModelSpec, steps: Sequence[Step]) -> Rewritten:
    modules = modules_of(steps)
    chosen = targets_of(spec, steps, modules)
    at = {modules[name].first: (modules[name], adapter) for name, adapter in chosen.items()}
    taken = {step.name for step in steps}
    done: list[Step] = []
    spans: dict[str, Span] = {}
    owners: dict[str, str] = {}
    lent: set[str] = set()
    recipes = _Recipes()
    index = 0
    while index < len(steps):
        if index not in at:
            step = steps[index]
            done.append(step._replace(trains=False) if isinstance(step, PlacedLayer) else step)
            index += 1
            continue
        module, adapter = at[index]
        replaced = steps[index : module.last + 1]
        made = _in_place(spec, module, recipes.of(module, adapter), replaced, taken)
        parts = [step for step in made if isinstance(step, PlacedLayer)]
        spans |= {step.name: Span(parts[0].name, parts[-1].name) for step in replaced}
        owned = f"{module.name}.{BASE}"
        if any(step.name == f"{owned}.weight" for step in parts) and len(replaced) == 1:
            owned = f"{owned}.weight"
            lent.add(owned)
        owners[module.name] = owned
        done += made
        index = module.last + 1
    return Rewritten(done, spans, owners, lent=lent)


class _Recipes:
    """The composites so far: equal layers with one adapter are one of them."""

    def __init__(self) -> None:
        self._known: dict[Any, AdaptedLayer] = {}

    def of(self, module: Module, adapter: Lora | Ia3) -> AdaptedLayer:
        fed = isinstance(adapter, Ia3) and is_fed(module.name, adapter)
        key = (tuple(map(id, module.layers)), id(adapter), fed)
        if key not in self._known:
            self._known[key] = AdaptedLayer(recipe=_recipe(module, adapter))
        return self._known[key]


def _recipe(module: Module, adapter: Lora | Ia3) -> Parts:
    if isinstance(adapter, Lora):
        return partial(dora if adapter.type == "dora" else lora, module, adapter)
    return partial(ia3, module, adapter, is_fed(module.name, adapter))


def _in_place(
    spec: ModelSpec, module: Module, composite: AdaptedLayer, replaced: Sequence[Step], taken: set[str]
) -> Iterable[Step]:
    """What stands in the place of the module's steps."""
    first = replaced[0]
    assert isinstance(first, PlacedLayer)
    body = Scope(module.name, first.scope, True)
    path = first.path
    steps: list[Step] = [Alias(body.full("input"), first.scope, first.reads, path)]
    try:
        sketch = composite.sketch()
    except SpecError as error:
        raise error.at(layer=module.name, place=spec.source.place(path)) from None
    for place, (layer, holds) in enumerate(zip(sketch, composite.holds(), strict=True)):
        assert layer.name is not None
        part = CompositePart(composite, place, layer is sketch[-1])
        trains = not layer.name.startswith(BASE)
        steps.append(PlacedLayer(body.full(layer.name), layer, body, layer.inputs, path, part, holds, trains))
    steps += _old_names(module, replaced, steps[-1].name)
    steps.append(Alias(module.name, body, (f"{steps[len(sketch)].name}:*",), path))
    clash = next((step.name for step in steps if step.name in taken and step.name not in _names(replaced)), None)
    if clash is not None:
        problem = SpecError(
            "an adapter has this name already", expected="a layer without one", found=clash, hint="a name of your own"
        )
        raise problem.at(layer=module.name, place=spec.source.place(path))
    return steps


def _names(replaced: Sequence[Step]) -> set[str]:
    return {step.name for step in replaced} | {replaced[0].name.rpartition(".")[0]}


def _old_names(module: Module, replaced: Sequence[Step], last: str) -> Iterator[Alias]:
    """Of a module of several layers: others may name one of them, and its result is now the adapter's."""
    if len(replaced) == 1:
        return
    for step in replaced:
        assert isinstance(step, PlacedLayer)
        own = step.name.removeprefix(f"{module.name}.")
        is_result = step.layer.type in ("addmm", "view") and own != "view1"
        target = last if is_result else f"{module.name}.{BASE}.{own}"
        yield Alias(step.name, Scope("", None, True), (f"{target}:*",), step.path)


def _trained(spec: ModelSpec, steps: Sequence[Step]) -> Sequence[Step]:
    for option, patterns, trains in (("freeze", spec.freeze, False), ("train", spec.train, True)):
        for index, pattern in enumerate(patterns):
            steps = _set(steps, pattern, trains, lambda where=(option, index): spec.source.exactly(where), option)
    return steps


def _set(steps: Sequence[Step], pattern: str, trains: bool, place: Callable[[], Any], option: str) -> list[Step]:
    """The steps with the layers of the pattern trained or not. Raises SpecError where there is none with weights."""
    weighted = [
        index
        for index, step in enumerate(steps)
        if isinstance(step, PlacedLayer) and isinstance(step.layer, WeightedLayer)
    ]
    meant = [index for index in weighted if covers(pattern, steps[index].name)]
    if not meant:
        known = [steps[index].name for index in weighted]
        raise no_match(option, pattern, known, "a layer with weights, or a block around some").at(place=place())
    done = [*steps]
    for index in meant:
        step = done[index]
        assert isinstance(step, PlacedLayer)
        done[index] = step._replace(trains=trains)
    return done
