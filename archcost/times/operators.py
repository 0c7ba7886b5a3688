"""The distinct operators of a step: what has to be timed once for a network's own time to be known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from archcost.costs.program import Op
from archcost.costs.timeline import Timeline
from archcost.hardware.calibration import Calibration, Measured
from archcost.layers import Layer
from archcost.layers.base import WeightedLayer
from archcost.tensors import Tensors
from archcost.terms.memory_format import Layout

WIRING = frozenset(WeightedLayer.model_fields)
"""Fields that say where a layer stands, and not what it does."""


@dataclass(frozen=True)
class Operator:
    """A layer on given tensors. `needs` are its operands that need a gradient: inputs by index, weights by name."""

    layer: Layer
    inputs: Tensors
    layouts: tuple[Layout, ...] = ()
    needs: frozenset[int | str] = frozenset()
    trains: bool = True

    @cached_property
    def key(self) -> str:
        """A text that is the same for layers that take the same time: fields, tensors, gradients, settings."""
        layer = self.layer
        fields = layer.model_dump(mode="json", exclude_defaults=True, exclude=set(WIRING))
        words = [f"{name}={json.dumps(value)}" for name, value in sorted(fields.items())]
        layouts = self.layouts or (None,) * len(self.inputs)
        for tensor, layout in zip(self.inputs, layouts, strict=True):
            words.append(str(tensor) if layout is None else f"{tensor} strides {'×'.join(map(str, layout))}")
        if self.needs:
            words.append(f"gradients of {','.join(sorted(map(str, self.needs)))}")
        return " ".join([layer.type, *words, "train" if self.trains else "infer"])


def operators(line: Timeline) -> Mapping[str, Operator]:
    """The distinct operators of a step, by layer. Layers whose weights others compute are left out."""
    return {op.name: _operator(op, line) for op in line.program.ops if not op.is_copy and not op.node.given}


def measured(line: Timeline, calibration: Calibration | None) -> Mapping[str, Measured]:
    """The times that the calibration has for the very layers of this step, by layer."""
    if calibration is None or not calibration.operators:
        return {}
    known = calibration.operators
    return {name: known[each.key] for name, each in operators(line).items() if each.key in known}


def _operator(op: Op, line: Timeline) -> Operator:
    node = op.node
    needs = frozenset(op.operands) if op.gives else frozenset[int | str]()
    return Operator(node.layer, node.input_types, op.layouts, needs, line.run.trains)
