"""Sections of a spec beside its layers: published figures, and what the module does by itself around some of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from archcost.layers.fields import Flag, Name

FROZEN = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, defer_build=True)

Text = Annotated[str, StringConstraints(strict=True, max_length=10_000)]


def check_figure(value: Any) -> int | str:
    if (type(value) is int and value >= 0) or (isinstance(value, str) and len(value) <= 40):
        return value
    raise PydanticCustomError("figure", "Input should be an integer, or text such as 138 M")


Figure = Annotated[int | str, BeforeValidator(check_figure)]
Percent = Annotated[float, Field(strict=True, ge=0, le=100)]


class Published(BaseModel):
    """Figures as printed in `source`. A count is an exact integer, or text with the digits as printed: 138 M."""

    model_config = FROZEN

    parameters: Figure | None = None
    macs: Figure | None = None
    top1_error: Percent | None = None
    top5_error: Percent | None = None
    source: Text | None = None


class Region(BaseModel):
    """Layers from `first` to `last`, in order of execution, which the module itself runs under another autocast.

    `off` is none. `float32` is one of torch's own: a call of several operators that autocast takes as one, and copies
    in float32 what it is given in 16 bits; within it nothing is cast. With `device` it is the autocast of that device
    alone.
    """

    model_config = FROZEN

    first: Name
    last: Name
    dtype: Literal["off", "bfloat16", "float16", "float32"]
    device: Literal["cpu", "cuda"] | None = None


class Checkpoint(BaseModel):
    """Layers from `first` to `last`, in order of execution, that the module itself computes again in backward.

    That is torch.utils.checkpoint; `reentrant` is its `use_reentrant`.
    """

    model_config = FROZEN

    first: Name
    last: Name
    reentrant: Flag = False
