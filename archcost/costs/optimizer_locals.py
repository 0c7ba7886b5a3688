"""What lives while an optimizer's step runs: its local variables, and the names that torch gives them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archcost.passes.optimizer import Option
from archcost.tensors import TensorType
from archcost.terms.autograd import Device, Own

Options = frozenset[Option]

SCALAR = TensorType(())


class Burst(NamedTuple):
    """Tensors alive together at the worst moment of a part of a step, beyond weights, gradients and state.

    The part is the update of the parameter of that index, or, when `parameter` is None, of all at once.
    """

    parameter: int | None
    tensors: tuple[Own, ...]

    @property
    def nbytes(self) -> int:
        return sum([own.tensor.nbytes for own in self.tensors])


class Locals:
    """The local variables of a step, which hold its temporaries.

    A name that is bound again lets go of its old tensors only when the new ones are there; one that is never
    dropped holds its tensors while the next parameter, or group of parameters, is worked on.
    """

    def __init__(self) -> None:
        self.bound: dict[str, tuple[Own, ...]] = {}
        self.worst: tuple[Own, ...] = ()
        self.most = 0
        self.live = 0

    def moment(self, *passing: Own) -> None:
        """These live for a moment beside what is bound."""
        nbytes = self.live + nbytes_of(passing)
        if nbytes > self.most:
            self.most = nbytes
            self.worst = (*(own for held in self.bound.values() for own in held), *passing)

    def bind(self, name: str, tensors: Iterable[Own]) -> None:
        new = tuple(tensors)
        self.moment(*new)
        self.drop(name)
        self.bound[name] = new
        self.live += nbytes_of(new)

    def drop(self, name: str) -> None:
        self.live -= nbytes_of(self.bound.pop(name, ()))

    def rename(self, name: str, new: str) -> None:
        """What `new` held goes."""
        self.drop(new)
        self.bound[new] = self.bound.pop(name)

    def burst(self, parameter: int | None) -> Burst:
        """The worst since the burst before."""
        worst, self.worst, self.most = self.worst, (), 0
        return Burst(parameter, worst)


def nbytes_of(tensors: Iterable[Own]) -> int:
    return sum([own.tensor.nbytes for own in tensors])


def groups(parameters: Sequence[TensorType]) -> list[list[TensorType]]:
    """The parameters by dtype, as foreach processes them, the dtype seen last first.

    That is the order of libstdc++'s unordered_map, which torch collects them in (aten/src/ATen/native/ForeachUtils.h);
    it matters only where there are several.
    """
    groups: dict[str, list[TensorType]] = {}
    for parameter in parameters:
        groups.setdefault(parameter.dtype, []).append(parameter)
    return list(reversed(groups.values()))


def count_up(local: Locals, device: Device) -> None:
    if device == "cpu":
        local.moment(Own("one", SCALAR))


def all_of(what: str, parameters: Iterable[TensorType]) -> list[Own]:
    return [Own(what, parameter) for parameter in parameters]


def decay(local: Locals, options: Options, parameters: Sequence[TensorType]) -> None:
    """`grad = grad.add(param, alpha=weight_decay)`, after the name was bound to the gradients themselves."""
    local.drop("grad")
    if "weight_decay" in options:
        local.bind("grad", all_of("gradient with decay", parameters))
