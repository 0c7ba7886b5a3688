"""Tokens a second of an engine with many requests at once: a bound from the data sheet, and what engines reach of it.

While requests come and go, a step is shared by as many sequences as the memory holds at their mean length. A token of
an answer then takes its own products and its share of those of the prompt; its sequence's cache, and its share of the
weights. The bound has both at the full rates, one hidden behind the other. Engines reach a share of each, one after
the other, and take some time a step: four constants, fitted to published runs (tests/serving/trtllm.csv).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from archcost.hardware.profile import HardwareProfile
from archcost.passes.layer_rules import weight_type
from archcost.passes.order import in_precision
from archcost.serving.memory import CacheSize, StepMemory
from archcost.serving.steps import Steps


class Reached(NamedTuple):
    """Shares of the rate of products, dense ones and those of experts, and of the bandwidth; seconds of a step."""

    dense: float
    experts: float
    bandwidth: float
    step: float


TENSORRT_LLM = Reached(0.9, 0.12, 0.7, 0.02)
"""Of 156 rows of its performance overview, six networks on four devices of 1 to 8, 8- and 4-bit weights."""

BAND = (0.5, 2.0)
"""Of the likely value: with each family by constants that the five others ask for, 151 of the 156 rows lay within."""

MOST_SEQUENCES = 4096
"""At once on a device."""

FRACTION = 0.93
"""Of a device's memory that weights and cache take; published rows have 0.90 to 0.95 of what is free."""


class Load(NamedTuple):
    """Requests that come all the time: tokens of a prompt and of its answer, and devices that share everything."""

    prompt: int
    new: int
    devices: int = 1


class Weights(NamedTuple):
    """Bytes of all weights, of those that each step reads, and of experts', of which it reads those that are chosen."""

    stored: float
    read: float
    experts: float


@dataclass(frozen=True)
class Throughput:
    """Tokens of answers a second, of all devices together."""

    bound: float
    likely: float
    sequences: int

    @property
    def band(self) -> tuple[float, float]:
        """Holds nine rows in ten, and no more than the bound."""
        low, high = BAND
        return self.likely * low, min(self.likely * high, self.bound)

    def to_dict(self) -> dict[str, Any]:
        return {
            "engine": "TensorRT-LLM",
            "status": "public",
            "concurrency": self.sequences,
            "tokens_per_second": self.likely,
            "band": list(self.band),
            "bound": self.bound,
        }


@dataclass(frozen=True)
class Products:
    """MACs of one token: of weights, and of attention after so many; how many experts there are, and are chosen."""

    steps: Steps
    head: int
    """Of the last layer, which a prompt goes through once."""

    @classmethod
    def of(cls, steps: Steps) -> Products:
        head = [node for node in steps.whole.nodes if node.layer.type == "linear"][-1]
        return cls(steps, head.weights[0].numel)

    def of_token(self, past: int) -> tuple[float, float]:
        """MACs with weights, and with keys and values."""
        steps = self.steps
        graph, times = steps.decode(past, steps.share), steps.times_at(1)
        weighed = attended = 0
        for node in graph.nodes:
            macs = times.get(node.name, 1) * sum([work.forward.contraction for work in node.facts.work]) // 2
            pairs = node.layer.type in PAIRED and not node.weights
            weighed, attended = (weighed, attended + macs) if pairs else (weighed + macs, attended)
        return weighed / steps.share, attended / steps.share


def weights_read(memory: StepMemory) -> Weights:
    """Of a network in a run's dtypes. Of the table of tokens a step reads a row, unless it is the head as well."""
    graph = in_precision(memory.steps.whole, memory.run, memory.device)
    experts, tables = 0, 0
    lent = {node.shared.owner for node in graph.nodes if node.shared is not None}
    grouped = {port.producer for node in graph.nodes if node.layer.type == "grouped_mm" for port in node.reads}
    for node in graph.nodes:
        nbytes = sum([weight_type(weight, node).nbytes for weight in node.own_weights])
        times = memory.steps.whole_times.get(node.name, 1)
        experts += nbytes * times if node.name in grouped or node.layer.type == "grouped_mm" else 0
        tables += nbytes * times if node.layer.type == "embedding" and node.name not in lent else 0
    return Weights(memory.weights, memory.weights - tables - experts, experts)


def share_chosen(memory: StepMemory) -> float:
    """Of the experts, those that a token goes to."""
    values = memory.steps.spec.values
    experts, chosen = values.get("experts"), values.get("chosen")
    return chosen / experts if isinstance(experts, int) and isinstance(chosen, int) and experts else 1.0


def of_engine(memory: StepMemory, cache: CacheSize, hardware: HardwareProfile, load: Load) -> Throughput | None:
    """Of requests that come all the time to one device; None of other devices than NVIDIA's GPUs, which alone the
    engine runs on, and where there is no rate for the dtype, or no room.
    """
    rate = hardware.rates.known().get(memory.run.matmul_dtype)
    if rate is None or hardware.vendor != "NVIDIA" or hardware.kind != "gpu":
        return None
    products, weights = Products.of(memory.steps), weights_read(memory)
    return throughput(products, weights, cache, hardware, float(rate.amount), load, share_chosen(memory))


PAIRED = frozenset(["scaled_dot_product_attention", "matmul", "einsum"])


def throughput(
    products: Products,
    weights: Weights,
    cache: CacheSize,
    hardware: HardwareProfile,
    rate: float,
    load: Load,
    chosen: float = 1.0,
    reached: Reached = TENSORRT_LLM,
) -> Throughput | None:
    """`rate` is of products on one device, FLOP/s; `chosen` the share of experts that a token goes to. None where the
    weights leave no room for one sequence.
    """
    mean = load.prompt + load.new // 2
    room = FRACTION * load.devices * hardware.memory.capacity - weights.stored
    sequences = int(min(room // cache.of(mean), MOST_SEQUENCES * load.devices))
    if sequences < 1:
        return None
    weighed, attended = products.of_token(mean)
    before = weighed - products.head, products.of_token(max(1, load.prompt // 2))[1]
    flops = 2 * (weighed + attended + sum(before) * load.prompt / load.new)
    experts = weights.experts * (1 - (1 - chosen) ** sequences) if weights.experts else 0.0
    nbytes = (weights.read + experts) / sequences + cache.of(mean)
    computing = flops / (rate * load.devices)
    moving = nbytes / (hardware.memory.rate * load.devices)
    share = reached.experts if weights.experts else reached.dense
    likely = computing / share + moving / reached.bandwidth + reached.step / sequences
    return Throughput(1 / max(computing, moving), 1 / likely, sequences)
