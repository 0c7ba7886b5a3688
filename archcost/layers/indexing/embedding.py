"""Look-up of rows in a learned table."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.fields import MAX_SIZE, Flag, Size, WeightReference
from archcost.layers.indexing.gather import placing
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT
from archcost.terms.expressions import Step
from archcost.work import Gather, Work

INDEX_DTYPES = ("int64", "int32")


class Table(WeightedLayer):
    """A learned table, whose rows are looked up. Backward adds to the rows that were picked, and divides by how often
    each was with `scale_grad_by_freq`.
    """

    positional: ClassVar[tuple[str, ...]] = ("num_embeddings", "embedding_dim")

    num_embeddings: Size
    embedding_dim: Size
    padding_idx: Annotated[int, Field(strict=True, ge=-MAX_SIZE, le=MAX_SIZE)] | None = None
    weight: WeightReference | None = None
    scale_grad_by_freq: Flag = False
    sparse: Flag = False

    @property
    def assumption(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return "the gradient of a table is as large as the table, though torch holds it sparse" if self.sparse else ""

    @property
    def shared_weight(self) -> str | None:
        return self.weight

    def check_indices(self, indices: TensorType) -> None:
        if indices.dtype not in INDEX_DTYPES:
            raise ShapeError("needs indices", expected=" or ".join(INDEX_DTYPES), found=indices.dtype)
        rows = self.num_embeddings
        if self.padding_idx is not None and not -rows <= self.padding_idx < rows:
            raise ShapeError(
                "padding_idx is out of range", expected=f"a row from {-rows} to {rows - 1}", found=str(self.padding_idx)
            )

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        return (Weight("weight", (self.num_embeddings, self.embedding_dim), dtype="float32"),)

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """An index has no features, so the axes do not correspond."""
        return


class Embedding(Table):
    """Integers (…) → (…, embedding_dim); weight (num_embeddings, embedding_dim) (torch.nn.Embedding).

    The row at `padding_idx` gets no gradient; its weights count all the same, as torch counts them. The gradient is a
    table like the weight, most of it zeros; with `sparse` torch holds it smaller, which is not followed.
    """

    type: Literal["embedding"] = "embedding"
    prefix: ClassVar[str] = "emb"
    card: ClassVar[Card] = placing(None, "embedding", promotion="weight")

    def output_types(self, inputs: Tensors) -> Tensors:
        self.check_indices(inputs[0])
        return (TensorType((*inputs[0].shape, self.embedding_dim)),)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """Nothing is computed; backward adds every value to its row."""
        return (Gather(outputs[0].numel, 0, {"weight": 2 if self.scale_grad_by_freq else 1}, "rows picked"),)

    def autograd(self, call: Call) -> Autograd:
        return Autograd((INPUT,), call.inputs)

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = {"rows": self.num_embeddings, "features": self.embedding_dim}
        axis = Step(f"output axis {inputs[0].rank}", "features", values, "a row of the table for each index")
        return (axis, Step("parameters", "rows*features", values))
