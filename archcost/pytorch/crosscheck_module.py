"""`verify` of a module: the numbers of its imported spec beside what torch counts when it runs the module itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from torch import nn
from torch.utils.flop_counter import sdpa_backward_flop_count  # pyright: ignore[reportUnknownVariableType]

from archcost.costs import LayerCost, ModelCost, cost
from archcost.errors import ArchcostError, listing
from archcost.files.stage import tell_stage
from archcost.graph import ModelGraph
from archcost.graph import build as build_graph
from archcost.hardware.calibration import Calibration
from archcost.importers import from_torch
from archcost.importers.naming import clean
from archcost.layers import ScaledDotProductAttention
from archcost.passes.run import Run
from archcost.pytorch.build import require_device
from archcost.pytorch.checks import TORCH, TOTAL, Check, Verification, compare
from archcost.pytorch.counters import Shape
from archcost.pytorch.crosscheck_module_memory import check_module_memory, check_module_time
from archcost.pytorch.differences import KNOWN_DIFFERENCES, corrected
from archcost.pytorch.match_modules import by_module
from archcost.pytorch.module_counts import Excess, Fold, ModuleCounts, ModuleWeights, Weight, count_module, folded_by
from archcost.pytorch.uncounted import without_own
from archcost.pytorch.user_module import Path, Subject, modules_of
from archcost.spec import ModelSpec
from archcost.tensors import TensorType

ATTENTION = next(known for known in KNOWN_DIFFERENCES if known.name == "attention_composed_on_meta")


def verify_module(
    module: nn.Module,
    inputs: Any,
    named: Mapping[str, Any],
    device: str = "cpu",
    batch: int | None = None,
    run: Run | None = None,
    unbatched: Collection[str] = (),
    batch_dims: Mapping[str, int] | None = None,
    calibration: Calibration | None = None,
) -> Verification:
    """A module beside the spec that `from_torch` makes of it for these inputs: see `archcost.pytorch.verify`."""
    given = () if inputs is None else tuple(cast("Sequence[Any]", inputs)) if _is_several(inputs) else (inputs,)
    spec = from_torch(module, *given, unbatched=unbatched, batch_dims=batch_dims, **named)
    return check_module(spec, Subject(module, given, named), device, batch, run, calibration)


def check_module(
    spec: ModelSpec,
    subject: Subject,
    device: str = "cpu",
    batch: int | None = None,
    run: Run | None = None,
    calibration: Calibration | None = None,
) -> Verification:
    """A spec beside the module that it is said to be. Raises ArchcostError for what cannot be run."""
    require_device(device)
    examples = subject.tensors
    if len(examples) != len(spec.inputs):
        raise ArchcostError(
            "the module is given other inputs than the spec has",
            expected=f"{len(spec.inputs)}: {listing(list(spec.inputs))}",
            found=f"{len(examples)} tensors",
        )
    shapes = [tuple(example.shape) for example in examples]
    graph = build_graph(spec, _batch_of(spec, shapes) if batch is None else batch)
    expected = cost(graph)
    tell_stage("the module counts")
    counted = count_module(subject, graph, spec.loss != "none")
    checks = list(_weight_checks(expected, counted.weights, subject))
    checks += _shape_checks(expected, counted, shapes if batch is None else [])
    checks += _flop_checks(expected, counted, subject)
    if run is not None:
        tell_stage("steps run")
        run = replace(run, cache=False)  # what a module keeps of its own, its spec shows
        checks += check_module_memory(graph, run, subject, device)
        if calibration is not None:
            checks += check_module_time(graph, run, subject, device, calibration)
    return Verification(spec.label, device, tuple(checks))


def _is_several(inputs: Any) -> bool:
    return isinstance(inputs, (list, tuple))


def _batch_of(spec: ModelSpec, shapes: Sequence[Shape]) -> int:
    """The size of the first axis that differs between a batch of one and of two."""
    one, two = (build_graph(spec, batch).inputs.values() for batch in (1, 2))
    for shape, lone, pair in zip(shapes, one, two, strict=True):
        for size, least, next_ in zip(shape, lone.shape, pair.shape, strict=False):
            if least != next_:
                return size // least
    return 1


def _weight_checks(expected: ModelCost, counted: ModuleWeights, subject: Subject) -> Iterator[Check]:
    fold = folded_by(list(modules_of(subject.module)), clean)
    parameters, buffers = counted.parameters, counted.buffers
    trained = [weight for weight in parameters if weight.trainable]
    columns = (
        ("parameters", [layer.parameters for layer in expected.layers], parameters),
        ("trainable_parameters", [layer.trainable_parameters for layer in expected.layers], trained),
        ("buffers", [layer.buffers for layer in expected.layers], buffers),
    )
    for quantity, ours, weights in columns:
        check = compare(quantity, TOTAL, sum(ours), sum(map(_numel, weights)), TORCH)
        if quantity == "parameters" and check.agrees:
            check = _of_the_same_shapes(check, expected.graph, parameters)
        yield check
        names = [layer.name for layer in expected.layers]
        theirs = _summed([(weight.owner, _numel(weight)) for weight in weights])
        yield from by_module(
            quantity, _summed(zip(map(fold, names), ours, strict=True)), theirs, TORCH, {}, subject.name
        )
    yield from _buffer_bytes(expected.graph, buffers)


def _numel(weight: Weight) -> int:
    return TensorType(weight.shape).numel


def _summed(pairs: Any) -> dict[Path, int]:
    sums: Counter[Path] = Counter()
    for path, number in pairs:
        sums[path] += number
    return dict(sums)


def _of_the_same_shapes(check: Check, graph: ModelGraph, parameters: Sequence[Weight]) -> Check:
    """The check, failed where parameters of equal number have other shapes, as an optimizer's memory would differ."""
    ours = Counter(weight.shape for node in graph.nodes for weight in node.own_weights if not weight.is_buffer)
    theirs = Counter(weight.shape for weight in parameters)
    if ours == theirs:
        return check
    only = f"archcost has {_shapes_text(ours - theirs)}, and torch {_shapes_text(theirs - ours)}"
    return replace(check, agrees=False, reason=f"as many values in other tensors: {only}")


def _shapes_text(shapes: Counter[Shape]) -> str:
    return listing(["×".join(map(str, shape)) or "a single value" for shape in shapes.elements()], 6) or "none"


def _buffer_bytes(graph: ModelGraph, buffers: Sequence[Weight]) -> Iterator[Check]:
    """Checks of the bytes of buffers by dtype. All floating dtypes are imported as float32."""
    ours: Counter[str] = Counter()
    for node in graph.nodes:
        for weight in node.own_weights:
            if weight.is_buffer:
                kind = TensorType(weight.shape, weight.dtype or node.input_types[0].dtype)
                ours[kind.dtype] += kind.nbytes
    theirs: Counter[str] = Counter()
    for buffer in buffers:
        theirs[buffer.dtype] += TensorType(buffer.shape, buffer.dtype).nbytes
    for dtype in sorted(ours.keys() | theirs.keys()):
        yield compare("buffer_bytes", dtype, ours[dtype], theirs[dtype], TORCH)


def _shape_checks(expected: ModelCost, counted: ModuleCounts, given: Sequence[Shape]) -> Iterator[Check]:
    by = f"{TORCH} on {counted.device}"
    for (name, ours), theirs in zip(expected.graph.inputs.items(), given, strict=False):
        yield compare("input_shapes", name, (ours.shape,), (theirs,), by)
    yield _returned(expected.graph, counted, by)
    layers = {layer.name: layer.output_shapes for layer in expected.layers}
    for path, theirs in counted.shapes.items():
        ours = layers.get(clean(path))
        if ours is not None and len(ours) == len(theirs):  # else the module returns more than its layer
            yield compare("output_shapes", path, ours, theirs, by)


def _returned(graph: ModelGraph, counted: ModuleCounts, by: str) -> Check:
    """What the module returns: in any order, but all of it, in the dtypes that it has."""
    ours, theirs = graph.returned, counted.returned
    check = compare(
        "output_shapes", TOTAL, tuple([each.shape for each in ours]), tuple([each.shape for each in theirs]), by
    )
    if Counter(ours) == Counter(theirs):
        return check if check.agrees else replace(check, agrees=True, reason="in another order")
    mine, torchs = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
    if not mine and not any(tensor.is_floating for tensor in torchs):
        return replace(check, agrees=True, reason=f"torch also returns {_types(torchs)}, which no layer makes")
    return replace(check, agrees=False, reason=f"archcost alone has {_types(mine)}, torch alone {_types(torchs)}")


def _types(tensors: Counter[TensorType]) -> str:
    return listing([*map(str, tensors.elements())], 6) or "none"


def _flop_checks(expected: ModelCost, counted: ModuleCounts, subject: Subject) -> Iterator[Check]:
    by = f"FlopCounterMode of {TORCH} on {counted.device}"
    fold = folded_by(counted.ran, clean)
    unknown = {fold(name): name for name in reversed(expected.unknown)}
    forward = [layer.flops.forward.contraction for layer in expected.layers]
    backward = [layer.flops.backward.contraction for layer in expected.layers]
    columns = (
        ("flops_forward", forward, counted.forward, counted.excess["forward"]),
        ("flops_backward", backward, counted.backward, _with_attention(expected, counted, fold)),
    )
    for quantity, flops, theirs, known in columns:
        ours = _summed(zip((fold(layer.name) for layer in expected.layers), flops, strict=True))
        total = corrected(compare(quantity, TOTAL, sum(flops), sum(theirs.values()), by), _in_all(known.values()))
        yield _bounded(without_own(total, expected.layers), list(expected.unknown))
        for check in by_module(quantity, ours, theirs, by, known, subject.name):
            path = "" if check.scope == subject.name else check.scope
            layers = [layer for layer in expected.layers if fold(layer.name) == path]
            check = _bounded(without_own(check, layers), [unknown[path]] if path in unknown else [])
            yield _with_layers(check, layers)


def _in_all(excess: Any) -> Excess:
    total: Excess = {}
    for of_one in excess:
        for known, flops in of_one.items():
            total[known] = total.get(known, 0) + flops
    return total


def _with_attention(expected: ModelCost, counted: ModuleCounts, fold: Fold) -> dict[Path, Excess]:
    """The excess of torch's count of backward by module: noted while counting, and that of attention."""
    excess = {path: dict(known) for path, known in counted.excess["backward"].items()}
    for layer in expected.layers:
        again = _composed_attention(layer)
        if again:
            known = excess.setdefault(fold(layer.name), {})
            known[ATTENTION] = known.get(ATTENTION, 0) + again
    return excess


def _composed_attention(layer: LayerCost) -> int:
    """FLOPs of a composition's backward beyond those of the fused kernel's, which works the scores out again.

    Composed, each operand that needs a gradient costs one product, and the scores one where query or key does.
    """
    attention, needs = layer.node.layer, layer.needs.inputs
    if not (isinstance(attention, ScaledDotProductAttention) and attention.backend == "fused" and needs):
        return 0
    query, key, value = (tensor.shape for tensor in layer.node.input_types[:3])
    out = layer.output_shapes[0]
    fused: int = sdpa_backward_flop_count(out, query, key, value)
    pairs = 2 * TensorType(query[:-1]).numel * key[-2]
    scores, means = sum(index in needs for index in (0, 1)), (2 in needs) + (0 in needs or 1 in needs)
    return pairs * (scores * query[-1] + means * value[-1]) - fused


def _bounded(check: Check, unknown: Sequence[str]) -> Check:
    """The check, undecided where a layer is unknown, so that our number is a lower bound."""
    if check.agrees or not unknown or check.excess > 0:
        return check
    said = f"as the operations of {listing(unknown, 3)} are not known, archcost's is a lower bound"
    return replace(check, agrees=None, reason=said)


def _with_layers(check: Check, layers: Sequence[LayerCost]) -> Check:
    """A difference, with what archcost has in that module."""
    if check.agrees is not False:
        return check
    forward = check.quantity == "flops_forward"
    told = [
        f"{layer.name} ({layer.type}) {(layer.flops.forward if forward else layer.flops.backward).contraction:,}"
        for layer in layers
        if layer.flops.forward.contraction or layer.flops.backward.contraction
    ] or [f"{layer.name} ({layer.type})" for layer in layers]
    said = f"archcost has {listing(told, 6)} here" if told else "archcost has no layer here"
    return replace(check, reason=f"{check.reason}; {said}" if check.reason else said)
