"""Modules that torch composes of several operations, written out as the layers that torch runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.attention.scaled_dot_product import ScaledDotProductAttention
from archcost.layers.base import Composite, Layer
from archcost.layers.checks import require_rank
from archcost.layers.fields import Flag, Reference, Size
from archcost.layers.linear import Linear
from archcost.layers.parameter import Parameter
from archcost.layers.shape.copy import Contiguous
from archcost.layers.shape.reshape import Flatten, Unflatten
from archcost.layers.shape.split import Split
from archcost.layers.shape.views import Permute, Select, Transpose
from archcost.tensors import TensorType
from archcost.terms.memory_format import Shape

QUERY, KEY, VALUE = "query", "key", "value"


def check_attended(inputs: tuple[Reference, ...]) -> tuple[Reference, ...]:
    """One name where query, key and value are one tensor."""
    if len(inputs) not in (0, 1, 3):
        raise PydanticCustomError("attended", "Input should be one input, or three: query, key and value")
    return inputs[: len(set(inputs))] if len(set(inputs)) == 1 else inputs


class MultiHeadAttention(Composite):
    """`num_heads` attentions side by side, on projections of (B, T, E) (torch.nn.MultiheadAttention, no weights asked).

    The weight of the three projections is packed (3·E, E). What is one input is projected by one product, its parts put
    side by side by a copy: all three where something attends to itself, key and value where it attends to another. With
    three inputs each has a product of its own. Then attention, and a product that joins the heads. Inside, positions
    stand before the batch; `batch_first: true` has them behind it outside.
    """

    type: Literal["multi_head_attention"] = "multi_head_attention"
    prefix: ClassVar[str] = "attn"
    positional: ClassVar[tuple[str, ...]] = ("num_heads",)
    most_parts: ClassVar[int] = 24
    inputs: Annotated[tuple[Reference, ...], AfterValidator(check_attended)] = ()
    num_heads: Size
    dropout: Annotated[float, Field(strict=True, ge=0, lt=1)] = 0.0
    bias: Flag = True
    batch_first: Flag = True
    is_causal: Flag = False

    def parts(self, shape: Shape) -> tuple[Layer, ...]:
        require_rank(TensorType(shape), 3, "(batch, positions, features)")
        features = shape[-1]
        if features % self.num_heads:
            raise ShapeError(
                "num_heads does not divide the features",
                expected=f"a divisor of {features}",
                found=str(self.num_heads),
            )
        return tuple(self._parts(features))

    def sketch(self) -> tuple[Layer, ...]:
        return tuple(self._parts(self.num_heads))

    def _parts(self, features: int) -> Iterator[Layer]:
        if len(self.inputs) < 3:
            yield from self._of_itself(features)
        else:
            yield from self._of_another(features)
        yield ScaledDotProductAttention(
            name="attention", dropout_p=self.dropout, is_causal=self.is_causal, inputs=(QUERY, KEY, VALUE)
        )
        yield Permute(name="heads_last", dims=(2, 0, 1, 3), inputs=("attention",))
        yield Flatten(name="joined", start_dim=2, inputs=("heads_last",))
        yield Linear(name="out_proj", out_features=features, bias=self.bias, inputs=("joined",))
        if self.batch_first:
            yield Transpose(name="batch_first", dim0=0, dim1=1, inputs=("out_proj",))

    def _of_itself(self, features: int) -> Iterator[Layer]:
        yield from self._positions_first("positions", "input")
        source = "positions" if self.batch_first else "input"
        yield Linear(name="in_proj", out_features=3 * features, bias=self.bias, inputs=(source,))
        yield from self._pieces("in_proj", features, QUERY, KEY, VALUE)

    def _of_another(self, features: int) -> Iterator[Layer]:
        """Pieces of the packed weight, each for what it projects."""
        is_packed = self.inputs[1] == self.inputs[2]
        names = (QUERY, "memory") if is_packed else (QUERY, KEY, VALUE)
        sources = ["input", "input:1", "input:2"][: len(names)]
        for name, source in zip(names, sources, strict=True):
            yield from self._positions_first(f"{name}_positions", source)
        sizes = (features, 2 * features) if is_packed else (features,) * 3
        yield Parameter(name="in_proj", shape=(3 * features, features))
        if self.bias:
            yield Parameter(name="in_proj_bias", shape=(3 * features,))
        yield Split(name="weights", split_size=sizes, dim=0, inputs=("in_proj",))
        if self.bias:
            yield Split(name="biases", split_size=sizes, dim=0, inputs=("in_proj_bias",))
        for index, (name, size) in enumerate(zip(names, sizes, strict=True)):
            given = {"weight": f"weights:{index}"} | ({"bias": f"biases:{index}"} if self.bias else {})
            source = f"{name}_positions" if self.batch_first else sources[index]
            yield Linear(name=f"{name}_proj", out_features=size, bias=self.bias, given=given, inputs=(source,))
        if is_packed:
            yield from self._heads(QUERY, "query_proj")
            yield from self._pieces("memory_proj", features, KEY, VALUE)
            return
        for name in names:
            yield from self._heads(name, f"{name}_proj")

    def _positions_first(self, name: str, source: str) -> Iterator[Layer]:
        if self.batch_first:
            yield Transpose(name=name, dim0=0, dim1=1, inputs=(source,))

    def _pieces(self, projected: str, features: int, *names: str) -> Iterator[Layer]:
        """Of one product, side by side."""
        yield Unflatten(name="pieces", dim=-1, unflattened_size=(len(names), features), inputs=(projected,))
        yield Permute(name="apart", dims=(2, 0, 1, 3), inputs=("pieces",))
        yield Contiguous(name="packed", inputs=("apart",))
        for index, name in enumerate(names):
            yield Select(name=f"{name}_rows", index=index, dim=0, inputs=("packed",))
            yield from self._heads(name, f"{name}_rows")

    def _heads(self, name: str, source: str) -> Iterator[Layer]:
        """(T, B, E) → (B, H, T, E/H)."""
        yield Unflatten(name=f"{name}_heads", dim=-1, unflattened_size=(self.num_heads, -1), inputs=(source,))
        yield Permute(name=name, dims=(1, 2, 0, 3), inputs=(f"{name}_heads",))
