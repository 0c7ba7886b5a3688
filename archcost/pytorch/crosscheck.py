"""`verify`: the numbers of the formula half beside those of torch and fvcore."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from importlib.util import find_spec
from operator import attrgetter
from typing import Any

import torch
from torch import nn

from archcost.costs import LayerCost, ModelCost, cost
from archcost.costs.timeline import timeline
from archcost.errors import ArchcostError, shorten
from archcost.files.stage import tell_stage
from archcost.graph import build as build_graph
from archcost.hardware.calibration import Calibration
from archcost.passes.run import Run
from archcost.pytorch.build import build, refused_at, require_device, zeros
from archcost.pytorch.checks import TORCH, TOTAL, Check, Verification, compare
from archcost.pytorch.conventions import FVCORE_COUNTS, factor
from archcost.pytorch.counters import (
    Counted,
    FlopCounts,
    FvcoreCounts,
    Weights,
    count_all_weights,
    count_by_fvcore,
    count_flops,
    count_weights,
    materialise,
    real_size,
    silent,
)
from archcost.pytorch.crosscheck_memory import check_memory
from archcost.pytorch.crosscheck_module import verify_module
from archcost.pytorch.crosscheck_time import check_time
from archcost.pytorch.differences import KNOWN_DIFFERENCES, KnownDifference, corrected
from archcost.pytorch.machine import kernels_of
from archcost.pytorch.network import Network
from archcost.pytorch.training import prepare
from archcost.pytorch.uncounted import without_own
from archcost.spec import ModelSpec

ROOM = 4 * 2**30
"""Bytes that a check may take on the machine where it runs: seven times VGG-E."""


def verify(
    network: ModelSpec | nn.Module,
    inputs: Any = None,
    *,
    device: str = "cpu",
    batch: int | None = None,
    run: Run | None = None,
    unbatched: Collection[str] = (),
    batch_dims: Mapping[str, int] | None = None,
    calibration: Calibration | None = None,
    **named: Any,
) -> Verification:
    """A spec beside the network that is built of it, or a module beside its imported spec.

    A module is imported with `inputs`, a tensor or a list of what its forward is called with in order, and with
    `named`, `unbatched` and `batch_dims` (see `archcost.from_torch`). It is the module itself that is run, on copies of
    its weights: it is left as it was. Its spec's numbers are held against its parameters, buffers and shapes, and
    against FlopCounterMode's counts of it; with a `run`, also against two steps of it in that precision, and with a
    `calibration` of this machine against their time. `batch` is that of its inputs, unless it is given.

    A spec is built in torch: see `verify_spec`, with a batch of 1 unless it is given. Raises ArchcostError.
    """
    if isinstance(network, nn.Module):
        return verify_module(network, inputs, named, device, batch, run, unbatched, batch_dims, calibration)
    if not isinstance(network, ModelSpec):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ArchcostError("nothing to verify", expected="a ModelSpec or a torch.nn.Module", found=shorten(network))
    if inputs is not None or named:
        raise ArchcostError(
            "a spec says itself what its inputs are", expected="verify(spec), or verify(module, inputs)", found="inputs"
        )
    return verify_spec(network, device, 1 if batch is None else batch, run, calibration)


def verify_spec(
    spec: ModelSpec,
    device: str = "cpu",
    batch: int = 1,
    run: Run | None = None,
    calibration: Calibration | None = None,
) -> Verification:
    """Build the network in torch and compare shapes, weights, MACs and contraction FLOPs, each layer and in total.

    Counted on the meta device at the given batch; on a `device` such as cuda also there. fvcore really runs the
    network, on the CPU, and therefore always at batch 1. With a `run`, steps are also run and their memory compared,
    with a `calibration` of this machine their time as well.
    Raises ArchcostError for a wrong input, a device that is not there, or a network that torch refuses.
    """
    require_device(device)
    expected = cost(build_graph(spec, batch))
    tell_stage("torch counts")
    network = build(spec, "meta")
    checks = list(_weight_checks(expected, count_weights(network), count_all_weights(network)))
    counted = _count(spec, network, batch, "meta")
    checks += _pass_checks(expected, counted, "meta")
    if torch.device(device).type not in ("cpu", "meta"):
        with refused_at(device):
            materialise(network, device)
        checks += _pass_checks(expected, _count(spec, network, batch, device), device)
        network.to("meta")
    tell_stage("fvcore counts")
    single = counted if batch == 1 else _count(spec, network, 1, "meta")
    checks += _fvcore_checks(cost(build_graph(spec, 1)), _ask_fvcore(spec, network, single))
    if run is not None:
        run = replace(run, cache=False)  # the network is built without one
        del network
        tell_stage("steps run")
        checks += check_memory(spec, run, device, batch)
        if calibration is not None and all(check.agrees is not None for check in checks[-1:]):
            checks += _time_checks(spec, run, device, batch, calibration)
    return Verification(spec.label, device, tuple(checks))


def _time_checks(spec: ModelSpec, run: Run, device: str, batch: int, calibration: Calibration) -> tuple[Check, ...]:
    line = timeline(build_graph(spec, batch), run, kernels_of(device))
    return tuple(check_time(line, prepare(line.graph, run, line.segments, device), calibration, device))


def _count(spec: ModelSpec, network: Network, batch: int, device: str) -> FlopCounts:
    return count_flops(network, tuple(zeros(spec, batch, device).values()), backward=spec.loss != "none")


def _ask_fvcore(spec: ModelSpec, network: Network, counted: FlopCounts) -> FvcoreCounts:
    """On real tensors, unless they are too large for that."""
    if find_spec("fvcore") is None:
        return silent(counted, "fvcore is not installed")
    size = real_size(network, counted)
    if size > ROOM:
        return silent(
            counted, f"fvcore needs real tensors, and {size:,} bytes of them are too many to make for a check"
        )
    materialise(network, "cpu")
    arrived = {name: layer.inputs for name, layer in counted.layers.items()}
    return count_by_fvcore(network, tuple(zeros(spec, 1, "cpu").values()), arrived)


def _weight_checks(expected: ModelCost, layers: dict[str, Weights], whole: Weights) -> Iterator[Check]:
    by = TORCH
    for quantity, field in (
        ("parameters", "parameters"),
        ("trainable_parameters", "trainable"),
        ("buffers", "buffers"),
    ):
        ours, theirs = attrgetter(quantity), attrgetter(field)
        yield compare(quantity, TOTAL, ours(expected), theirs(whole), by)
        for layer in expected.layers:
            yield compare(quantity, layer.name, ours(layer), theirs(layers[layer.name]), by)


def _pass_checks(expected: ModelCost, counted: FlopCounts, device: str) -> Iterator[Check]:
    by = f"{TORCH} on {device}"
    for layer in expected.layers:
        yield compare("output_shapes", layer.name, layer.output_shapes, counted.layers[layer.name].shapes, by)
    by = f"FlopCounterMode of {by}"
    forward, backward = expected.flops.forward.contraction, expected.flops.backward.contraction
    excess = {layer.name: _excess(layer, counted) for layer in expected.layers}
    in_total: Counter[KnownDifference] = Counter()
    for known, much in (known for layer in excess.values() for known in layer.items()):
        in_total[known] += much
    in_all = (("flops_forward", forward, counted.forward), ("flops_backward", backward, counted.backward))
    for quantity, ours, theirs in in_all:
        total = corrected(compare(quantity, TOTAL, ours, theirs, by), _of(quantity, in_total))
        yield without_own(total, expected.layers)
    for layer in expected.layers:
        witness, known = counted.layers[layer.name], excess[layer.name]
        check = compare("flops_forward", layer.name, layer.flops.forward.contraction, witness.forward, by)
        yield without_own(corrected(check, _of("flops_forward", known)), (layer,))
        check = compare("flops_backward", layer.name, layer.flops.backward.contraction, witness.backward, by)
        yield without_own(corrected(check, _of("flops_backward", known)), (layer,))


def _excess(layer: LayerCost, counted: FlopCounts) -> dict[KnownDifference, int]:
    of_each = {known: known.excess(layer.node.layer, counted.layers[layer.name]) for known in KNOWN_DIFFERENCES}
    return {known: excess for known, excess in of_each.items() if excess}


def _of(quantity: str, excess: Mapping[KnownDifference, int]) -> dict[KnownDifference, int]:
    return {known: much for known, much in excess.items() if known.quantity == quantity}


def _fvcore_checks(expected: ModelCost, counted: FvcoreCounts) -> Iterator[Check]:
    by = f"fvcore {version('fvcore') if find_spec('fvcore') else ''} at batch 1".replace("  ", " ")
    counted = _in_real_macs(expected, counted)
    whole = counted.whole or _sum(counted.layers.values())
    ours = {layer.name: FVCORE_COUNTS[layer.type](layer) for layer in expected.layers}
    unheard = [layer for layer in expected.layers if _is_unheard(layer, counted.layers[layer.name])]
    heard = expected.macs - sum(layer.macs for layer in unheard)
    if unheard and heard:
        kinds = ", ".join(sorted({layer.type for layer in unheard}))
        agrees, without = heard == whole.macs, f"without {kinds}, for which fvcore has no rule"
        yield Check("macs", TOTAL, heard, whole.macs, by, agrees, without)
    else:
        yield _fvcore_check("macs", TOTAL, expected.macs, whole.macs, whole, by)
    yield _fvcore_check("fvcore_flops", TOTAL, sum(ours.values()), whole.total, whole, by)
    for layer in expected.layers:
        witness = counted.layers[layer.name]
        yield _fvcore_check("macs", layer.name, layer.macs, witness.macs, witness, by)
        yield _fvcore_check("fvcore_flops", layer.name, ours[layer.name], witness.total, witness, by)


def _in_real_macs(expected: ModelCost, counted: FvcoreCounts) -> FvcoreCounts:
    """What fvcore counts, with four MACs of real numbers for each of complex ones."""
    factors = {layer.name: factor(layer) for layer in expected.layers}
    if not any(each > 1 for each in factors.values()):
        return counted
    layers = {name: each._replace(macs=each.macs * factors[name]) for name, each in counted.layers.items()}
    more = sum(layers[name].macs - each.macs for name, each in counted.layers.items())
    whole = counted.whole and counted.whole._replace(macs=counted.whole.macs + more)
    return counted._replace(layers=layers, whole=whole)


def _is_unheard(layer: LayerCost, counted: Counted) -> bool:
    """Whether a layer has products of which fvcore counts none, for want of a rule."""
    return bool(layer.macs and counted.unknown and not counted.total)


def _sum(layers: Iterable[Counted]) -> Counted:
    """The layers together, where fvcore cannot trace the whole; it fails when one of them fails."""
    parts = tuple(layers)
    failure = next((part.failure for part in parts if part.failure), None)
    unknown = {operator for part in parts for operator in part.unknown}
    return Counted(sum(part.macs for part in parts), sum(part.total for part in parts), tuple(sorted(unknown)), failure)


def _fvcore_check(quantity: str, scope: str, ours: int, theirs: int, counted: Counted, by: str) -> Check:
    """A failed trace, or operators without a rule where nothing at all was counted, are silence and no zero."""
    unknown = f"fvcore has no rule for {', '.join(counted.unknown)}" if counted.unknown else None
    silence = counted.failure or (unknown if counted.total == 0 else None)
    if silence:
        return Check(quantity, scope, ours, None, by, None, silence)
    check = compare(quantity, scope, ours, theirs, by)
    if scope == TOTAL and check.agrees and unknown:
        return Check(quantity, scope, ours, theirs, by, True, f"{unknown}, which count nothing here")
    return check
