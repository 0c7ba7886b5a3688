"""What the other parts of archcost know a layer by: names and classes, and no shape, count or byte.

The mirror in torch, the importers' rules, the exporter, precision, the counters' conventions, times and the docs are
derived from it. A formula has no place here: what a layer costs stands in its rules, and its witness is built by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from archcost.layers.dtypes import Autocast, Outcome
from archcost.terms.time_classes import TimeClass

Counted = Literal[
    "nothing",
    "macs",
    "macs of the first input",
    "batch norm",
    "channel norm",
    "layer norm",
    "input",
    "interpolation",
    "samples",
]
"""What fvcore counts for it, by the rule of that name in archcost/pytorch/conventions.py."""


class Onnx(NamedTuple):
    """An operator of ONNX, and which field of the layer each of its attributes is."""

    operator: str
    attributes: Mapping[str, str] = {}


def onnx(operator: str, **attributes: str) -> Onnx:
    return Onnx(operator, attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """No field has a default: what is left out would be wrong in silence."""

    torch: str | None
    """What torch has for it: a module (`nn.ReLU`), a function (`torch.asinh`, `functional.pad`) or a method, with its
    twin that overwrites (`Tensor.exp`). None where it takes a function of our own, in archcost/pytorch/layers."""
    calls: tuple[str, ...]
    """The names of calls in torch that are this layer, their arguments being its fields in the same order. A call whose
    arguments are to be interpreted has a rule in archcost/importers/torch, under the first of these names."""
    onnx: Onnx | None
    """The operator that is this layer and no other; None where several are, or none."""
    autocast: Autocast
    """What autocast does to inputs and weights."""
    promotion: Outcome
    """Which dtype floating results have where those of the inputs differ."""
    fvcore: Counted
    time: TimeClass
    """What it is in time, unless its sizes make it another."""
    blas: bool
    """Whether it is handed to a library of linear algebra, which has a workspace of its own."""
