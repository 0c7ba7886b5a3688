"""The kinds of work a layer lists, and what each costs forward and backward.

A layer says what it does in elements; the kind fixes what a FLOP is. Two columns are never mixed:
`contraction` (2 FLOPs a multiply-and-add, on which every good counter agrees) and `elementwise`
(everything else, by the convention written in docs/conventions.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

Operand = int | str
"""What a gradient is taken of: the index of an input, or the name of a weight."""


class Flops(NamedTuple):
    """The two columns."""

    contraction: int = 0
    elementwise: int = 0

    def __add__(self, other: Flops) -> Flops:  # pyright: ignore[reportIncompatibleMethodOverride]
        return Flops(self.contraction + other.contraction, self.elementwise + other.elementwise)

    def to_dict(self) -> dict[str, int]:
        return {"contraction": self.contraction, "elementwise": self.elementwise}


NO_FLOPS = Flops()


class Contraction(NamedTuple):
    """Sums of products: convolution, linear, matrix product.

    `macs` multiply-and-adds forward. The gradient of each operand is again one contraction of as
    many MACs: for Y = A·B, dA = dY·Bᵀ and dB = Aᵀ·dY run over the same index triples (a convolution
    is such a product over its windows).
    """

    macs: int
    operands: tuple[Operand, ...] = (0, "weight")
    integers: str | None = None
    """The dtype of the first operand where both are integers; None of floats."""

    @property
    def forward(self) -> Flops:
        return Flops(contraction=2 * self.macs)

    def gradient(self, operand: Operand) -> Flops:
        return self.forward if operand in self.operands else NO_FLOPS


class Elementwise(NamedTuple):
    """`operations` a value over `numel` values; `gradients` gives each operand's operations a value."""

    numel: int
    operations: int
    gradients: Mapping[Operand, int]
    what: str = ""

    @property
    def macs(self) -> int:
        return 0

    @property
    def operands(self) -> Iterable[Operand]:
        return self.gradients

    @property
    def forward(self) -> Flops:
        return Flops(elementwise=self.numel * self.operations)

    def gradient(self, operand: Operand) -> Flops:
        operations = self.gradients.get(operand)
        return Flops(elementwise=self.numel * operations) if operations else NO_FLOPS


class Reduction(Elementwise):
    """Like `Elementwise`, over the values read, of which fewer are written (pooling, mean, a norm's sums)."""

    __slots__ = ()


class Gather(Elementwise):
    """Values picked or scattered by index. Free forward; backward may add up what meets in one place."""

    __slots__ = ()


class Copy(Elementwise):
    """Values moved or only renamed (concat, pad, reshape): no arithmetic either way."""

    __slots__ = ()


class Shared(NamedTuple):
    """What backward does once where the gradient of any of `operands` is wanted; nothing in forward."""

    part: Contraction | Elementwise
    operands: tuple[Operand, ...]
    what: str

    @property
    def macs(self) -> int:
        return 0

    @property
    def forward(self) -> Flops:
        return NO_FLOPS

    @property
    def once(self) -> Flops:
        return self.part.forward


Work = Contraction | Elementwise | Shared


def backward(work: Iterable[Work], operands: Collection[Operand], counted: Collection[Operand] = ()) -> Flops:
    """What the gradients of `operands` cost, where those of `counted` are counted elsewhere, and with them what both
    have in common.
    """
    if not operands:
        return NO_FLOPS
    contraction = elementwise = 0
    for part in work:
        if isinstance(part, Shared):
            shared = any(each in operands for each in part.operands) and not any(e in counted for e in part.operands)
            gradients = (part.once,) if shared else ()
        else:
            gradients = [part.gradient(operand) for operand in part.operands if operand in operands]
        for more_contraction, more_elementwise in gradients:
            contraction += more_contraction
            elementwise += more_elementwise
    return Flops(contraction, elementwise)
