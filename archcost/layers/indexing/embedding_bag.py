"""Rows of a learned table looked up and summed in bags."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.card import Card
from archcost.layers.fields import Flag
from archcost.layers.indexing.embedding import INDEX_DTYPES, Table
from archcost.layers.indexing.gather import placing
from archcost.layers.rules import Autograd, Call
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Input, Own, Saved, Stored
from archcost.terms.expressions import Step
from archcost.terms.memory_format import is_row_major
from archcost.work import Elementwise, Gather, Operand, Reduction, Work

SUMMED_AT_ONCE = ("float32", "float16", "bfloat16")
"""Dtypes for which the CPU has a kernel that sums rows without noting the bag of each (is_fast_path)."""


class EmbeddingBag(Table):
    """Integers (bags, n), or (n) and the second input says where each bag begins, → (bags, embedding_dim)
    (torch.nn.EmbeddingBag).

    The rows of a bag are summed, averaged or the largest value of each kept: an operation a value, and a division a
    value of the output for a mean. A further floating input like the integers weighs the rows, for sums alone, with a
    product a value more. `include_last_offset` says that the last offset is the end. Backward adds to the rows, of a
    mean after a division.
    """

    type: Literal["embedding_bag"] = "embedding_bag"
    prefix: ClassVar[str] = "bag"
    card: ClassVar[Card] = placing(None, promotion="weight")
    arity: ClassVar[Arity] = Arity(1, 3)
    mode: Literal["sum", "mean", "max"] = "mean"
    include_last_offset: Flag = False

    def output_types(self, inputs: Tensors) -> Tensors:
        indices = inputs[0]
        self.check_indices(indices)
        if indices.rank not in (1, 2):
            raise ShapeError("needs bags of indices", expected="(bags, n), or (n) and offsets", found=str(indices))
        offsets, weights = self.offsets(inputs), self.row_weights(inputs)
        if (offsets is None) == (indices.rank == 1) or len(inputs) != 1 + (offsets is not None) + (weights is not None):
            raise ShapeError(
                "where bags begin is said by a second axis, or by a list of offsets",
                expected="(bags, n), or (n) and a list of offsets",
                found=" and ".join(map(str, inputs)),
            )
        if weights is not None and (weights.shape != indices.shape or self.mode != "sum"):
            raise ShapeError(
                "weights are those of rows that are summed",
                expected=f"{indices.shape} and mode: sum",
                found=f"{weights} and mode: {self.mode}",
            )
        bags = indices.shape[0] if offsets is None else offsets.numel - self.include_last_offset
        if bags < 1:
            raise ShapeError("there is no bag", expected="offsets of at least one", found=str(offsets))
        return (TensorType((bags, self.embedding_dim), "float32" if weights is None else weights.dtype),)

    def offsets(self, inputs: Tensors) -> TensorType | None:
        """Where the bags begin."""
        given = inputs[1:2]
        return given[0] if given and given[0].dtype in INDEX_DTYPES and given[0].rank == 1 else None

    def row_weights(self, inputs: Tensors) -> TensorType | None:
        return inputs[-1] if len(inputs) > 1 and inputs[-1].is_floating else None

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        read, weighed = inputs[0].numel * self.embedding_dim, self.row_weights(inputs) is not None
        scaled = 1 if self.scale_grad_by_freq else 0
        if self.mode == "max":
            put = Gather(outputs[0].numel, 0, {"weight": 1 + scaled}, "gradient put back at the maximum")
            return (Reduction(read, 1, {}, "maximum of rows"), put)
        gradients: dict[Operand, int] = {"weight": 1 + scaled + (weighed or self.mode == "mean")}
        if weighed:
            gradients[len(inputs) - 1] = 2
        summed = Reduction(read, 2 if weighed else 1, gradients, "rows summed")
        return (summed, Elementwise(outputs[0].numel, 1, {}, "divided")) if self.mode == "mean" else (summed,)

    def autograd(self, call: Call) -> Autograd:
        """What the operator returns beside the sums is kept: the bag of each row, how many rows a bag has, and which
        row was the largest (aten/src/ATen/native/EmbeddingBag.cpp).
        """
        return Autograd(tuple(self._kept(call)), call.inputs, saves_for_nobody=True)

    def _kept(self, call: Call) -> Iterator[Saved]:
        indices, bags = call.source, call.result.shape[0]
        yield self._listed(call, 0)
        offsets = self.offsets(call.inputs)
        yield Own("offsets", TensorType((bags,), indices.dtype)) if offsets is None else Input(1)
        weights = len(call.inputs) - 1
        if self.row_weights(call.inputs) is not None:
            yield self._listed(call, weights)
            if call.needs(weights):
                yield Stored("weight")
        fast = self.mode == "sum" and self.padding_idx is None and call.result.dtype in SUMMED_AT_ONCE
        if not (fast and call.setting.device == "cpu"):
            spare = 1 if call.setting.device == "cpu" else 0
            yield Own("bag of each row", TensorType((indices.numel + spare,), indices.dtype))
        yield Own("rows of each bag", TensorType((bags + self.include_last_offset,), indices.dtype))
        spare = 0 if call.setting.needs else self.include_last_offset
        largest = call.result.shape if self.mode == "max" else (bags + spare,)
        yield Own("largest rows", TensorType(largest, indices.dtype))

    def _listed(self, call: Call, index: int) -> Saved:
        """The input, one value behind the other: where they do not lie so, a copy."""
        tensor = call.inputs[index]
        if is_row_major(tensor.shape, call.setting.layout(index)):
            return Input(index)
        return Own(f"input {index} in order", TensorType((tensor.numel,), tensor.dtype))

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        values = {"rows": self.num_embeddings, "features": self.embedding_dim}
        bags = Step("output axis 0", "bags", {"bags": outputs[0].shape[0]}, "a sum for each")
        axis = Step("output axis 1", "features", values, "a row of the table for each index")
        return (bags, axis, Step("parameters", "rows*features", values))
