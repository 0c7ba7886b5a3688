"""`--freeze`, `--train`, `--adapt` and `--weights`: a spec some of whose layers are frozen, trained again, adapted, or
keep their weights in few bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from archcost.errors import SpecError, shorten
from archcost.spec.adapters import KINDS, Adapter, Ia3, Lora, check_pattern, fields_of
from archcost.spec.mistakes import explain
from archcost.spec.model import ModelSpec
from archcost.spec.quantized import Quantized, quantized_of
from archcost.spec.source import Source

PatternsGiven = str | Sequence[str]
AdapterGiven = str | Mapping[str, Any] | Adapter
WeightsGiven = str | Mapping[str, Any] | Quantized


class Changes(NamedTuple):
    """What a command line changes of a network, in its words: each entry one option."""

    freeze: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    adapt: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """As options of a command line."""
        return [word for name, texts in self._asdict().items() for text in texts for word in (f"--{name}", text)]

    def apply_to(self, spec: ModelSpec) -> ModelSpec:
        """The spec changed. Raises SpecError for what is no pattern, adapter or format of weights."""
        return changed(spec, *self) if any(self) else spec


NO_CHANGES = Changes()


def changed(
    spec: ModelSpec,
    freeze: PatternsGiven = (),
    train: PatternsGiven = (),
    adapt: AdapterGiven | Sequence[AdapterGiven] = (),
    weights: WeightsGiven | Sequence[WeightsGiven] = (),
) -> ModelSpec:
    """The spec with these beside those that it has. Published figures are not those of what is adapted."""
    given = (adapt,) if isinstance(adapt, str | Mapping | Adapter) else tuple(adapt)
    adapters = tuple([adapter_of(each) for each in given])
    formats = (weights,) if isinstance(weights, str | Mapping | Quantized) else tuple(weights)
    return spec.model_copy(
        update={
            "freeze": (*spec.freeze, *patterns_of(freeze, "freeze")),
            "train": (*spec.train, *patterns_of(train, "train")),
            "adapt": (*spec.adapt, *adapters),
            "weights": (*spec.weights, *[quantized_of(each) for each in formats]),
            "published": None if adapters else spec.published,
        }
    )


def patterns_of(given: PatternsGiven, option: str) -> tuple[str, ...]:
    """Patterns of names, in lists or with commas between. Raises SpecError."""
    texts = (given,) if isinstance(given, str) else tuple(given)
    found = [pattern for text in texts for pattern in text.split(",")]
    for pattern in found:
        try:
            check_pattern(pattern)
        except ValueError as error:
            expected = str(error).removeprefix("Input should be ")
            raise SpecError(f"{option} has no pattern", expected=expected, found=shorten(pattern)) from None
    return tuple(found)


def adapter_of(given: AdapterGiven) -> Lora | Ia3:
    """An adapter of its text or its fields. Raises SpecError for what is none."""
    if isinstance(given, Lora | Ia3):
        return given
    tree = fields_of(given) if isinstance(given, str) else given
    if not isinstance(tree, Mapping) or tree.get("type") not in KINDS:
        found = shorten(tree.get("type")) if isinstance(tree, Mapping) else shorten(tree)
        raise SpecError("unknown adapter", expected=f"one with type {', '.join(KINDS)}", found=found)
    try:
        return KINDS[tree["type"]].model_validate(dict(tree))
    except ValidationError as error:
        raise explain(error, dict(tree), Source(""), ()).at(layer=f"adapt {tree['type']}") from None
