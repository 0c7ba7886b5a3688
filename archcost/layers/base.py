"""What every layer is: a frozen schema with a shape rule, its weights and its work."""

# Annotations are values here: as text, pydantic would read those of the base once more for each class of layers.
from collections.abc import Callable, Collection
from dataclasses import replace
from math import prod
from typing import Annotated, Any, ClassVar, LiteralString, NamedTuple, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.card import Card
from archcost.layers.dtypes import Autocast, Outcome, Treatment
from archcost.layers.rules import Autograd, Call, NewView, Placement, Precision, Quirk, Timing
from archcost.tensors import ALL_BYTES, DTYPE_BYTES, FLOATING, Tensors, TensorType
from archcost.terms.autograd import (
    FORWARD,
    NO_SCRATCH,
    PASSED_ON,
    Device,
    Gradient,
    Own,
    Saved,
    Scratch,
    Setting,
    Stage,
)
from archcost.terms.expressions import Step
from archcost.terms.memory_format import Layout, Shape
from archcost.terms.time_classes import TimeClass
from archcost.terms.windows import SAME, WHOLE, Rules
from archcost.work import Work

MAX_SIZE = 2**31 - 1
"""Torch indexes a tensor with 64 bits; no single extent of a real network comes near 2^31."""


def dtype_among(known: Collection[str]) -> Callable[[Any], str]:
    """A validator for one of these names."""

    def check(value: Any) -> str:
        if isinstance(value, str) and value in known:
            return value
        raise PydanticCustomError("dtype", "Input should be {expected}", {"expected": ", ".join(known)})

    return check


Size = Annotated[int, Field(strict=True, ge=1, le=MAX_SIZE)]
Count = Annotated[int, Field(strict=True, ge=0, le=MAX_SIZE)]
Axis = Annotated[int, Field(strict=True, ge=-64, le=63)]
Flag = Annotated[bool, Field(strict=True)]
Dtype = Annotated[str, BeforeValidator(dtype_among(DTYPE_BYTES))]
DtypeOrComplex = Annotated[str, BeforeValidator(dtype_among(ALL_BYTES))]
FloatingDtype = Annotated[str, BeforeValidator(dtype_among(sorted(FLOATING)))]
Number = Annotated[float, Field(strict=True)]
Scalar = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**63)] | Number
"""A number that says by how it is written whether it is an integer: 2 or 2.0."""

Name = Annotated[str, StringConstraints(strict=True, pattern=r"^\w+(\.\w+)*$", max_length=200)]
Reference = Annotated[str, StringConstraints(strict=True, pattern=r"^\w+(\.\w+)*(:\d{1,4})?$", max_length=400)]
WeightReference = Annotated[str, StringConstraints(strict=True, pattern=r"^\w+(\.\w+)*\.weight(\.T)?$", max_length=400)]


def one_or_list(accepts: Callable[[Any], bool], expected: LiteralString) -> BeforeValidator:
    """A field that takes one value or a list of them, as torch's sizes do."""

    def check(value: Any) -> Any:
        is_list = isinstance(value, (list, tuple))
        entries = tuple(cast("list[Any]", value)) if is_list else (value,)
        if entries and all(accepts(entry) for entry in entries):
            return entries if is_list else value
        raise PydanticCustomError("one_or_list", f"Input should be {expected} or a list of them")

    return BeforeValidator(check)


def _integer_from(least: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= MAX_SIZE


Sizes = Annotated[int | tuple[int, ...], one_or_list(_integer_from(1), "an integer from 1 to 2,147,483,647")]
Counts = Annotated[int | tuple[int, ...], one_or_list(_integer_from(0), "an integer from 0 to 2,147,483,647")]


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
    """

    name: str
    shape: tuple[int, ...]
    is_buffer: bool = False
    dtype: str | None = None
    cast: str | None = None

    @property
    def numel(self) -> int:
        return prod(self.shape)


class Declared(BaseModel):
    """What a `type` in a spec stands for: a schema with torch's field names and defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)
    prefix: ClassVar[str] = ""

    type: Any  # a Literal in each class: the word that stands for it in a spec
    name: Name | None = None
    inputs: tuple[Reference, ...] = ()

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Leaves the annotations of fields alone: those of class variables pydantic has read, and would read once more
        for each class below.
        """
        super().__pydantic_init_subclass__(**kwargs)
        cls.__annotations__ = {name: kind for name, kind in cls.__annotations__.items() if name in cls.model_fields}


class Layer(Declared):
    """One differentiable operation of torch's eager autograd.

    Subclasses give the schema and, for the inputs' shapes, the rules below. They are pure functions of the layer and
    its tensors.
    """

    arity: ClassVar[Arity] = Arity(1, 1)

    card: ClassVar[Card]
    """By what the other parts know it. No default: what a layer does not say would be wrong in silence."""

    quirks: ClassVar[frozenset[Quirk]] = frozenset()
    """What torch does in its backward and in few others."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """Until every family has cards, a card says what attributes said."""
        super().__pydantic_init_subclass__(**kwargs)
        if "card" in cls.__dict__:
            cls.autocast, cls.comes_out, cls.time_class = cls.card.autocast, cls.card.promotion, cls.card.time

    autocast: ClassVar[Autocast]
    """What autocast does to inputs and weights. No default: what a layer does not say would be wrong in silence."""

    comes_out: ClassVar[Outcome]
    """Which dtype floating results have where those of the inputs differ. No default either."""

    time_class: ClassVar[TimeClass]
    """What it is in time. No default: a layer of no class would take none."""

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
        i, o, s = call.inputs, call.outputs, call.setting
        gradients = self.gradients(i, o, s)
        viewed = self.viewed_gradients(i, s)
        scratch = self.scratch(i, o, s)
        return Autograd(
            self.keeps(i, o, s),
            tuple(
                [NewView(g) if v and isinstance(g, TensorType) else g for g, v in zip(gradients, viewed, strict=True)]
            ),
            scratch.forward,
            scratch.backward,
            stages=self.stages(i, o, s) if s.needs else (),
            turns_weight_gradient=self.turns_weight_gradient(i, o, s),
            outlives=self.outlives(),
            zeros=tuple([self.missing_gradient(output) for output in o]),
        )

    def placement(self, call: Call) -> Placement:
        """Where the outputs lie, and in which order their values."""
        i, o, s = call.inputs, call.outputs, call.setting
        return Placement(
            self.aliases(i, o, s), self.layouts(i, o, s), self.is_view(i, o, s), self.allocated(i, o), self.hides_writes
        )

    def precision(self, inputs: Tensors, device: Device) -> Precision:
        """What autocast does to it: as its card says, but for options that make it another operator.

        In place it is one with an underscore (`exp_`), and those are on no list.
        """
        return Precision(
            self.treatment(inputs, device), self.outcome(), self.worked_on(inputs), self.treatment_before(device)
        )

    def timing(self, inputs: Tensors, outputs: Tensors) -> Timing:
        """What it is in time for these tensors: as its card says, but where sizes make it another."""
        return Timing(self.timed(inputs, outputs), self.extents(inputs, outputs))

    def saves(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """What torch's eager autograd keeps of one pass for its backward; nothing when nobody needs a gradient.

        One tensor may be named twice (an in-place result is an input as well), and two names may lead to one storage.
        """
        return self.keeps(inputs, outputs, setting) if setting.needs else ()

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """`saves` where some operand needs its gradient. Every layer says it, were it only `()`."""
        raise NotImplementedError

    def aliases(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[int | str | None, ...]:
        """For each output the input in whose storage it lies (a view, an in-place result), or the weight, by name; None
        for one of its own.
        """
        return (None,) * len(outputs)

    def overwrites(self, setting: Setting) -> bool:
        """Whether the first input's values are gone afterwards."""
        return False

    def treatment(self, inputs: Tensors, device: Device) -> Treatment:
        """What autocast does to this layer: as its class declares, but for options that make it another operator.

        In place it is one with an underscore (`exp_`), and those are on no list.
        """
        return "as given" if self.overwrites(FORWARD) else self.autocast.on(device)

    def worked_on(self, inputs: Tensors) -> int:
        """How many of the inputs, the first ones, autocast sees and a result's dtype depends on."""
        return len(inputs)

    def outcome(self) -> Outcome:
        """Which dtype results have: as the class declares, but for what stands for many operators."""
        return self.comes_out

    def timed(self, inputs: Tensors, outputs: Tensors) -> TimeClass:
        """What it is in time for these tensors: as its class declares, but where sizes make it another."""
        return self.time_class

    def extents(self, inputs: Tensors, outputs: Tensors) -> tuple[int, ...]:
        """The axes over which a device spreads the work, where a short one leaves units of it idle: rows, columns and
        depth of a product, the channels of a batch norm.
        """
        return ()

    def is_view(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> bool:
        """Whether the first output is a view to autograd, which takes pains when somebody overwrites one.

        An input that is handed out itself, overwritten or not, is none by that.
        """
        if self.ends_in_view:
            return True
        seen = self.aliases(inputs, outputs, setting)[0] == 0 and not self.overwrites(setting)
        return seen and self.gradients(inputs, outputs, setting)[0] != PASSED_ON

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """In which order the values of each output lie in its storage; row-major where a layer says nothing else."""
        return (None,) * len(outputs)

    def gradients(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Gradient, ...]:
        """For each input what its gradient is, where one is needed: a new tensor like it, unless a layer says else."""
        return inputs

    def scratch(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> Scratch:
        """What torch's operators make and drop while the layer runs."""
        return NO_SCRATCH

    def stages(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Stage, ...]:
        """The parts of its backward, one after the other, in place of the scratch of backward; none where it is one."""
        return ()

    def unkept(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Own, ...]:
        """Where nobody needs a gradient, what the operators make for backward all the same, and drop."""
        if setting.needs:
            return ()
        return tuple(kept for kept in self.keeps(inputs, outputs, setting) if isinstance(kept, Own))

    def input_gradient_is_view(self, inputs: Tensors) -> bool:
        """Whether the new gradient that backward makes for an input is a view of another tensor."""
        return False

    def viewed_gradients(self, inputs: Tensors, setting: Setting) -> tuple[bool, ...]:
        """The same for each input, where a layer has several."""
        return (self.input_gradient_is_view(inputs),) * len(inputs)

    def treatment_before(self, device: Device) -> Treatment | None:
        """What autocast does to the inputs where it is something between them and the product that it lowers."""
        return None

    def missing_gradient(self, output: TensorType) -> TensorType | None:
        """What backward makes in place of an output's gradient that does not arrive."""
        return None

    def dropped(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Own, ...]:
        """What lives beside the outputs at forward's worst moment where a checkpoint drops at once what is kept."""
        if "composed" in self.quirks:
            return self.scratch(inputs, outputs, replace(setting, needs=frozenset())).forward
        kept = [own for own in self.saves(inputs, outputs, setting) if isinstance(own, Own)]
        return (*kept, *self.scratch(inputs, outputs, setting).forward)

    def turns_weight_gradient(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> bool:
        """Whether backward makes the gradient of `weight` in another order than the weight's."""
        return False

    def outlives(self) -> tuple[int, ...]:
        """Inputs that it keeps beyond its backward, as long as anybody has what leads back to it: the loss."""
        return ()

    assumption: ClassVar[str] = ""
    """What its sizes and numbers rest on beside what is declared; told wherever they are."""

    is_unknown: ClassVar[bool] = False
    """Whether no rule says how many operations it is, so that every sum with it in is a lower bound."""

    untouched: ClassVar[frozenset[int]] = frozenset()
    """Inputs that no gradient flows back to: read for their size alone, or cut off."""

    asked: ClassVar[frozenset[int]] = frozenset()
    """Inputs that are asked for their size or dtype alone, and need not live for it."""

    ends_in_view: ClassVar[bool] = False
    """Whether the output is a view in any case: of the input, or of a tensor of torch's that nobody else has."""

    def allocated(self, inputs: Tensors, outputs: Tensors) -> Tensors:
        """What each output's storage holds, where torch leaves it larger than the output."""
        return outputs

    @property
    def hides_writes(self) -> bool:
        """Whether autograd does not notice what is written over the input through the output, a view of it."""
        return False

    @property
    def shared_weight(self) -> str | None:
        """`name.weight` or `name.weight.T` when this layer uses another's weight."""
        return None

    def windows(self, inputs: Tensors, outputs: Tensors) -> Rules | None:
        """A rule for each spatial axis; None where the axes of input and output do not correspond."""
        return (SAME,) * len(outputs[0].shape[2:])

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        """How weights, output size and MACs come about. A test holds every line against the rules above."""
        return ()


def is_view(layer: Layer, call: Call, placement: Placement, autograd: Autograd) -> bool:
    """Whether the first output is a view to autograd. An input that is overwritten or handed out as it came is none."""
    if placement.is_view is not None:
        return placement.is_view
    in_first = placement.aliases[0] == 0 and not layer.overwrites(call.setting)
    return in_first and autograd.gradients[0] != PASSED_ON


class WeightedLayer(Layer):
    """A layer with parameters; `trainable: false` freezes them.

    `given` are weights that are none of its own: by the name that `weights` has for them, which earlier output each is.
    """

    trainable: Flag = True
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


def require_floating(inputs: Tensors) -> None:
    for tensor in inputs:
        if not tensor.is_floating:
            raise ShapeError("needs floating-point input", expected="float32 or another float", found=tensor.dtype)


def require_rank(tensor: TensorType, rank: int, meaning: str) -> None:
    """`meaning` names the axes in the message, such as (batch, channels, height, width)."""
    if tensor.rank != rank:
        raise ShapeError(f"needs {rank} axes", expected=meaning, found=str(tensor))


SPATIAL = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def require_images(tensor: TensorType, ndim: int) -> None:
    """A batched feature map with `ndim` spatial axes."""
    require_rank(tensor, ndim + 2, f"(batch, channels, {', '.join(SPATIAL[ndim])})")
    require_floating((tensor,))


def per_axis(value: int | tuple[int, ...], ndim: int, field: str) -> tuple[int, ...]:
    """Torch's shorthand: one integer for all axes, or one each."""
    if isinstance(value, int):
        return (value,) * ndim
    if len(value) != ndim:
        raise ShapeError(
            f"{field} has the wrong length", expected=f"an integer or {ndim} integers", found=str(list(value))
        )
    return value


def require_positive(sizes: tuple[int, ...], inputs: Tensors, hint: str) -> None:
    """Refuse an output that would be empty, before it makes everything after it empty."""
    if any(size < 1 for size in sizes):
        raise ShapeError(
            "output size would be zero or negative",
            expected="every size at least 1",
            found=f"{'×'.join(map(str, sizes))} from input {inputs[0]}",
            hint=hint,
        )


def normalize_axis(axis: int, rank: int, field: str = "dim", what: str = "an axis") -> int:
    """Torch's negative axes, and positions along one, count from the end."""
    if not -rank <= axis < rank:
        raise ShapeError(f"{field} is out of range", expected=f"{what} from {-rank} to {rank - 1}", found=str(axis))
    return axis % rank


def whole_along(dim: int, inputs: Tensors) -> Rules:
    """Every result may depend on any value of that axis, and along the others on what lies in its place."""
    along = normalize_axis(dim, inputs[0].rank)
    return tuple([WHOLE if axis == along else SAME for axis in range(2, inputs[0].rank)])
