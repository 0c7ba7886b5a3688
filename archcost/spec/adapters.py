"""Adapters: small weights beside frozen layers, in the words of PEFT, and as the text that a command line takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from archcost.errors import SpecError, nearest, shorten
from archcost.files.parse import plain_scalar
from archcost.files.values import as_mapping
from archcost.layers.fields import Number, Size
from archcost.spec.sections import FROZEN

LONGEST_PATTERN = 400


def check_pattern(value: Any) -> str:
    """A pattern of names: those of layers and of blocks, and `*`, `?` and `[…]` as a shell has them."""
    is_text = isinstance(value, str) and 0 < len(value) <= LONGEST_PATTERN
    if is_text and value.isprintable() and not {" ", ","} & set(value):
        return value
    raise PydanticCustomError("pattern", "Input should be a pattern of names, as in q_proj, layers.0 or layers.*.mlp")


Pattern = Annotated[str, BeforeValidator(check_pattern)]


def _as_patterns(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


Patterns = Annotated[tuple[Pattern, ...], BeforeValidator(_as_patterns), Field(max_length=1000)]
"""One pattern, or a list of them."""

Share = Annotated[float, Field(strict=True, ge=0, lt=1)]
AdapterDtype = Literal["float32", "same"]


class Adapter(BaseModel):
    """What all kinds of adapters say: on which layers they are, and in which dtype their weights."""

    model_config = FROZEN
    lists: ClassVar[tuple[str, ...]] = ("targets", "exclude", "feedforward")
    shown: ClassVar[tuple[str, ...]] = ()
    """What is told though it is the default."""

    type: Any  # a Literal in each class
    targets: Patterns = ()
    """Linear, embedding and convolution layers by their names; `all-linear` is each linear one but the head. Where
    none is named, those that PEFT adapts where a model has such names.
    """
    exclude: Patterns = ()
    """Layers that are none, though a target says so."""
    dtype: AdapterDtype = "float32"
    """Of the adapter's weights in a run whose weights are in 16 bits: PEFT keeps them in float32, but for
    `autocast_adapter_dtype=False`, which is `same`.
    """

    def __str__(self) -> str:
        """As the command line takes it."""
        given = self.model_dump(exclude_defaults=True, mode="json")
        given = {**{key: getattr(self, key) for key in self.shown}, **given}
        words = [f"{key}={given[key]}" for key in given if key != "type" and key not in self.lists]
        words += [f"{key}={','.join(given[key])}" for key in self.lists if key in given]
        return f"{self.type}:{','.join(words)}" if words else str(self.type)


class Lora(Adapter):
    """Two products of rank `r` beside each layer (Hu and others, LoRA, 2021; as PEFT's tuners/lora builds them).

    `dora` scales what comes out by a trained magnitude over the norm of the merged weight (Liu and others, DoRA, 2024);
    `rslora` divides alpha by the root of r, and not by r (Kalajdzievski, 2023). The defaults are PEFT's.
    """

    shown: ClassVar[tuple[str, ...]] = ("r",)

    type: Literal["lora", "dora", "rslora"]
    r: Size = 8
    alpha: Number | Size = 8
    dropout: Share = 0.0

    @property
    def factor(self) -> float:
        """What the products are multiplied by."""
        return self.alpha / (self.r**0.5 if self.type == "rslora" else self.r)


class Ia3(Adapter):
    """A trained factor for each feature: of what comes out of a layer, or of what goes into those of `feedforward`.

    Liu and others, Few-shot parameter-efficient fine-tuning, 2022; as PEFT's tuners/ia3 builds them.
    """

    type: Literal["ia3"]
    feedforward: Patterns = ()


KINDS: Mapping[str, type[Lora] | type[Ia3]] = {"lora": Lora, "dora": Lora, "rslora": Lora, "ia3": Ia3}


def _from_text(value: Any) -> Any:
    """`lora:r=16` as a mapping; only the classes of known kinds are asked."""
    if isinstance(value, str):
        try:
            value = fields_of(value)
        except SpecError as error:
            told = f"Input should be {error.expected}: {error.problem}"
            raise PydanticCustomError("adapter", "{told}", {"told": told}) from None
    given = as_mapping(value)
    if given is not None and given.get("type") not in KINDS:
        raise PydanticCustomError("adapter", "Input should be a mapping with type: lora, dora, rslora or ia3")
    return value


AnyAdapter = Annotated[Annotated[Lora | Ia3, Field(discriminator="type")], BeforeValidator(_from_text)]


def _as_adapters(value: Any) -> Any:
    return (value,) if isinstance(value, str | Adapter) or as_mapping(value) is not None else value


Adapters = Annotated[tuple[AnyAdapter, ...], BeforeValidator(_as_adapters), Field(max_length=100)]
"""One adapter, or a list of them, each for layers of its own."""


def fields_of(text: str) -> dict[str, Any]:
    """`lora:r=16,targets=q_proj,v_proj` as the mapping that a spec holds. A word without `=` continues a list.

    Raises SpecError for an unknown kind, and for words that are none of an option.
    """
    kind, _, options = text.partition(":")
    if kind not in KINDS:
        raise SpecError(
            f"unknown adapter {shorten(kind)}",
            expected=", ".join(KINDS),
            found=shorten(text),
            hint=nearest(kind.lower(), KINDS),
        )
    fields: dict[str, Any] = {"type": kind}
    last = ""
    for word in options.split(",") if options else ():
        key, equals, value = word.partition("=")
        if not equals and last in Adapter.lists and word:
            fields[last].append(word)
            continue
        if not equals or not key or not value or key in fields:
            problem = f"{key} stands twice" if key in fields else "an option without a value"
            raise SpecError(problem, expected=f"{kind}:r=16,targets=q_proj,v_proj", found=shorten(text))
        last = key
        fields[key] = [value] if key in Adapter.lists else plain_scalar(value)
    return fields
