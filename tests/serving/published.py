"""Published runs of TensorRT-LLM beside what `throughput` says of them; `python -m tests.serving.published` fits its
constants again and leaves each network out in turn.

The rows (trtllm.csv) are those of the performance overview of TensorRT-LLM's documentation, pages @00f37686 (v1.0) and
@03e27c7d, of networks that ship here: output tokens a second at the most load, a prompt and an answer of so many
tokens. Left out are networks that do not ship and the RTX PRO 6000 Server, which has no profile. The batch is not
stated. FP8 weights take a byte, FP4 half a byte and a scale of a byte for 16; the experts of gpt-oss are in FP4 and all
else of it in 16 bits wherever it runs; the cache is in FP8.
"""

from __future__ import annotations

import csv
import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import archcost
from archcost.serving.memory import CacheSize
from archcost.serving.steps import Steps
from archcost.serving.throughput import BAND, Load, Products, Reached, Throughput, Weights, throughput

DEVICES = {
    "H100": ("nvidia-h100-sxm5-80gb", 1978.9e12, 1978.9e12),
    "H200": ("nvidia-h200-sxm", 1978.9e12, 1978.9e12),
    "B200": ("nvidia-b200-sxm", 4500e12, 9000e12),
    "GB200": ("nvidia-b200-sxm", 5000e12, 10000e12),  # the same memory, and clocks a ninth higher
}
"""Profile, and dense FLOP/s with weights in 8 and in 4 bits (data sheets of H100, H200, HGX B200 and GB200 NVL72)."""


class Row(NamedTuple):
    page: str
    network: str
    gpu: str
    gpus: int
    parallel: str
    weights: str
    prompt: int
    new: int
    measured: float


def rows() -> Iterator[Row]:
    with (Path(__file__).parent / "trtllm.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            numbers = (int(row["prompt"]), int(row["new"]), float(row["tokens_per_second"]))
            words = (row["page"], row["network"], row["gpu"], int(row["gpus"]), row["parallel"], row["weights"])
            yield Row(*words, *numbers)


class Network(NamedTuple):
    products: Products
    cache: CacheSize
    dense: int
    experts: int
    table: int
    chosen: float


@cache
def network(name: str) -> Network:
    """Parameters of a network: dense ones, experts', of the table of tokens (and as many of the head)."""
    steps = Steps(archcost.load(name))
    values = steps.spec.values
    experts, chosen = values.get("experts"), values.get("chosen")
    counted = {"dense": 0, "experts": 0, "table": 0}
    for node in steps.whole.nodes:
        numel = sum(weight.numel for weight in node.own_weights if not weight.is_buffer)
        is_experts = node.layer.type == "parameter" and node.output_types[0].shape[:1] == (experts,)
        kind = "table" if node.layer.type == "embedding" else "experts" if is_experts else "dense"
        counted[kind] += numel * steps.whole_times.get(node.name, 1)
    share = chosen / experts if isinstance(experts, int) and isinstance(chosen, int) else 1.0
    products = Products.of(steps)
    return Network(products, CacheSize(steps.caches.attentions, steps.times, "fp8"), **counted, chosen=share)


def predicted(row: Row, reached: Reached | None = None) -> Throughput:
    net = network(row.network)
    device, in_8_bits, in_4_bits = DEVICES[row.gpu]
    mixed = row.network.startswith("gpt_oss")
    narrow = 9 / 16 if row.weights == "FP4" or mixed else 1.0
    head = net.products.head
    rest = (net.dense - head) * (2.0 if mixed else narrow) + 2 * head
    experts = net.experts * narrow
    weights = Weights(rest + experts + 2 * net.table, rest, experts)
    rate = in_4_bits if row.weights == "FP4" else in_8_bits
    load = Load(row.prompt, row.new, row.gpus)
    extra = () if reached is None else (reached,)
    found = throughput(net.products, weights, net.cache, archcost.hardware.load(device), rate, load, net.chosen, *extra)
    assert found is not None
    return found


def ratios(found: Sequence[Row], reached: Reached | None = None) -> list[float]:
    return [row.measured / predicted(row, reached).likely for row in found]


def within(found: Sequence[float]) -> float:
    """The share that lies in the band."""
    return sum(BAND[0] <= ratio <= BAND[1] for ratio in found) / len(found)


def fitted(found: Sequence[Row]) -> Reached:
    """Of a grid, the constants with which the logarithms are off the least, in the mean."""
    grid = itertools.product((0.5, 0.7, 0.9), (0.1, 0.12, 0.15, 0.2), (0.5, 0.6, 0.7, 0.8), (0.01, 0.02, 0.03))
    return min((Reached(*each) for each in grid), key=lambda each: _off(ratios(found, each)))


def _off(found: Sequence[float]) -> float:
    return sum(abs(math.log(ratio)) for ratio in found) / len(found)


def main() -> None:
    every = list(rows())
    print(fitted(every))
    for name in dict.fromkeys(row.network for row in every):
        own = [row for row in every if row.network == name]
        reached = fitted([row for row in every if row.network != name])
        left_out = ratios(own, reached)
        print(name, reached, f"{statistics.median(left_out):.2f}", f"{within(left_out):.0%} of {len(own)}")


if __name__ == "__main__":
    main()
