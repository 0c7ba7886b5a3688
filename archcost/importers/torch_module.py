"""`nn.Module` and example inputs → `ModelSpec`, without allocating a weight.

The module runs on the meta device, with meta tensors in place of its weights and a batch of `SAMPLES`. `capture`
intercepts the calls, `recorder` records layers, a second run shows lifetimes and dtypes, `naming` makes the spec.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from archcost.errors import ArchcostError, first_line, line_of, shorten
from archcost.importers import detection, own_calls, unintercepted_calls
from archcost.importers.autocast_regions import RegionTracker
from archcost.importers.autograd_functions import functions_followed
from archcost.importers.capture import Capture
from archcost.importers.checkpointing import Checkpoints, intercepted
from archcost.importers.examples import BatchAxes, Example, batch_assumptions, batch_axes_of, example_of
from archcost.importers.lazy_weights import (
    LazyWeightsError,
    MuteRecorder,
    names_of,
    require_same_weights,
    require_shapes,
)
from archcost.importers.meta_weights import meta_weights, modules_of
from archcost.importers.module_checks import require_known_dtypes, require_other_sizes, require_python
from archcost.importers.naming import clean, spec_of
from archcost.importers.output_tensors import flat_tensors, tensors_of
from archcost.importers.recorded import Observations, Ref
from archcost.importers.recorder import Recorder
from archcost.importers.second_run import (
    SEEDS_HIGH,
    RunnableModule,
    observations,
    only_casts_more,
    printing_nothing,
    run_again,
    seeded,
)
from archcost.importers.torch.proposal import SAMPLES
from archcost.spec import ModelSpec


class ValuesWantedError(ArchcostError):
    """Forward looks at a tensor that has no values."""


def from_torch(
    module: nn.Module,
    *inputs: Any,
    name: str | None = None,
    title: str | None = None,
    unbatched: Collection[str] = (),
    batch_dims: Mapping[str, int] | None = None,
    **named: Any,
) -> ModelSpec:
    """The network that the module's forward is, for inputs of these shapes and dtypes.

    Axis 0 of a tensor is the batch, but for those that `unbatched` names, and where `batch_dims` says another. The
    module is run in the mode that it is in (train or eval), and left as it was. Raises ArchcostError with the module
    and the line of code where it cannot be followed.
    """
    if not isinstance(module, nn.Module):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArchcostError("not a module", expected="a torch.nn.Module", found=shorten(module))
    places = batch_axes_of(module, inputs, named, unbatched, batch_dims or {})
    return spec_from(module, inputs, named, places, name, title)


def spec_from(
    module: nn.Module,
    inputs: Sequence[Any],
    named: Mapping[str, Any],
    places: BatchAxes,
    name: str | None,
    title: str | None,
) -> ModelSpec:
    """`from_torch` with the axes of the batch by tensor."""
    example = example_of(module, inputs, named, places)
    require_python(module)
    detection.require_single_images(module, any(entry.batched for entry in example.inputs.values()))
    try:
        result = _follow(module, example)
    except LazyWeightsError:
        result = _follow_after_a_run(module, example)
    name = name or _snake_case(type(module).__name__)
    return spec_of(result.record, name, title, example.inputs, result.outputs, result.observed, in_order=True)


class FollowedModule(NamedTuple):
    """A module that was run: the recorded layers, the outputs, and what the second run showed."""

    record: Recorder
    outputs: list[Ref]
    observed: Observations


def _follow(module: nn.Module, example: Example) -> FollowedModule:
    """Raises LazyWeightsError where forward makes weights or drops some."""
    require_shapes(module)
    require_known_dtypes(module)
    require_other_sizes(module, example.inputs)
    first = _first_run(module, example)
    again = partial(_run_in, module, example)
    findings = run_again(again, first.capture.trace, first.regions.was_asked)
    if findings.went_another_way_in_bfloat16:
        other = _first_run_in_bfloat16(module, example)
        if other is not None and only_casts_more(first.capture.trace, other.capture.trace):
            seen = run_again(again, other.capture.trace, other.regions.was_asked, (torch.bfloat16,))
            first, findings = (other, seen) if seen.seen is not None else (first, findings)
    record = first.capture.record
    observed = observations(record.entries, findings, first.capture.trace.steps, first.outputs)
    assumed = (*batch_assumptions(record.entries, example.inputs), *record.assumptions)
    assumptions = (*assumed, *first.checkpoints.assumptions, *observed.assumptions)
    observed = replace(observed, checkpoints=first.checkpoints.found, assumptions=assumptions)
    return FollowedModule(record, first.outputs, observed)


class FirstRun(NamedTuple):
    """The first run, whose calls were recorded."""

    capture: Capture
    checkpoints: Checkpoints
    regions: RegionTracker
    outputs: list[Ref]


def _first_run(module: nn.Module, example: Example, dtype: torch.dtype = torch.float32) -> FirstRun:
    given, named = example.samples(dtype)
    regions = RegionTracker()
    with meta_weights(module, dtype) as (weights, originals):
        before = names_of(module)
        record = Recorder(_tensors(example, given, named), weights, dtype)
        capture = Capture(record, originals, regions)
        checkpoints = Checkpoints(record)
        try:
            with intercepted(checkpoints.marked):
                result = _run(module, capture, given, named)
        except ArchcostError:
            require_same_weights(module, before)
            raise
        require_same_weights(module, before)
    returned = tensors_of(result)
    for tensor in returned:
        record.require_heard(tensor)
    outputs = [ref for ref in (record.find(tensor) for tensor in returned) if ref is not None]
    if not any(ref.kind == "entry" for ref in outputs):
        raise ArchcostError(
            "the module returns nothing that it computes from its inputs",
            expected="tensors, or objects that hold some",
            found=type(result).__name__,
            layer=type(module).__name__,
        )
    capture.release()
    return FirstRun(capture, checkpoints, regions, outputs)


def _first_run_in_bfloat16(module: nn.Module, example: Example) -> FirstRun | None:
    """The first run in bfloat16; None where the module does not run in it."""
    try:
        with printing_nothing():
            return _first_run(module, example, torch.bfloat16)
    except (ArchcostError, LazyWeightsError):
        return None


def _tensors(example: Example, given: Any, named: Any) -> dict[str, Tensor]:
    return dict(zip(example.inputs, [*flat_tensors(given), *flat_tensors(named)], strict=True))


@contextmanager
def _run_in(module: nn.Module, example: Example, dtype: torch.dtype) -> Generator[RunnableModule]:
    """The module with meta weights in a dtype, none of which requires a gradient."""
    given, named = example.samples(dtype)
    with (
        meta_weights(module, dtype, trained=False) as (weights, stand_ins),
        intercepted(lambda reentrant: nullcontext()),
    ):
        yield RunnableModule(stand_ins, lambda: module(*given, **named), lambda: _owned(module, weights))


def _owned(module: nn.Module, weights: Collection[str]) -> list[Tensor]:
    """The tensors that the module has now under these names of parameters and buffers."""
    return [each for name, each in (*module.named_parameters(), *module.named_buffers()) if name in weights]


def _follow_after_a_run(module: nn.Module, example: Example) -> FollowedModule:
    """Follow the module as its first run leaves it, with the weights that this made."""
    given, named = example.samples()
    with meta_weights(module) as (_, originals):
        with printing_nothing():
            mute = MuteRecorder(_tensors(example, given, named), {})
            _run(module, Capture(mute, originals, RegionTracker()), given, named)
        try:
            return _follow(module, example)
        except LazyWeightsError as error:
            if isinstance(error.__context__, ArchcostError):
                raise error.__context__ from None
            raise ArchcostError(
                "forward makes or drops weights each time it runs",
                expected="the same parameters and buffers after the first run and the second",
                found=str(error),
                layer=type(module).__name__,
            ) from error


def _run(module: nn.Module, capture: Capture, given: Any, named: Any) -> Any:
    record = capture.record
    paths = {id(each): path for path, each in modules_of(module)}
    inside: list[str] = []

    def enter(called: nn.Module, arguments: Any) -> None:
        inside.append(paths.get(id(called), inside[-1] if inside else ""))
        record.path = inside[-1]

    def leave(called: nn.Module, arguments: Any, result: Any) -> None:
        inside.pop()
        record.path = inside[-1] if inside else ""

    hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        with (
            seeded(SEEDS_HIGH),
            capture.regions.intercepted(),
            unintercepted_calls.intercepted(),
            detection.intercepted(),
            own_calls.intercepted(),
            capture,
            functions_followed(capture),
        ):
            return module(*given, **named)
    except (Exception, SystemExit) as error:
        several = len(flat_tensors([given, named])) > 1
        raise _explain_failure(error, type(module).__name__, inside[-1] if inside else "", several) from error
    finally:
        for hook in hooks:
            hook.remove()


UNBATCHED = 'for an input without a batch axis, unbatched=["name"], or --input name=2x300:unbatched'

VALUES_WANTED = (
    "meta tensor",
    "tensor to numpy",
    "data-dependent",
    "nonzero",
    "_local_scalar_dense",
    "no data",
    "DynamicOutputShape",
)


NO_META_KERNEL = ("with Meta tensors", "find the fake impl", "'Meta' backend")
"""Parts of torch's messages where an operator has no kernel for the meta device."""


def _explain_failure(error: Exception | SystemExit, module: str, path: str, several: bool) -> ArchcostError:
    """The error that stopped forward, as an ArchcostError with the module and the line of the user's code."""
    where = f"{module}.{path}" if path else module
    said = first_line(error)
    if isinstance(error, ArchcostError):
        told = ArchcostError(error.problem, expected=error.expected, found=error.found, hint=error.hint)
    elif any(word in str(error) for word in VALUES_WANTED):
        told = ValuesWantedError(
            "forward depends on values, and what it costs with them",
            expected="a forward that shapes alone decide",
            found=said,
        )
    elif any(word in str(error) for word in NO_META_KERNEL):
        told = ArchcostError(
            "forward calls an operator that torch cannot run on shapes alone",
            expected="operators that run on the meta device",
            found=said,
        )
    else:
        told = ArchcostError(
            f"forward fails (run with a batch of {SAMPLES:,})",
            expected="example inputs that the module takes, batch first",
            found=f"{type(error).__name__}: {said}",
            hint=UNBATCHED if several else None,
        )
    return told.at(layer=where, place=line_of(error))


def _snake_case(name: str) -> str:
    """`ResNet` → `resnet`, `BertModel` → `bert_model`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return clean(words.lower())
