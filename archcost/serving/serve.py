"""`serve`: what it takes to answer prompts with a cache on a device, and how many at once, how long, it can hold."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from archcost import hardware as profiles
from archcost.errors import ArchcostError, nearest, shorten
from archcost.estimates.devices import caches as has_caching_allocator
from archcost.estimates.devices import torch_device
from archcost.estimates.verdict import Limits, Verdict, limits
from archcost.files.result import Result
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.passes.caches import Cached
from archcost.passes.run import Precision, Run
from archcost.serving.limits import most_that_fits
from archcost.serving.memory import CACHE_DTYPES, MOST, CacheDtype, CacheSize, StepMemory, cache_dict
from archcost.serving.speed import Rate, Speed, roof_of
from archcost.serving.steps import Steps
from archcost.serving.throughput import Load, Throughput, of_engine
from archcost.spec import ModelSpec
from archcost.spec.changes import WeightsGiven, changed
from archcost.spec.given import Network, spec_of
from archcost.terms.autograd import Device
from archcost.times import StepTime
from archcost.times.choose import Chosen, choose

CHUNK = 8192
"""Tokens of prompts that go through at once: what vLLM, SGLang and TensorRT-LLM begin with on large GPUs."""

WEIGHTS: tuple[Precision, ...] = ("bf16", "fp16", "fp32")


@dataclass(frozen=True)
class Service:
    """What is asked: sequences of `prompt` tokens to which `new` are written, `concurrency` of them at once."""

    prompt: int
    new: int
    concurrency: int = 1
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        for name, meaning in ASKED.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= MOST:
                raise ArchcostError(meaning, expected=f"an integer from 1 to {MOST:,}", found=shorten(value))

    @property
    def context(self) -> int:
        """Tokens of each sequence at its end."""
        return self.prompt + self.new

    @property
    def at_once(self) -> tuple[int, int]:
        """Of a step over prompts the tokens of each, and how many of them go together."""
        tokens = min(self.prompt, self.chunk)
        return tokens, max(1, min(self.concurrency, self.chunk // tokens))


ASKED = {
    "prompt": "the prompt is a number of tokens",
    "new": "what is new is a number of tokens",
    "concurrency": "concurrency is a number of sequences",
    "chunk": "a chunk is a number of tokens",
}


@dataclass(frozen=True, repr=False)
class Serving(Result):
    """A network that answers on a device. `to_dict()` is `archcost serve --format json`."""

    memory: StepMemory
    cache: CacheSize
    hardware: HardwareProfile
    service: Service
    weights: str
    chosen: Chosen
    """Which calibration the times rest on."""

    @property
    def network(self) -> str:
        return self.memory.steps.spec.label

    @property
    def headline(self) -> str:
        where = f"{self.network} on {self.hardware.name}"
        return f"{where}, {self.service.concurrency:,} × {self.service.context:,} tokens: {self.verdict}"

    @property
    def caches(self) -> tuple[Cached, ...]:
        return self.cache.attentions

    @property
    def kv_bytes(self) -> int:
        """Of the cache once every sequence is at its end, in whole blocks."""
        return self.cache.of(self.service.context, self.service.concurrency) - self.state_bytes

    @property
    def state_bytes(self) -> int:
        return self.service.concurrency * self.cache.per_sequence

    @cached_property
    def activations(self) -> int:
        """Bytes that the larger of the two steps makes and drops."""
        return self._activations(self.service)

    def _activations(self, service: Service) -> int:
        tokens, together = service.at_once
        first = self.memory.prefill(tokens, together)
        return max(first, self.memory.decode(service.context - 1, service.concurrency))

    @property
    def workspace(self) -> int:
        """Bytes of the library of matrix products."""
        library = self.hardware.workspace
        return 0 if library is None or not has_caching_allocator(self.hardware) else int(library.amount)

    def _beside_cache(self, service: Service) -> int:
        return self.memory.weights + self.workspace + self._activations(service)

    def _needed(self, service: Service) -> int:
        return self._beside_cache(service) + self.cache.of(service.context, service.concurrency)

    @cached_property
    def needed(self) -> int:
        """Bytes of weights, cache, activations and workspaces."""
        return self._needed(self.service)

    @property
    def limits(self) -> Limits:
        return limits(self.hardware)

    @property
    def verdict(self) -> Verdict:
        return self.limits.verdict(self.needed)

    @property
    def fits(self) -> bool:
        return self.verdict != "does not fit"

    @property
    def context_bytes(self) -> int | None:
        """What the driver takes beside all that; None where the profile does not say."""
        return None if self.hardware.context is None else int(self.hardware.context.amount)

    @cached_property
    def max_context(self) -> int:
        """The most tokens of a sequence, prompt and answer, with which as many as are asked for fit; 0 for none."""
        table = self.memory.steps.most_positions
        most = MOST if table is None else table[0]
        tokens = min(most, max(2, self.service.context))
        for _ in range(ROUNDS):  # what steps make depends little on it
            room = self.limits.safe - self._beside_cache(self._long(tokens))
            if room < 0:
                return most_that_fits(lambda count: self._needed(self._long(count)) <= self.limits.safe, tokens)
            found = min(most, self.cache.tokens_in(room, self.service.concurrency))
            if found == tokens:
                break
            tokens = max(2, found)
        while tokens >= 2 and self._needed(self._long(tokens)) > self.limits.safe:
            tokens = tokens * 15 // 16
        return tokens if tokens >= 2 else 0

    def _long(self, tokens: int) -> Service:
        return replace(self.service, prompt=tokens - 1, new=1)

    @cached_property
    def max_concurrency(self) -> int:
        """The most sequences of this prompt and answer that fit at once; 0 where not even one does."""
        low, high = 0, MOST
        while high - low > 1:
            middle = min((low + high) // 2, 2 * low + 1)  # few are most likely
            fits = self._needed(replace(self.service, concurrency=middle)) <= self.limits.safe
            low, high = (middle, high) if fits else (low, middle)
        return low

    @cached_property
    def speed(self) -> Speed:
        return Speed(self.memory, self.hardware, self.chosen, self.cache.dtype)

    @property
    def _middle(self) -> int:
        """Tokens before the middle one of an answer."""
        return self.service.prompt + self.service.new // 2

    @cached_property
    def first_token(self) -> StepTime | None:
        """A prompt alone, to its first token."""
        return self.speed.first(self.service.prompt)

    @cached_property
    def per_token(self) -> StepTime | None:
        """The middle token of every answer."""
        return self.speed.token(self._middle, self.service.concurrency)

    @cached_property
    def rate(self) -> Rate | None:
        """Tokens a second in as many sequences as are asked for."""
        return self.speed.rate(self._middle, self.service.concurrency)

    @cached_property
    def best_rate(self) -> Rate | None:
        """The same in as many sequences as fit: each more shares the weights that are read."""
        return self.speed.rate(self._middle, self.max_concurrency) if self.max_concurrency else None

    @cached_property
    def many_requests(self) -> Throughput | None:
        """Tokens a second of an engine to which such requests come all the time; None of another kind of device."""
        return of_engine(self.memory, self.cache, self.hardware, Load(self.service.prompt, self.service.new))

    @property
    def time_notes(self) -> tuple[str, ...]:
        if self.per_token is not None:
            return self.per_token.notes
        return (f"{self.hardware.name} has no rate for {self.memory.run.matmul_dtype}",)

    @property
    def unknown(self) -> tuple[str, ...]:
        missing: tuple[str, ...] = () if self.context_bytes is not None else ("memory.context_bytes",)
        times = ("first_token_seconds", "per_token_seconds", "tokens_per_second")
        if self.per_token is None or self.per_token.step is None:
            missing = (*missing, *(f"time.{name}" for name in times))
        return (*missing, *self.memory.steps.whole.unknown)

    def to_dict(self) -> dict[str, Any]:
        service = self.service
        return {
            "schema": "archcost.serve/1",
            "network": self.network,
            "title": self.memory.steps.spec.title or self.network,
            "hardware": self.hardware.name,
            "prompt": service.prompt,
            "new": service.new,
            "concurrency": service.concurrency,
            "chunk": service.chunk,
            "block": self.cache.block,
            "weights": self.weights,
            "cache": self.cache.dtype,
            "unknown": list(self.unknown),
            "memory": {
                "weights_bytes": self.memory.weights,
                "kv_bytes_per_token": self.cache.per_token,
                "kv_bytes_per_token_beyond_windows": self.cache.per_token_beyond,
                "state_bytes_per_sequence": self.cache.per_sequence,
                "kv_bytes": self.kv_bytes,
                "state_bytes": self.state_bytes,
                "activations_bytes": self.activations,
                "workspace_bytes": self.workspace,
                "peak_bytes": self.needed - self.workspace,
                "needed_bytes": self.needed,
                "context_bytes": self.context_bytes,
                "capacity_bytes": self.hardware.memory.capacity,
                "safe_bytes": self.limits.safe,
                "most_bytes": self.limits.most,
                "fits": self.fits,
                "verdict": self.verdict,
                "status": "exact under assumptions",
            },
            "caches": [cache_dict(each, self.cache) for each in self.caches],
            "max_context": self.max_context,
            "max_concurrency": self.max_concurrency,
            "time": self._times(),
        }

    def _times(self) -> dict[str, Any]:
        first, token, rate = self.first_token, self.per_token, self.rate
        known = first is not None and token is not None and rate is not None
        return {
            "first_token_seconds": first.step if known and first else None,
            "per_token_seconds": token.step if known and token else None,
            "tokens_per_second": rate.likely if known and rate else None,
            "status": token.status if token else None,
            "engine": token.engine if token else None,
            "band": {
                "first_token": list(first.band) if first else None,
                "per_token": list(token.band) if token else None,
                "tokens_per_second": [rate.low, rate.high] if rate else None,
            },
            "roof": {
                "first_token": roof_of(first) if first else None,
                "per_token": roof_of(token) if token else None,
            },
            "best": self.best_rate.to_dict() if self.best_rate else None,
            "many_requests": self.many_requests.to_dict() if self.many_requests else None,
            "notes": list(self.time_notes),
        }


ROUNDS = 6


def serve(
    network: Network,
    *,
    hardware: str | HardwareProfile,
    prompt: int,
    new: int,
    concurrency: int = 1,
    precision: str | None = None,
    weights: WeightsGiven | None = None,
    cache: str | None = None,
    chunk: int = CHUNK,
    latent: bool = True,
    remade: Callable[[int], ModelSpec] | None = None,
    engine: str | None = None,
    calibration: Calibration | None = None,
) -> Serving:
    """Inference with a cache on a device: `concurrency` sequences of `prompt` tokens, to each of which `new` are
    written.

    `precision` is bf16 (default), fp16 or fp32, and `weights` a format of few bits, as in `archcost.adapt`, or one of
    these words; `cache` is fp16, bf16, fp8 or int8, by default that of the weights. A step takes at most `chunk` tokens
    of prompts. With `latent: false` keys and values are kept where a latent, of which they are made, would do. `remade`
    makes the network for so many tokens, where no parameter of it is their number, as of an imported module. `engine`
    and `calibration` are what times rest on, as in `archcost.estimate`. Raises ArchcostError for what is wrong in
    these, for a network that makes no cache, and for a context that is longer than its table of positions.
    """
    spec, profile, service = spec_of(network), profiles.profile_of(hardware), Service(prompt, new, concurrency, chunk)
    if weights is not None and weights in WEIGHTS:
        precision, weights = precision or str(weights), None
    if weights is not None:
        spec = changed(spec, weights=weights)
    chosen = _precision(precision, profile)
    run = Run(mode="infer", precision=chosen, cache=False)
    memory = _memory_of(spec, latent, run, torch_device(profile), remade)
    steps = memory.steps
    _ = steps.tokens
    table = steps.most_positions
    if table is not None and service.context > table[0]:
        raise ArchcostError(
            f"{spec.name} has no row for a position so far behind",
            expected=f"prompt and answer of at most {table[0]:,} tokens together",
            found=f"{service.prompt:,} + {service.new:,}",
            layer=table[1],
        )
    dtype = _cache_dtype(cache, chosen)
    size = CacheSize(steps.caches.attentions, steps.times, dtype, states=memory.states)
    found = choose(profile, run, engine, calibration)
    return Serving(memory, size, profile, service, _told(spec, chosen), found)


_KNOWN: dict[int, dict[tuple[object, ...], StepMemory]] = {}
"""By the identity of a spec, as long as it lives: another device or prompt asks for the same steps."""


def _memory_of(
    spec: ModelSpec, latent: bool, run: Run, device: Device, remade: Callable[[int], ModelSpec] | None
) -> StepMemory:
    if id(spec) not in _KNOWN:
        _KNOWN[id(spec)] = {}
        weakref.finalize(spec, _KNOWN.pop, id(spec))
    known = _KNOWN[id(spec)]
    key = (latent, run, device, remade)
    if key not in known:  # of a copy, which does not keep the spec alive
        known[key] = StepMemory(Steps(spec.model_copy(), latent, remade=remade), run, device)
    return known[key]


def _told(spec: ModelSpec, precision: Precision) -> str:
    """Of the weights: their formats of few bits, or the dtype of all."""
    return ", ".join(map(str, spec.weights)) or precision


def _precision(weights: str | None, profile: HardwareProfile) -> Precision:
    """Of the weights: bf16, or fp16 where the device does not multiply in it."""
    if weights is None:
        rates = profile.rates.known()
        return "fp16" if "bfloat16" not in rates and "float16" in rates else "bf16"
    for known in WEIGHTS:
        if weights == known:
            return known
    raise ArchcostError(
        "weights are in a dtype that is not known",
        expected=", ".join(WEIGHTS),
        found=shorten(weights),
        hint=nearest(str(weights), WEIGHTS),
    )


def _cache_dtype(cache: str | None, precision: Precision) -> CacheDtype:
    for known in CACHE_DTYPES:
        if known == (precision if cache is None else cache):
            return known
    raise ArchcostError(
        "the cache is in a dtype that is not known",
        expected=", ".join(CACHE_DTYPES),
        found=shorten(cache),
        hint=nearest(str(cache), CACHE_DTYPES),
    )
