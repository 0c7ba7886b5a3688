"""Inputs of a network: their sizes, and which axis of each is the batch, if any is."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, FailFast, Field, GetPydanticSchema, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError, core_schema

from archcost.errors import SpecError, shorten
from archcost.files.values import Path, spell
from archcost.layers.fields import MAX_SIZE, Dtype, Flag, Size
from archcost.spec.evaluation import Evaluation, Values
from archcost.spec.values import has_expression
from archcost.tensors import TensorType

BATCH: Literal["B"] = "B"
"""Stands in a shape for the axis of the batch."""

MOST_AXES = 63
"""Torch's tensors have at most 64 axes, of which the batch takes one."""


def _size_or_word(value: Any, check: core_schema.ValidatorFunctionWrapHandler) -> Any:
    return value if value == BATCH or has_expression(value) else check(value)


AxisSize = Annotated[
    int | str,
    # No union: a mistake is told of the size, and not of each thing that could stand there.
    GetPydanticSchema(
        lambda _, schema_of: core_schema.no_info_wrap_validator_function(
            _size_or_word,
            schema_of(Size),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )
    ),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": MAX_SIZE},
                {"const": BATCH},
                {"type": "string", "pattern": "\\$"},
            ]
        }
    ),
]


class InputSpec(BaseModel):
    """Shape of one sample, and dtype by torch's name. The batch comes first, or where a `B` stands among the sizes.

    A size may be an expression over the network's parameters, such as `$tokens`: `spec.inputs` has them worked out.
    With `batched: false` the shape is the whole tensor's, whatever the batch: the edges of a graph, a shared mask.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

    shape: Annotated[tuple[AxisSize, ...], FailFast(), Field(max_length=MOST_AXES)]
    dtype: Dtype = "float32"
    batched: Flag = True

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        places = self.shape.count(BATCH)
        if places > 1:
            raise PydanticCustomError("batch_axis", "Input should have B, the axis of the batch, at most once")
        if places and not self.batched:
            raise PydanticCustomError("batch_axis", "Input should be without batched: false, or without B in its shape")
        return self

    @property
    def batch_axis(self) -> int | None:
        """The axis of the batch in the whole tensor; None where it has no batch."""
        if not self.batched:
            return None
        return self.shape.index(BATCH) if BATCH in self.shape else 0

    @property
    def has_expression(self) -> bool:
        """Whether a size waits for the network's parameters."""
        return any(has_expression(size) for size in self.shape)

    @property
    def declared_sizes(self) -> tuple[int | str, ...]:
        """The sizes of one sample, or of the whole tensor where it has no batch, as written."""
        return tuple([size for size in self.shape if size != BATCH])

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of one sample, or of the whole tensor where it has no batch. Raises SpecError for expressions."""
        sizes = self.declared_sizes
        for size in sizes:
            if isinstance(size, str):
                raise SpecError("a size waits for the network's parameters", expected="spec.inputs", found=size)
        return tuple([size for size in sizes if isinstance(size, int)])

    def filled(self, evaluation: Evaluation, values: Values, path: Path) -> InputSpec:
        """The input with its expressions worked out; it stands at `path` in its file. Raises SpecError."""
        shape: list[int | str] = []
        for axis, size in enumerate(self.shape):
            place = (*path, "shape", axis)
            found = evaluation.fill(size, values, str(path[-1]), place) if has_expression(size) else size
            if found is not size and (type(found) is not int or not 1 <= found <= MAX_SIZE):
                raise evaluation.refuse(
                    place,
                    "wrong size of an input",
                    str(path[-1]),
                    expected=f"an integer from 1 to {MAX_SIZE:,}",
                    found=f"{spell(found)}, from {shorten(size)}",
                )
            shape.append(found if isinstance(found, int) else size)
        return self.model_copy(update={"shape": tuple(shape)})

    def with_sizes(self, sizes: tuple[int | str, ...]) -> InputSpec:
        """The input with other sizes, of which there must be as many."""
        axis = self.shape.index(BATCH) if BATCH in self.shape else None
        shape: tuple[int | str, ...] = sizes if axis is None else (*sizes[:axis], BATCH, *sizes[axis:])
        return InputSpec(shape=shape, dtype=self.dtype, batched=self.batched)

    def tensor(self, batch: int) -> TensorType:
        """The whole tensor of `batch` samples."""
        axis, sizes = self.batch_axis, self.sizes
        return TensorType(sizes if axis is None else (*sizes[:axis], batch, *sizes[axis:]), self.dtype)

    @classmethod
    def of(cls, tensor: TensorType, batch_axis: int | None) -> InputSpec:
        """The input that a whole tensor is an example of. Raises ValidationError for what cannot be an input."""
        sizes: tuple[int | str, ...] = tensor.shape
        if batch_axis is not None:
            place = (BATCH,) if batch_axis else ()
            sizes = (*sizes[:batch_axis], *place, *sizes[batch_axis + 1 :])
        return cls(shape=sizes, dtype=tensor.dtype, batched=batch_axis is not None)
