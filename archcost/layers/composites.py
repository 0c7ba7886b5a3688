"""Modules that torch composes of several operations, written out as the layers that torch runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from archcost.errors import ShapeError
from archcost.layers.attention import ScaledDotProductAttention
from archcost.layers.base import Composite, Flag, Layer, Reference, Size, require_rank
from archcost.layers.copies import Contiguous
from archcost.layers.linear import Linear
from archcost.layers.reshaping import Flatten, Permute, Unflatten
from archcost.layers.views import Select, Transpose
from archcost.layouts import Shape
from archcost.tensors import TensorType

HEADS = ("query", "key", "value")


def check_attended(inputs: tuple[Reference, ...]) -> tuple[Reference, ...]:
    if len(set(inputs)) > 1:
        raise PydanticCustomError("attended", "Input should be one input, which attends to itself")
    return inputs[:1]


class MultiHeadAttention(Composite):
    """`num_heads` attentions side by side, on projections of (B, T, E) (torch.nn.MultiheadAttention, no weights asked).

    Query, key and value are one input. In torch's order: one product for the three projections (3·E features), their
    axes put apart by a copy, attention, and a product that joins the heads. Positions go before the batch inside, as
    `batch_first: true` has them after it outside.
    """

    type: Literal["multi_head_attention"] = "multi_head_attention"
    prefix: ClassVar[str] = "attn"
    most_parts: ClassVar[int] = 19
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
        source = "input"
        if self.batch_first:
            yield Transpose(name="positions_first", dim0=0, dim1=1, inputs=("input",))
            source = "positions_first"
        yield Linear(name="in_proj", out_features=3 * features, bias=self.bias, inputs=(source,))
        yield Unflatten(name="three", dim=-1, unflattened_size=(3, features), inputs=("in_proj",))
        yield Permute(name="apart", dims=(2, 0, 1, 3), inputs=("three",))
        yield Contiguous(name="packed", inputs=("apart",))
        for index, name in enumerate(HEADS):
            yield Select(name=f"{name}_rows", index=index, dim=0, inputs=("packed",))
            yield Unflatten(
                name=f"{name}_heads", dim=-1, unflattened_size=(self.num_heads, -1), inputs=(f"{name}_rows",)
            )
            yield Permute(name=name, dims=(1, 2, 0, 3), inputs=(f"{name}_heads",))
        yield ScaledDotProductAttention(
            name="attention", dropout_p=self.dropout, is_causal=self.is_causal, inputs=HEADS
        )
        yield Permute(name="heads_last", dims=(2, 0, 1, 3), inputs=("attention",))
        yield Flatten(name="joined", start_dim=2, inputs=("heads_last",))
        yield Linear(name="out_proj", out_features=features, bias=self.bias, inputs=("joined",))
        if self.batch_first:
            yield Transpose(name="batch_first", dim0=0, dim1=1, inputs=("out_proj",))
