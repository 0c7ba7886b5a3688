"""What every layer is: a frozen schema with a shape rule, its weights and its work."""

# Annotations are values here: as text, pydantic would read those of the base once more for each class of layers.
from math import prod
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from pydantic import BaseModel, ConfigDict

from archcost.errors import listing
from archcost.layers.card import Card
from archcost.layers.constructed import Constructed, refuse_change
from archcost.layers.fields import Flag, Name, Reference
from archcost.layers.rules import Autograd, Call, Placement, Precision, Quirk, Timing, own_storage
from archcost.tensors import Tensors
from archcost.terms.autograd import (
    FORWARD,
    PASSED_ON,
    Device,
    Own,
    Setting,
)
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Shape
from archcost.terms.windows import SAME, Rules
from archcost.work import Work


class Arity(NamedTuple):
    """How many inputs a layer takes; `most` None means any number."""

    least: int
    most: int | None

    def __str__(self) -> str:
        if self.least == self.most:
            return f"{self.least} input" + ("s" if self.least != 1 else "")
        return f"{self.least} inputs or more" if self.most is None else f"{self.least} to {self.most} inputs"


class Weight(NamedTuple):
    """A parameter, or a buffer (kept and saved, never trained), of a layer.

    `dtype` None is that of what arrives. `cast` is the dtype of the copy that autocast makes for the layer to work on.
    `is_scale` is said of a buffer that belongs to a quantised weight: its bytes are the weight's, and a dtype that it
    names is its own in every precision.
    """

    name: str
    shape: tuple[int, ...]
    is_buffer: bool = False
    dtype: str | None = None
    cast: str | None = None
    is_scale: bool = False

    @property
    def numel(self) -> int:
        return prod(self.shape)


class Declared(BaseModel, metaclass=Constructed):
    """What a `type` in a spec stands for: a schema with torch's field names and defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)
    prefix: ClassVar[str] = ""
    positional: ClassVar[tuple[str, ...]] = ()
    """Fields that a call may give without their names: see `constructed`."""

    if not TYPE_CHECKING:
        __setattr__ = refuse_change

    type: Any  # a Literal in each class: the word that stands for it in a spec
    name: Name | None = None
    inputs: tuple[Reference, ...] = ()

    def __repr_args__(self) -> Any:
        """What differs from the defaults."""
        fields = type(self).model_fields
        return [(name, value) for name, value in super().__repr_args__() if name and value != fields[name].default]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Leaves the annotations of fields alone: those of class variables pydantic has read, and would read once more
        for each class below.
        """
        super().__pydantic_init_subclass__(**kwargs)
        cls.__annotations__ = {name: kind for name, kind in cls.__annotations__.items() if name in cls.model_fields}


class Layer(Declared):
    """One differentiable operation of torch's eager autograd.

    A class gives a schema, a card of names, and the rules below: pure functions of the layer and its tensors.
    """

    card: ClassVar[Card]
    """By what the other parts know it. No default: what a layer does not say would be wrong in silence."""

    arity: ClassVar[Arity] = Arity(1, 1)

    quirks: ClassVar[frozenset[Quirk]] = frozenset()
    """What torch does in its backward and in that of few others."""

    assumption: ClassVar[str] = ""
    """What its sizes and numbers rest on beside what is declared; told wherever they are."""

    is_unknown: ClassVar[bool] = False
    """Whether no rule says how many operations it is, so that every sum with it in is a lower bound."""

    takes_complex: ClassVar[bool] = False
    """Whether its rules hold of complex numbers; where they do not, it is refused to read any."""

    is_unknown_backward: ClassVar[bool] = False
    """Whether it is unknown for its backward alone, so that its MACs and what it costs forward are numbers."""

    is_cache: ClassVar[bool] = False
    """Whether what it makes or keeps are keys, values and states of past positions."""

    uses_up: ClassVar[str] = ""
    """Of its buffers the one that goes once it is done: the past, copied into what it makes."""

    untouched: ClassVar[frozenset[int]] = frozenset()
    """Inputs that no gradient flows back to: read for their size alone, or cut off."""

    asked: ClassVar[frozenset[int]] = frozenset()
    """Inputs that are asked for their size or dtype alone, and need not live for it."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Raises TypeError for a class that a spec can name and that leaves out what every layer has to say."""
        super().__pydantic_init_subclass__(**kwargs)
        if not isinstance(cls.model_fields["type"].default, str):  # others build on it
            return
        lacking = ["card"] if not hasattr(cls, "card") else []
        lacking += [rule for rule in NO_DEFAULT if getattr(cls, rule) is getattr(Layer, rule)]
        if lacking:
            raise TypeError(f"{cls.__name__} says nothing of its {listing(lacking)}")

    def output_types(self, inputs: Tensors) -> Tensors:
        """Shapes and dtypes that come out. Raises ShapeError when the inputs do not suit."""
        raise NotImplementedError

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        """Parameters and buffers, in torch's order of registration."""
        return ()

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """What one pass over these tensors does."""
        raise NotImplementedError

    def autograd(self, call: Call) -> Autograd:
        """What autograd keeps for backward, and what backward gives and makes."""
        raise NotImplementedError

    def watched(self, call: Call) -> tuple[Own, ...]:
        """What lives at the worst moment of its backward in place of `autograd`'s temporaries while a dispatch mode is
        on, for which torch overwrites less (`isTensorSubclassLike`). Empty where that is the same.
        """
        return ()

    def copies_pieces(self, call: Call) -> bool:
        """Whether its backward first copies a gradient that is a slice, or one value spread out: where its formula
        does, and on a GPU where its kernel does.
        """
        return "copies pieces" in self.quirks

    def placement(self, call: Call) -> Placement:
        """Where the outputs lie, and in which order their values."""
        return own_storage(call)

    def overwrites(self, setting: Setting) -> bool:
        """Whether the first input's values are gone afterwards."""
        return False

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """What autocast does to it: as its card says, but for options that make it another operator.

        In place it is one with an underscore (`exp_`), and those are on no list.
        """
        treatment = "as given" if self.overwrites(FORWARD) else self.card.autocast.on(device)
        return Precision(treatment, self.card.promotion, len(inputs))

    casts_itself: ClassVar[bool] = False
    """Whether it casts what it reads, and what comes out back, as `computes_in` says; its bias stays so."""

    def computes_in(self, arrives: str, autocast: str | None) -> str:
        """The dtype in which it computes where it casts by itself, under autocast to that dtype or without."""
        return arrives

    def lowered(self, dtype: str) -> "Layer":
        """The layer as it is under autocast to that dtype, where it looks by itself whether autocast is on."""
        return self

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """What it is in time for these tensors: as its card says, but where sizes make it another."""
        return Timing(self.card.time)

    @property
    def shared_weight(self) -> str | None:
        """`name.weight` or `name.weight.T` when this layer uses another's weight."""
        return None

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """A rule for each spatial axis; None where the axes of input and output do not correspond."""
        return tuple(SAME for _ in outputs[0].shape[2:])

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        """How weights, output size and MACs come about. A test holds every line against the rules above."""
        return ()


NO_DEFAULT = ("output_types", "work", "autograd")
"""Rules that every layer has."""


def is_view(layer: Layer, call: Call, placement: Placement, autograd: Autograd) -> bool:
    """Whether the first output is a view to autograd. An input that is overwritten or handed out as it came is none."""
    if placement.is_view is not None:
        return placement.is_view
    in_first = placement.aliases[0] == 0 and not layer.overwrites(call.setting)
    return in_first and autograd.gradients[0] != PASSED_ON


class WeightedLayer(Layer):
    """A layer with parameters; `trainable: false` freezes them.

    `given` are weights that are none of its own: by the name that `weights` has for them, which earlier output each is.
    With `keep_float32` its own stay in float32 in a run whose weights are in 16 bits, as some modules are told to.
    """

    trainable: Flag = True
    keep_float32: Flag = False
    given: dict[Name, Reference] = {}


class Composite(Declared):
    """Layers that torch composes into one module, each under the composite's name and a dot.

    What they are called and read follows from the composite alone, their sizes from the shape of its first input.
    """

    most_parts: ClassVar[int]
    trainable: Flag = True

    def parts(self, shape: Shape) -> tuple[Layer, ...]:
        """In order of execution, each with its name; they read `input`, `input:1`, … or each other.

        `shape` is that of the first input. Raises ShapeError when it does not suit.
        """
        raise NotImplementedError

    def sketch(self) -> tuple[Layer, ...]:
        """The parts for some shape, for whoever asks only for their kinds and wiring."""
        raise NotImplementedError
