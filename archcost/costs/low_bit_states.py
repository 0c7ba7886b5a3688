"""Optimizers that keep their states in 8 or 4 bits, with a scale for each block of values.

bitsandbytes 0.50 (bitsandbytes/optim/optimizer.py; Dettmers et al. 2021, arXiv 2110.02861) quantises those of 4,096
values or more, in blocks of 256, and keeps the others in float32. torchao 0.18 (torchao/optim) does so where
the values make whole blocks, and keeps the others in the parameter's dtype; each state has a table of codes of its own.
States of both are measured; bitsandbytes' steps on a CPU by the profiler, its CUDA kernels are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from archcost.costs.optimizer_locals import Burst
from archcost.passes.optimizer import Method, Optimizer
from archcost.tensors import TensorType
from archcost.terms.autograd import Device, Own

LEAST_QUANTISED = 4096
"""A parameter with fewer values keeps its states in more bits (`min_8bit_size` of bitsandbytes; torchao the same)."""

LEAST_PAGED = 100_000
"""Of values of a parameter whose states bitsandbytes puts into memory that is paged (`get_state_buffer`)."""

TWO, MOMENTUM = ("first moment", "second moment"), ("momentum",)


class LowBit(NamedTuple):
    """How an optimizer keeps its states. `table` are the entries of a table of codes, none of which fp8 has."""

    moments: tuple[str, ...]
    block: int
    bits: Literal[4, 8]
    table: int
    library: Literal["bitsandbytes", "torchao"]


KEPT: Mapping[Optimizer, LowBit] = {
    "adam-8bit": LowBit(TWO, 256, 8, 256, "bitsandbytes"),
    "adamw-8bit": LowBit(TWO, 256, 8, 256, "bitsandbytes"),
    "lion-8bit": LowBit(MOMENTUM, 256, 8, 256, "bitsandbytes"),
    "sgd-8bit": LowBit(MOMENTUM, 256, 8, 256, "bitsandbytes"),
    "rmsprop-8bit": LowBit(("second moment",), 256, 8, 256, "bitsandbytes"),
    "adagrad-8bit": LowBit(("sum of squares",), 256, 8, 256, "bitsandbytes"),
    "adam-4bit": LowBit(TWO, 128, 4, 16, "torchao"),
    "adamw-4bit": LowBit(TWO, 128, 4, 16, "torchao"),
    "adam-fp8": LowBit(TWO, 256, 8, 0, "torchao"),
    "adamw-fp8": LowBit(TWO, 256, 8, 0, "torchao"),
}


def low_bit(asked: Method) -> LowBit | None:
    """None of an optimizer that keeps its states in full."""
    found = KEPT.get(asked.name)
    return found._replace(library="torchao") if found and "torchao" in asked.options else found


def is_quantised(kept: LowBit, parameter: TensorType) -> bool:
    """Whether the states of that parameter are, which has enough values."""
    whole = kept.library == "bitsandbytes" or parameter.numel % kept.block == 0
    return parameter.numel >= LEAST_QUANTISED and whole


def low_bit_state(kept: LowBit, parameter: TensorType, device: Device) -> tuple[Own, ...]:
    """What stays for one parameter. torchao's counter of steps is on the CPU."""
    counter = (Own("step", TensorType(())),) if kept.library == "torchao" and device == "cpu" else ()
    if not is_quantised(kept, parameter):
        as_given = parameter if kept.library == "torchao" else parameter._replace(dtype="float32")
        return (*counter, *(Own(moment, as_given) for moment in kept.moments))
    codes = TensorType(parameter.shape, "uint8") if kept.bits == 8 else TensorType((parameter.numel // 2,), "uint8")
    if not kept.table:
        codes = codes._replace(dtype="float8_e4m3fn")
    own = [Own(moment, codes) for moment in kept.moments]
    own += [Own(f"scales of the {moment}", scales(parameter, kept.block)) for moment in kept.moments]
    if kept.library == "torchao" and kept.table:
        own += [Own(f"codes of the {moment}", TensorType((kept.table,))) for moment in kept.moments]
    return (*counter, *own)


def tables(kept: LowBit, parameters: Sequence[TensorType]) -> tuple[Own, ...]:
    """The tables of codes that all parameters of an optimizer share, if anything is quantised."""
    if kept.library == "torchao" or not any(is_quantised(kept, parameter) for parameter in parameters):
        return ()
    return tuple([Own(f"codes of the {moment}", TensorType((kept.table,))) for moment in kept.moments])


GRADIENT = ("gradient in float32",)
COPIES: Mapping[Optimizer, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "adam": (("update", "divisor"), ("first moment", "second moment", "root of the second moment", "divisor")),
    "lion": (("update", "sign"), ("momentum", "momentum times β1", "gradient times 1 - β1", "update")),
    "sgd": ((), ("momentum",)),
    "rmsprop": (("update", "divisor"), ("second moment", "divisor")),
    "adagrad": (("update", "divisor"), ("sum of squares", "divisor")),
}
"""What bitsandbytes' CPU kernels (bitsandbytes/backends/cpu/ops.py) have in float32 at the worst moment beside the
gradient and, where it is in 16 bits, the weight: of states in 32 bits, and of quantised ones."""


def step_on_cpu(asked: Method, parameters: Sequence[TensorType], device: Device) -> Iterable[Burst]:
    """Nothing on CUDA, where a kernel does it all, and nothing of torchao's step, which is compiled. On a CPU copies in
    float32, which a dispatch mode does not see, since one operator makes them; the profiler's memory events do.
    """
    kept = low_bit(asked)
    if device == "cuda" or (kept is not None and kept.library == "torchao"):
        return
    word = asked.name.removesuffix("-8bit").replace("adamw", "adam")
    in_full, in_few = COPIES[word]  # pyright: ignore[reportArgumentType]
    for index, parameter in enumerate(parameters):
        wide = parameter._replace(dtype="float32")
        few = kept is not None and is_quantised(kept, parameter)
        names = [*GRADIENT, *(in_few if few else in_full)]
        if parameter.dtype != "float32":
            names.append("weight in float32")
        own = [Own(name, wide) for name in names]
        if few and word == "sgd":  # what is quantised, before it is copied
            own += [Own("new codes", parameter._replace(dtype="uint8")), Own("new scales", scales(parameter, 256))]
        yield Burst(index, tuple(own))


def scales(parameter: TensorType, block: int) -> TensorType:
    """One for each block of values."""
    return TensorType((-(-parameter.numel // block),))


def is_paged(asked: Method, parameter: TensorType, device: Device) -> bool:
    """Whether what is kept in the parameter's shape lies in memory that is paged; on a CPU nothing does."""
    return "paged" in asked.options and parameter.numel >= LEAST_PAGED and device == "cuda"
