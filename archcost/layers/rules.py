"""The values in which a layer answers: what autograd keeps and hands on, where results lie, dtypes, and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from archcost.layers.dtypes import Outcome, Treatment
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Gradient, Own, Saved, Setting, Stage
from archcost.terms.memory_format import Layout
from archcost.terms.time_classes import TimeClass
from archcost.work import Operand

Quirk = Literal[
    "copies pieces", "puts gradient back", "sums bias gradient", "weight gradient is view", "stops early", "composed"
]
"""What torch does in the backward of a few layers and not of others:

- `copies pieces`: its formula first copies a gradient that is a slice, or one value spread out.
- `puts gradient back`: what arrived goes into zeros, in place, or into a copy while a dispatch mode watches.
- `sums bias gradient`: it hands on what arrived for the bias, and autograd's engine sums it up afterwards.
- `weight gradient is view`: the gradient of `weight` is a view of another tensor.
- `stops early`: computed again for what it keeps alone, it is stopped before it has a result, with all temporaries.
- `composed`: its operator calls others one after the other, which drop what backward does not keep.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """A layer applied to these tensors in a setting: all that its rules depend on beside itself."""

    inputs: Tensors
    outputs: Tensors
    setting: Setting

    @property
    def source(self) -> TensorType:
        """The first input."""
        return self.inputs[0]

    @property
    def result(self) -> TensorType:
        """The first output."""
        return self.outputs[0]

    @property
    def layout(self) -> Layout:
        """In which order the values of the first input lie."""
        return self.setting.layout(0)

    def needs(self, operand: int | str) -> bool:
        """Whether the gradient of that input or weight is wanted."""
        return operand in self.setting.needs


class NewView(NamedTuple):
    """A new gradient that backward makes as a view of another tensor."""

    tensor: TensorType


@dataclass(frozen=True, slots=True)
class Autograd:
    """What torch's autograd keeps of one call for its backward, and what backward gives and makes.

    `saved` holds where some operand needs its gradient. One tensor may be named twice (an in-place result is an input
    as well), and two names may lead to one storage. `gradients` says for each input what its gradient is, where one is
    wanted. `forward` and `backward` are temporaries: what lives at the worst moment beyond what stays or is handed on.
    """

    saved: tuple[Saved, ...]
    gradients: tuple[Gradient | NewView, ...]
    forward: tuple[Own, ...] = ()
    backward: tuple[Own, ...] = ()
    saves_for_nobody: bool = False
    """Whether what it keeps of its own is made and dropped where nobody needs a gradient."""
    stages: tuple[Stage, ...] = ()
    """The parts of a backward that is several operations, in order, in place of `backward`."""
    turns_weight_gradient: bool = False
    """Whether backward makes the gradient of `weight` in another order than the weight's."""
    outlives: tuple[int | Own, ...] = ()
    """Inputs, and tensors of its own, that it keeps beyond its backward, as long as anybody has what leads back to it:
    the loss.
    """
    ready: Mapping[Operand, Own] = field(default_factory=dict["Operand", Own])
    """By operand a gradient that forward has worked out already: that tensor of `saved`, which backward hands out."""
    zeros: tuple[TensorType | None, ...] = ()
    """For each output what backward makes in place of a gradient that does not arrive; none where it says nothing."""

    def where_nobody_needs(self) -> tuple[Own, ...]:
        """Temporaries of forward where no operand needs its gradient: with what is made for backward all the same."""
        return (*self.own(), *self.forward) if self.saves_for_nobody else self.forward

    def own(self) -> tuple[Own, ...]:
        """What lives for backward alone."""
        return tuple([kept for kept in self.saved if isinstance(kept, Own)])


class Placement(NamedTuple):
    """Where the outputs of a call lie, and how.

    `aliases` says for each output in the storage of which input it lies (a view, an in-place result), or of which
    weight, by name; None for one of its own.
    """

    aliases: tuple[int | str | None, ...]
    layouts: tuple[Layout, ...]
    """In which order the values of each output lie."""
    is_view: bool | None = None
    """Whether the first output is a view to autograd, which takes pains when somebody overwrites one. None: where it
    lies in the first input, does not overwrite it, and is not handed out as it came."""
    allocated: Tensors | None = None
    """What each output's storage holds, where torch leaves it larger than the output."""
    hides_writes: bool = False
    """Whether autograd does not notice what is written over the input through the output, a view of it."""


def own_storage(call: Call, layouts: tuple[Layout, ...] | None = None) -> Placement:
    """Every output in a storage of its own, row-major where nothing else is said."""
    return Placement((None,) * len(call.outputs), layouts or (None,) * len(call.outputs))


class Precision(NamedTuple):
    """What autocast does to a layer, and in which dtype its results come."""

    treatment: Treatment
    promotion: Outcome
    operands: int
    """How many of the inputs, the first ones, autocast sees and a result's dtype depends on."""
    before: Treatment | None = None
    """What autocast does to the inputs where it is something between them and the product that it lowers."""


class Timing(NamedTuple):
    """What a layer is in time for given tensors."""

    time_class: TimeClass
    extents: tuple[int, ...] = ()
    """The axes over which a device spreads the work, where a short one leaves units of it idle: rows, columns and depth
    of a product, the channels of a batch norm."""
    unpacked: tuple[TensorType | None, TensorType | None] = (None, None)
    """The weight as forward multiplies it, and backward, where a kernel makes it of fewer bits first."""


def without_gradients(setting: Setting) -> Setting:
    return replace(setting, needs=frozenset())
