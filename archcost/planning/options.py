"""The changes that there are for a case: of each kind those that suit it, the cheapest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import isqrt

from archcost.costs.optimizers import forms, implementation
from archcost.errors import SpecError
from archcost.estimates.devices import has_host
from archcost.graph import ModelGraph
from archcost.graph.loss import check_loss, scores_of
from archcost.hardware.profile import HardwareProfile
from archcost.layers.linear import Linear
from archcost.passes.in_place import may_overwrite
from archcost.passes.optimizer import Optimizer
from archcost.passes.recompute import segments
from archcost.passes.run import OptimizerImpl, Precision, Run
from archcost.planning.changes import Change, Option, batch_norms
from archcost.spec.loss import read_loss
from archcost.spec.overrides import set_loss
from archcost.terms.autograd import Device

OPTIMIZERS: tuple[Optimizer, ...] = ("adamw-8bit", "adafactor", "sgd-momentum", "sgd")
"""From the nearest to Adam to the furthest from it."""

PRECISIONS: tuple[tuple[Precision, ...], ...] = (("amp-bf16", "amp-fp16"), ("bf16", "fp16"))
"""Autocast keeps the weights in float32. Of two that take as many bytes the first for which the device has a rate."""

IMPLEMENTATIONS: tuple[OptimizerImpl, ...] = ("fused", "loop")

MOST_SEARCHED = 250
"""Layers of a network for which the search for checkpoints is one of the remedies."""


# Free


def in_place(graph: ModelGraph, run: Run) -> Iterator[Option]:
    """Where some activation may overwrite its input that does not."""
    if run.in_place is not True and may_overwrite(graph, run.torch):
        yield Option(Change("activations in place", "free"), 1, {"in_place": True})


def implementations(run: Run, device: Device) -> Iterator[Option]:
    """Forms of the optimizer that hold fewer temporaries than lists of all parameters."""
    if not run.trains or run.optimizer == "none":
        return
    known, now = forms(run.optimizer, device), implementation(run, device)
    for place, form in enumerate(IMPLEMENTATIONS, 1):
        if form in known and form != now:
            change = Change(f"optimizer {now} → {form}", "free")
            yield Option(change, place, {"optimizer_impl": form})


def in_backward(run: Run) -> Iterator[Option]:
    """Each gradient used as it comes. What does not suit it is refused where it is applied."""
    if run.trains and run.optimizer != "none" and not run.optimizer_in_backward:
        yield Option(Change("optimizer in backward", "free"), 1, {"optimizer_in_backward": True})


LOSSES = {"chunks=8": "loss in 8 chunks", "fused": "loss fused with the head"}
"""Ways to work out cross entropy without the scores of all tokens."""


def losses(graph: ModelGraph, run: Run) -> Iterator[Option]:
    loss = read_loss(graph.spec.loss)
    if not run.trains or loss.name != "cross_entropy" or loss.takes_head or scores_of(graph).tensor.rank != 3:
        return
    for place, (option, what) in enumerate(LOSSES.items(), 1):
        word = f"cross_entropy:{'shifted,' if loss.shifted else ''}{option}"
        if _suits(graph, word):
            yield Option(Change(what, "free"), place, altered={"loss": word})


def _suits(graph: ModelGraph, loss: str) -> bool:
    try:
        check_loss(replace(graph, spec=set_loss(graph.spec, loss)))
    except SpecError:
        return False
    return True


def modes(run: Run) -> Iterator[Option]:
    if run.mode == "infer-autograd":
        yield Option(Change("autograd off", "free"), 1, {"mode": "infer"})


# FLOPs


def recomputations(graph: ModelGraph, run: Run) -> Iterator[Option]:
    """Blocks, and runs of √n of the n layers (Chen et al. 2016, arXiv 1604.06174)."""
    if not run.trains or run.recompute != "none" or graph.checkpoints:
        return
    words = [f"every:{max(2, isqrt(len(graph.nodes)))}"]
    if segments(graph, "blocks"):
        words.insert(0, "blocks")
    for place, word in enumerate(words, 1):
        yield Option(_recomputed(word, graph, run), place, {"recompute": word})


def automatic(graph: ModelGraph, run: Run) -> Iterator[Option]:
    """The least that has to be recomputed, where the search for it takes seconds at the most."""
    is_searched = run.recompute == "none" and not graph.checkpoints and run.has_passes_apart
    if run.trains and is_searched and len(graph.nodes) <= MOST_SEARCHED:
        yield Option(_recomputed("auto", graph, run), 1, {"recompute": "auto"})


def _recomputed(word: str, graph: ModelGraph, run: Run) -> Change:
    twice = "batch norms that are computed again move their running statistics twice"
    return Change(f"recompute {word}", "FLOPs", twice if batch_norms(graph, run) else "")


# Arithmetic


def precisions(run: Run, profile: HardwareProfile) -> Iterator[Option]:
    if run.weight_dtype is not None:
        return
    rates = profile.rates.known()
    for place, alike in enumerate(PRECISIONS, 1):
        for precision in [each for each in alike if Run(precision=each).matmul_dtype in rates][:1]:
            if run.autocast is not None and precision.startswith("amp-"):
                continue
            if precision == "fp16" and run.trains:  # gradients vanish in float16 without float32 weights
                continue
            change = Change(f"precision {run.precision} → {precision}", "arithmetic")
            yield Option(change, place, {"precision": precision})


QUANTISED = ("int8", "nf4")
"""From the nearest to 16 bits to the furthest, behind all precisions: bitsandbytes', for GPUs."""


def quantisations(graph: ModelGraph, run: Run, device: Device) -> Iterator[Option]:
    """Weights that do not train, in few bits."""
    has_linear = any(isinstance(node.layer, Linear) for node in graph.nodes)
    if device != "cuda" or graph.spec.weights or not has_linear:
        return
    of_frozen = run.trains and not (graph.spec.adapt or graph.spec.freeze)
    for place, word in enumerate(QUANTISED, 1 + len(PRECISIONS)):
        yield Option(Change(f"weights {word}", "arithmetic"), place, altered={"weights": (word,)}, of_frozen=of_frozen)


# Transfers


OFFLOADED = (
    "activations",
    "optimizer",
    "optimizer,activations",
    "optimizer,weights",
    "optimizer,weights,activations",
)
"""From what moves least to what moves most."""


def transfers(run: Run, profile: HardwareProfile) -> Iterator[Option]:
    """What lies on the host, of a device that has a memory of its own; states of bitsandbytes in pages."""
    if run.offloaded or not has_host(profile):
        return
    if not run.trains:
        yield Option(Change("offload weights", "transfers"), 1, {"offload": "weights"})
        return
    for place, parts in enumerate(OFFLOADED, 1):
        if run.optimizer != "none" or parts == "activations":
            yield Option(Change(f"offload {parts}", "transfers"), place, {"offload": parts})
    if run.optimizer in ("adam", "adamw") and profile.vendor == "NVIDIA":
        paged = f"{run.optimizer}:paged"
        settings = {"optimizer": paged, "optimizer_impl": None}
        yield Option(Change(f"optimizer {run.optimizer} → {paged}", "transfers"), len(OFFLOADED) + 1, settings)


# Training


def optimizers(run: Run, profile: HardwareProfile, device: Device) -> Iterator[Option]:
    """8-bit states are a library for NVIDIA's GPUs."""
    if not run.trains or run.optimizer in ("none", "sgd"):
        return
    for place, optimizer in enumerate(OPTIMIZERS, 1):
        if optimizer == run.optimizer or (optimizer == "adamw-8bit" and profile.vendor != "NVIDIA"):
            continue
        form = run.optimizer_impl if run.optimizer_impl in forms(optimizer, device) else None
        settings = {"optimizer": optimizer, "optimizer_impl": form}
        yield Option(Change(f"optimizer {run.optimizer} → {optimizer}", "training"), place, settings)


# Adaptation


RANK = 16

LORA = f"lora:r={RANK},targets=all-linear"

LINEAR_SHARE = 0.5
"""Of the weights that must be in linear layers, so that adapters beside them are offered."""


def adaptations(graph: ModelGraph, run: Run) -> Iterator[Option]:
    """Adapters beside linear layers that do not train, where they hold most weights; the last layer alone."""
    if not run.trains or graph.spec.adapt or graph.spec.freeze:
        return
    sizes = {node.name: sum([weight.numel for weight in node.own_weights]) for node in graph.nodes}
    linear = [node for node in graph.nodes if isinstance(node.layer, Linear)]
    narrow = [node for node in linear[:-1] if min(node.weights[0].shape) < RANK]  # the last is the head, which has none
    most = sum([sizes[node.name] for node in linear]) > LINEAR_SHARE * sum(sizes.values())
    if len(linear) > 1 and most and not narrow:
        yield Option(Change(f"adapt {LORA}", "adaptation"), 1, altered={"adapt": (LORA,)})
    weighted = [node.name for node in graph.nodes if sizes[node.name] and node.trainable]
    if len(weighted) > 1:
        last = weighted[-1]
        what = f"freeze all but {last}"
        yield Option(Change(what, "adaptation"), 2, altered={"freeze": ("*",), "train": (last,)})


def free_kinds(graph: ModelGraph, run: Run, device: Device) -> tuple[tuple[Option, ...], ...]:
    return (
        tuple(in_place(graph, run)),
        tuple(modes(run)),
        tuple(implementations(run, device)),
        tuple(in_backward(run)),
        tuple(losses(graph, run)),
    )


def paid_kinds(graph: ModelGraph, run: Run, profile: HardwareProfile, device: Device) -> tuple[tuple[Option, ...], ...]:
    return (
        tuple(optimizers(run, profile, device)),
        tuple(precisions(run, profile)),
        tuple(recomputations(graph, run)),
        tuple(transfers(run, profile)),
        tuple(adaptations(graph, run)),
        tuple(quantisations(graph, run, device)),
    )
