"""Modules that cannot be followed: scripted, compiled or quantised, or with weights or sizes that no spec can have."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from archcost.errors import ArchcostError
from archcost.importers.identity import type_of
from archcost.importers.meta_weights import modules_of
from archcost.importers.tensor_subclasses import weights_of
from archcost.importers.torch.proposal import SAMPLES, samples_in
from archcost.spec.model import InputSpec
from archcost.tensors import COMPUTED_BYTES, FLOAT8_BYTES, STORED


def require_python(module: nn.Module) -> None:
    """Raises ArchcostError for scripted, compiled and quantised modules, whose calls or weights cannot be seen."""
    for path, each in modules_of(module):
        if type(each).__module__.startswith("torch.ao.nn.quantized"):
            raise ArchcostError(
                "a quantised module of torch keeps its weights packed out of sight",
                expected="the module as it was before, or weights in tensors of integers",
                found=f"{type(each).__module__}.{type(each).__name__}",
                layer=path or None,
            )
        compiled = type(each).__name__ == "OptimizedModule" or getattr(each, "_compiled_call_impl", None) is not None
        if compiled or isinstance(each, torch.jit.ScriptModule):
            raise ArchcostError(
                f"a {'compiled' if compiled else 'scripted'} module runs out of sight",
                expected=f"the module as it was before {'torch.compile' if compiled else 'torch.jit'}",
                found=type(each).__name__,
                layer=path or None,
            )


def require_known_dtypes(module: nn.Module) -> None:
    """Raises ArchcostError for weights of dtypes that a spec cannot declare."""
    known = {*COMPUTED_BYTES, *STORED}
    for name, each in weights_of(module):
        kind = type_of(each)
        if kind.dtype not in known or (kind.dtype in FLOAT8_BYTES and each.requires_grad):
            found = f"{kind}{', trained' if kind.dtype in FLOAT8_BYTES else ''}"
            raise ArchcostError(f"{name} cannot be declared", expected=", ".join(COMPUTED_BYTES), found=found)


def require_other_sizes(module: nn.Module, examples: Mapping[str, InputSpec]) -> None:
    """Raises ArchcostError for a size that is a multiple of SAMPLES, and so could not be told from the batch."""
    shapes: dict[str, tuple[int, ...]] = {f"input {name}": example.sizes for name, example in examples.items()}
    shapes |= {name: tuple(each.shape) for name, each in weights_of(module)}
    for name, shape in shapes.items():
        if any(map(samples_in, shape)):
            raise ArchcostError(
                f"{name} has a size that cannot be told from the batch",
                expected=f"no multiple of {SAMPLES:,}, the batch that the module is run with",
                found=" × ".join(map(str, shape)),
                hint="another size, put right in the spec that is saved",
            )
