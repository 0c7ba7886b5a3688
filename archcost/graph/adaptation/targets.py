"""On which layers the adapters of a spec are: what their targets mean, and what is meant where none is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from archcost.errors import SpecError, listing
from archcost.graph.adaptation.modules import Module
from archcost.graph.adaptation.patterns import covers, has_wildcard, names, no_match
from archcost.graph.expand import Alias, PlacedLayer
from archcost.spec.adapters import Ia3, Lora
from archcost.spec.model import ModelSpec

ALL_LINEAR = "all-linear"

USUAL = (
    ("q_proj", "v_proj"),
    ("query.proj", "value.proj"),
    ("query_key_value",),
    ("query", "value"),
    ("c_attn",),
    ("Wqkv",),
    ("qkv",),
    ("q", "v"),
    ("to_q", "to_v"),
)
"""What PEFT adapts where a model has layers of such names (TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING)."""


def targets_of(
    spec: ModelSpec, steps: Sequence[PlacedLayer | Alias], modules: Mapping[str, Module]
) -> dict[str, Lora | Ia3]:
    """By layer its adapter. Raises SpecError for a target that means nothing, and for two adapters on one layer."""
    chosen: dict[str, Lora | Ia3] = {}
    for index, adapter in enumerate(spec.adapt):
        place = spec.source.exactly(("adapt", index))
        try:
            meant = list(_meant(adapter, steps, modules))
        except SpecError as error:
            raise error.at(layer=f"adapt {adapter.type}", place=place) from None
        for name in meant:
            if name in chosen:
                raise SpecError(
                    "two adapters on one layer",
                    expected="each layer in the targets of one",
                    found=f"{chosen[name]} and {adapter}",
                    hint="exclude=…, in one of them",
                ).at(layer=name, place=place)
            chosen[name] = adapter
    return chosen


def is_fed(name: str, adapter: Ia3) -> bool:
    """Whether the adapter scales what goes into the layer."""
    return any(names(pattern, name) or covers(pattern, name) for pattern in adapter.feedforward)


def _meant(adapter: Lora | Ia3, steps: Sequence[PlacedLayer | Alias], modules: Mapping[str, Module]) -> Iterator[str]:
    if isinstance(adapter, Ia3):
        _check_ia3(adapter, steps, modules)
    wanted = adapter.targets or _usual(modules)
    meant = dict.fromkeys(name for pattern in wanted for name in _of_target(pattern, steps, modules))
    left_out = {name for pattern in adapter.exclude for name in _of_target(pattern, steps, modules, "exclude")}
    found = [name for name in modules if name in meant and name not in left_out]
    if not found:
        raise SpecError("every target is excluded", expected="a layer that is left", found=str(adapter))
    yield from found


def _check_ia3(adapter: Ia3, steps: Sequence[PlacedLayer | Alias], modules: Mapping[str, Module]) -> None:
    """Which layers PEFT takes differs between models with the same names, so they have to be named."""
    if not adapter.targets:
        raise SpecError(
            "ia3 names no targets",
            expected="targets=, and feedforward= for those of them whose input is scaled",
            found=str(adapter),
            hint="ia3:targets=k_proj,v_proj,down_proj,feedforward=down_proj",
        )
    targets = {name for pattern in adapter.targets for name in _of_target(pattern, steps, modules)}
    for pattern in adapter.feedforward:
        if not any(names(pattern, name) or covers(pattern, name) for name in targets):
            raise no_match("feedforward", pattern, targets, "some of the targets")


def _usual(modules: Mapping[str, Module]) -> tuple[str, ...]:
    for group in USUAL:
        if all(any(names(pattern, name) for name in modules) for pattern in group):
            return group
    last = dict.fromkeys(name.rpartition(".")[2] for name, each in modules.items() if each.kind in ("linear", "conv1d"))
    raise SpecError(
        "no targets, and no names of queries and values that are known",
        expected="targets=, of linear, embedding and convolution layers",
        found=f"linear layers {listing([*last], 8)}" if last else "no linear layer",
        hint=f"targets={ALL_LINEAR}" if last else None,
    )


def _of_target(
    pattern: str, steps: Sequence[PlacedLayer | Alias], modules: Mapping[str, Module], what: str = "targets"
) -> list[str]:
    if pattern == ALL_LINEAR:
        return all_linear(steps, modules)
    found = [name for name in modules if names(pattern, name)] or [name for name in modules if covers(pattern, name)]
    if not has_wildcard(pattern):
        _refuse_others(pattern, steps, modules, names if found else covers)
    if not found:
        raise no_match(what, pattern, modules, "linear, embedding and convolution layers")
    return found


def _refuse_others(
    pattern: str,
    steps: Sequence[PlacedLayer | Alias],
    modules: Mapping[str, Module],
    means: Callable[[str, str], bool],
) -> None:
    for step in steps:
        if isinstance(step, PlacedLayer) and step.name not in modules and means(pattern, step.name):
            what = f"a part of {step.part.composite.type}" if step.part else step.layer.type
            raise SpecError(
                f"no adapter is put on {what}",
                expected="linear, embedding and convolution layers",
                found=step.name,
            )


def all_linear(steps: Sequence[PlacedLayer | Alias], modules: Mapping[str, Module]) -> list[str]:
    """All but the head, which gives the scores of a language model: the last that there is."""
    linear = [name for name, module in modules.items() if module.kind in ("linear", "conv1d")]
    weighted = [
        step.name for step in steps if isinstance(step, PlacedLayer) and step.layer.type in ("linear", "parameter")
    ]
    found = linear[:-1] if len(linear) > 1 and weighted[-1] == linear[-1] else linear
    if not found:
        raise SpecError("targets means nothing", expected="a network with linear layers", found=ALL_LINEAR)
    return found
