"""A row: one layer on given inputs, and what it must come to, worked out by hand.

Rows are data. `by_hand` holds a layer's rules against them; `counted`, `kept`, `temporaries` and `autocast` build each
in torch and hold the same rules against what that does. Sizes are best small distinct primes, so that a wrong factor
cannot hide.
"""

from __future__ import annotations

from dataclasses import dataclass

from archcost.layers.base import Layer
from archcost.tensors import Tensors, TensorType

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """`inputs` are float32 shapes, or TensorTypes for other dtypes; the batch is included.

    `forward`, `backward_input` and `backward_weight` are elementwise FLOPs when every input and weight needs
    its gradient; contraction FLOPs follow from `macs`: 2·macs forward, for the inputs' gradients and for the weights',
    unless `macs_backward_input` or `macs_backward_weight` says otherwise.
    `dtypes` are those of the outputs where they are not the first input's.
    """

    layer: Layer
    inputs: tuple[Shape | TensorType, ...]
    outputs: tuple[Shape, ...]
    parameters: int = 0
    buffers: int = 0
    macs: int = 0
    macs_backward_input: int | None = None
    macs_backward_weight: int | None = None
    forward: int = 0
    backward_input: int = 0
    backward_weight: int = 0
    dtypes: tuple[str, ...] = ()

    @property
    def macs_of_inputs(self) -> int:
        return self.macs if self.macs_backward_input is None else self.macs_backward_input

    @property
    def macs_of_weights(self) -> int:
        return self.macs if self.macs_backward_weight is None else self.macs_backward_weight

    @property
    def input_types(self) -> Tensors:
        return tuple(given if isinstance(given, TensorType) else TensorType(given) for given in self.inputs)

    @property
    def output_types(self) -> Tensors:
        """By the layer's own rule."""
        return self.layer.output_types(self.input_types)

    def __str__(self) -> str:
        fields = self.layer.model_dump(exclude_defaults=True, exclude={"type"})
        settings = ",".join(f"{key}={value}" for key, value in fields.items())
        return f"{self.layer.type}({settings})-{'-'.join(map(str, self.input_types))}"
