"""The example inputs of a module: their names and batch axes, and the inputs that the module is run with instead."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from archcost.errors import ArchcostError, listing, nearest, shorten
from archcost.importers.naming import clean
from archcost.importers.output_tensors import flat_tensors
from archcost.importers.recorded import Entry
from archcost.importers.torch.proposal import SAMPLES
from archcost.layers.shape.views import Select
from archcost.spec.model import InputSpec
from archcost.tensors import COMPUTED_BYTES, TensorType, declared

BatchAxes = Mapping[int, int | None]
"""Batch axes by the identity of a tensor; None means no batch. For a tensor that is left out it is axis 0."""


class Example(NamedTuple):
    """Example inputs: as the spec declares them, the batch axis of each tensor, and the arguments as given."""

    inputs: Mapping[str, InputSpec]
    places: BatchAxes
    given: Sequence[Any]
    named: Mapping[str, Any]

    def samples(self, dtype: torch.dtype = torch.float32) -> tuple[Any, Any]:
        """The arguments with `SAMPLES` samples: floats on the meta device in `dtype`, and integers with the values of
        the first sample, since a module may look at them (a mask, padding tokens, the edges of a graph).
        """
        return self._sampled(self.given, dtype), self._sampled(self.named, dtype)

    def _sampled(self, value: Any, dtype: torch.dtype) -> Any:
        if isinstance(value, Tensor):
            return _with_samples(value, self.places[id(value)], dtype)
        if isinstance(value, Mapping):
            return {key: self._sampled(entry, dtype) for key, entry in cast("Mapping[Any, Any]", value).items()}
        if not isinstance(value, (list, tuple)):
            return value
        entries = [self._sampled(entry, dtype) for entry in cast("Sequence[Any]", value)]
        return entries if isinstance(value, list) else tuple(entries)


def batch_assumptions(entries: Sequence[Entry], inputs: Mapping[str, InputSpec]) -> tuple[str, ...]:
    """The assumption about each input from which forward selects one sample: that it does have a batch."""
    names: dict[str, None] = {}
    for entry in entries:
        layer, source = entry.layer, next(iter(entry.reads), None)
        given = inputs.get(str(source.key)) if source is not None and source.kind == "input" else None
        if isinstance(layer, Select) and given is not None and given.batched:
            rank = len(given.sizes) + 1
            if layer.dim % rank == given.batch_axis:
                names[str(source.key) if source is not None else ""] = None
    return tuple(f"axis {inputs[name].batch_axis} of {name} is the batch ({_or_unbatched(name)})" for name in names)


def _or_unbatched(name: str) -> str:
    return f'forward picks one of its samples; without a batch it is unbatched=["{name}"]'


def _with_samples(tensor: Tensor, axis: int | None, dtype: torch.dtype) -> Tensor:
    shape = list(tensor.shape)
    if axis is not None:
        shape[axis] = SAMPLES
    if tensor.is_floating_point() or tensor.is_complex():
        dtype = torch.complex64 if tensor.is_complex() else dtype
        return torch.empty(shape, dtype=dtype, device="meta")
    one = tensor if axis is None else tensor.narrow(axis, 0, 1)
    values = torch.zeros_like(one, device="cpu") if one.is_meta else one.detach().cpu()
    return values.expand(shape).clone()


def example_of(module: nn.Module, inputs: Sequence[Any], named: Mapping[str, Any], places: BatchAxes) -> Example:
    """Inputs by the names of forward's arguments; an argument with several tensors numbers them.

    A single value has no batch. Raises ArchcostError where `places` leave open whose first axis is the batch.
    """
    specs: dict[str, InputSpec] = {}
    axes: dict[int, int | None] = {}
    counts: dict[str, int] = {}
    for word, name, tensor in _tensors(module, inputs, named):
        kind = TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        if kind.dtype not in COMPUTED_BYTES or not kind.numel:
            raise ArchcostError(
                f"example {word} cannot be an input",
                expected=f"a tensor with values, of {', '.join(COMPUTED_BYTES)}",
                found=str(kind),
            )
        axis = places.get(id(tensor), 0 if kind.shape else None)
        axes[id(tensor)] = axis
        if axis is not None:
            counts[name] = kind.shape[axis]
        specs[name] = InputSpec.of(declared(kind), axis)
    if not specs:
        raise ArchcostError("no example input", expected="a tensor, such as torch.zeros(1, 3, 224, 224)", found="none")
    _require_one_batch(specs, counts)
    return Example(specs, axes, inputs, named)


def _tensors(module: nn.Module, inputs: Sequence[Any], named: Mapping[str, Any]) -> Iterator[tuple[str, str, Tensor]]:
    """Each tensor with the name of its argument, and its own name."""
    try:
        arguments = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        arguments = []
    free = [each.name for each in arguments if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    words = free + [f"input{index + 1}" for index in range(len(free), len(inputs))]
    for word, value in (*zip(words, inputs, strict=False), *named.items()):
        tensors = flat_tensors(value)
        for index, tensor in enumerate(tensors):
            yield word, clean(word if len(tensors) == 1 else f"{word}_{index}"), tensor


def _require_one_batch(specs: Mapping[str, InputSpec], counts: Mapping[str, int]) -> None:
    """Raises ArchcostError unless all inputs with a batch have as many samples."""
    first, *others = [*counts] or [""]
    odd = [name for name in others if counts[name] != counts[first]]
    if not odd:
        return
    shown = [f"{name} {specs[name].tensor(counts[name])}" for name in (first, *odd)]
    name, given = odd[0], specs[odd[0]].tensor(counts[odd[0]])
    dtype = "" if given.dtype == "float32" else f":{given.dtype}"
    raise ArchcostError(
        "the inputs do not agree on how many samples there are",
        expected="the batch as the first axis of each, or said which input is without a batch, or has it elsewhere",
        found=listing(shown, 6),
        hint=f'unbatched=["{name}"] (--input {name}={"x".join(map(str, given.shape))}{dtype}:unbatched), '
        f'or batch_dims={{"{name}": 1}} (B among the sizes)',
    )


def batch_axes_of(
    module: nn.Module,
    inputs: Sequence[Any],
    named: Mapping[str, Any],
    unbatched: Collection[str],
    batch_dims: Mapping[str, int],
) -> BatchAxes:
    """`unbatched` and `batch_dims` by tensor. Names are those of inputs, or of arguments with several tensors.

    Raises ArchcostError for an unknown name, or an axis that the input does not have.
    """
    unbatched = [unbatched] if isinstance(unbatched, str) else unbatched
    places: dict[int, int | None] = {}
    known: set[str] = set()
    for word, name, tensor in _tensors(module, inputs, named):
        known |= {word, name}
        said = [each for each in (name, word) if each in batch_dims]
        apart = name in unbatched or word in unbatched
        if said and apart:
            raise ArchcostError(f"{name} is said to have a batch and to have none", expected="one of them")
        if said:
            places[id(tensor)] = _axis(name, tensor, batch_dims[said[0]])
        elif apart:
            places[id(tensor)] = None
    for word in (*unbatched, *batch_dims):
        if word not in known:
            raise ArchcostError(
                f"no input is called {shorten(word)}",
                expected=listing(sorted(known)) or "an example input",
                found=shorten(word),
                hint=nearest(str(word), known),
            )
    return places


def _axis(name: str, tensor: Tensor, dim: object) -> int:
    if type(dim) is not int or not -tensor.dim() <= dim < tensor.dim():
        raise ArchcostError(
            f"batch_dims names no axis of {name}",
            expected=f"an integer from 0 to {tensor.dim() - 1}" if tensor.dim() else "an input with axes",
            found=shorten(dim),
        )
    return dim % tensor.dim()
