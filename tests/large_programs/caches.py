"""Compares what networks keep of past tokens with transformers' own cache objects:
`python -m tests.large_programs.caches` (minutes; transformers installed, no download).

In full size a model runs on the meta device: the elements of its cache after a prompt, and after one token more. Small
ones run on the CPU: the peak of tensors over a prompt and over a token after it, caches included, and the FLOPs of that
token by torch's counter. `tests/large_programs/caches.csv` keeps what came of it, `docs/caches.md` shows it.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost import ModelSpec, Run
from archcost.passes.caches import Cached
from archcost.pytorch.tracker import Tracker
from archcost.serving.lengths import with_tokens
from archcost.serving.steps import Steps
from tests.collections.compiled import declare_operators
from tests.large_programs.cache_rows import FAMILIES, Family
from tests.large_programs.family_rows import RELEASED, shaped
from tests.large_programs.kept import read_rows, write_rows
from tests.large_programs.other_rows import ROWS

HERE = Path(__file__).parent
RESULTS = HERE / "caches.csv"
PAGE = HERE.parents[1] / "docs" / "caches.md"

TOKENS = 24
"""Of a prompt."""
BATCH = 2

OTHERS = {row.network: row for row in ROWS}
ENCODERS = ("bert", "roberta", "distilbert", "modernbert")
"""Which keep nothing."""


class Result(NamedTuple):
    """Ours beside transformers': elements of a prompt and of a token more, bytes at peaks, MACs of a token."""

    network: str
    kind: str
    prompt: int
    library_prompt: int
    token: int
    library_token: int
    prefill_fp32: int = 0
    library_prefill_fp32: int = 0
    decode_fp32: int = 0
    library_decode_fp32: int = 0
    prefill_bf16: int = 0
    library_prefill_bf16: int = 0
    decode_bf16: int = 0
    library_decode_bf16: int = 0
    macs: int = 0
    library_macs: int = 0


def model(family: Family, values: Any) -> nn.Module:
    library: Any = import_module("transformers")
    config = getattr(library, family.config)(**family.fields(values))
    config._attn_implementation = "sdpa"
    return getattr(library, family.kind)(config).eval()


def given(family: Family, values: Any, tokens: int, batch: int, device: str) -> dict[str, Any]:
    ids = torch.zeros(batch, tokens, dtype=torch.int64, device=device)
    if family.config == "WhisperConfig":
        sound = torch.zeros(batch, 80, 2 * values["frames"], device=device)
        return {"input_features": sound, "decoder_input_ids": ids}
    return {"input_ids": ids}


def lowered(given: dict[str, Any], dtype: torch.dtype = torch.bfloat16) -> dict[str, Any]:
    return {key: value.to(dtype) if value.is_floating_point() else value for key, value in given.items()}


def next_token(family: Family, out: Any, batch: int, device: str) -> dict[str, Any]:
    one = torch.zeros(batch, 1, dtype=torch.int64, device=device)
    if family.config == "WhisperConfig":
        return {"encoder_outputs": (out.encoder_last_hidden_state,), "decoder_input_ids": one}
    return {"input_ids": one}


def kept(cache: Any) -> int:
    """Elements of all tensors that a cache holds, as they are seen."""
    return sum(tensor.numel() for tensor in tensors_in(cache))


def tensors_in(cache: Any) -> Iterator[Tensor]:
    both = hasattr(cache, "self_attention_cache")
    halves = [cache.self_attention_cache, cache.cross_attention_cache] if both else [cache]
    for half in halves:
        for layer in half.layers:
            for value in vars(layer).values():
                for tensor in value.values() if isinstance(value, dict) else [value]:
                    if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.dim() > 1:
                        yield tensor


def ours(cached: tuple[Cached, ...], times: Any, tokens: int) -> int:
    """Elements after so many tokens, as transformers keeps them: of a window all but the position that sees it."""
    found = 0
    for each in cached:
        positions = each.kept(tokens) if each.window is None else min(tokens, each.window - 1)
        found += times.get(each.layer, 1) * each.elements * positions
    return found


def exact(name: str) -> tuple[str, int, int, int, int]:
    """Kinds of what is kept; elements after a prompt, ours and the library's; those of a token more, likewise. The
    prompt is longer than the windows, where there are any.
    """
    spec = archcost.load(name)
    steps = Steps(spec)
    found = steps.caches
    tokens = max([each.window + 8 for each in found.attentions if each.window], default=TOKENS)
    with torch.device("meta"), torch.no_grad():
        whole = released(name).to(torch.bfloat16).eval()  # some operators know no other dtype there
        values = with_tokens(spec, steps.tokens, tokens)
        first_given = lowered({given: zeros.to("meta") for given, zeros in named_inputs(name, values)})
        first = whole(**first_given, use_cache=True)
        before = kept(cache_of(first))
        whole(**token_given(first, first_given), use_cache=True)
        after = kept(cache_of(first))
    states = sum(steps.times.get(each.layer, 1) * each.elements for each in found.states)
    mine = [states + ours(found.attentions, steps.times, count) for count in (tokens, tokens + 1)]
    kinds = " and ".join(sorted({*(each.kind for each in found.attentions), *(["state"] * bool(found.states))}))
    return kinds, mine[0], before, mine[1] - mine[0], after - before


def released(name: str) -> nn.Module:
    """transformers' module in full size."""
    if name in RELEASED:
        kind, fields = RELEASED[name]
        module: Any = kind.module(fields)
        return module.module
    if name in OTHERS:
        return OTHERS[name].module({})
    family = next(family for family in FAMILIES if name in family.names)
    return model(family, archcost.load(name).values)


def named_inputs(name: str, spec: ModelSpec) -> Iterator[tuple[str, Tensor]]:
    names = RELEASED[name][0].inputs if name in RELEASED else ("input_ids",)
    return zip(names, shaped(spec, 1), strict=True)


def cache_of(out: Any) -> Any:
    return out.past_key_values if getattr(out, "past_key_values", None) is not None else out.cache_params


def token_given(out: Any, first: dict[str, Any]) -> dict[str, Any]:
    """What the next step is called with."""
    one = torch.zeros(1, 1, dtype=torch.int64)
    cached = "past_key_values" if getattr(out, "past_key_values", None) is not None else "cache_params"
    if "decoder_input_ids" in first:
        read = (out.encoder_last_hidden_state,)
        return {"encoder_outputs": read, "decoder_input_ids": one, cached: cache_of(out)}
    return {"input_ids": one, cached: cache_of(out)}


def peaks(family: Family, spec: ModelSpec, precision: str) -> tuple[int, int, int]:
    """Of the library: the peaks over a prompt and over a token after it, and that token's MACs."""
    values = spec.values
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    torch.manual_seed(0)
    module = model(family, values).to(dtype)
    first_given = lowered(given(family, values, TOKENS, BATCH, "cpu"), dtype)
    tracker = Tracker()
    tracker.hold([*module.parameters(), *module.buffers(), *first_given.values()])
    with torch.no_grad(), tracker.watching():
        tracker.mark("prefill")
        out = module(**first_given, use_cache=True, logits_to_keep=1)
        prefill = tracker.peak
        after = next_token(family, out, BATCH, "cpu")
        cache = out.past_key_values
        del out, first_given
        gc.collect()
        tracker.mark("decode")
        module(**after, past_key_values=cache, use_cache=True)
        decode = tracker.peak
    with torch.no_grad(), torch.device("meta"):
        lone = model(family, values)
        first = lone(**given(family, values, TOKENS, BATCH, "meta"), use_cache=True)
    with torch.no_grad(), torch.device("meta"), FlopCounterMode(display=False) as counter:
        lone(**next_token(family, first, BATCH, "meta"), past_key_values=first.past_key_values, use_cache=True)
    return prefill, decode, counter.get_total_flops() // 2


def of_ours(spec: ModelSpec, precision: Any) -> tuple[int, int, int]:
    """The same of ours."""
    steps = Steps(spec, latent=False, grows=True)
    run = Run(mode="infer", precision=precision, cache=False)
    first = archcost.timeline(steps.prefill(TOKENS, BATCH), run, "cpu")
    second = archcost.timeline(steps.decode(TOKENS, BATCH), run, "cpu")
    assert not steps.times, "a small network stands for itself"
    return first.peak, second.peak, archcost.cost(steps.decode(TOKENS, BATCH)).macs


def measure(family: Family | None, name: str) -> Result:
    found = Result(name, *exact(name))
    if family is None or not family.less:
        return found
    spec = family.small(name, TOKENS)
    for precision in ("fp32", "bf16"):
        theirs, mine = peaks(family, spec, precision), of_ours(spec, precision)
        columns = {
            f"prefill_{precision}": mine[0],
            f"library_prefill_{precision}": theirs[0],
            f"decode_{precision}": mine[1],
            f"library_decode_{precision}": theirs[1],
            "macs": mine[2],
            "library_macs": theirs[2],
        }
        found = found._replace(**columns)
    return found


def read() -> list[Result]:
    return read_rows(RESULTS, Result)


def write(results: list[Result]) -> None:
    write_rows(RESULTS, results)
    PAGE.write_text(page(results), encoding="utf-8")


ABOUT = f"""# Caches beside transformers

Made by `python -m tests.large_programs.caches`, by hand, with transformers {{version}} and torch {{torch}} on a CPU.

**Kept** are elements of the cache after a prompt of {TOKENS} tokens (beyond the windows, where there are any), and what
one token more adds: those of the tensors in transformers' own cache object, which a model in full size fills on the
meta device, beside what `archcost serve` reads off the declared network.
{{equal}} of {{all}} networks agree in both.

transformers keeps of a window of W positions the W - 1 that the next token sees, and copies all of what it keeps with
each token; engines have room for W. Of DeepSeek's attention it keeps the latent, as engines do.
"""

KEPT = """
| network | keeps | of the prompt | transformers | of a token more | transformers |
|---|---|---|---|---|---|
"""

PEAKS = """
**Peaks** are bytes of all tensors that live at once, weights and caches included, over a prompt of {batch} x {tokens}
tokens (the head sees the last of them alone) and over one token after it, of small networks of each family: measured
by a dispatch mode, beside the played step. **MACs** of that token are torch's counter's.

What differs are the numbers of positions, which transformers makes in int64 and drops late; and of a window the keys
before, which it drops only when the values are copied as well. For the networks of Llama's family the variable that
holds the embedded tokens until the end is put in by hand here; what is served has it gone after its last reader.

| network | prefill fp32 | is | decode fp32 | is | prefill bf16 | is | decode bf16 | is | MACs of a token | torch's |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def page(results: list[Result]) -> str:
    agree = sum(row.prompt == row.library_prompt and row.token == row.library_token for row in results)
    head = ABOUT.format(version=version("transformers"), torch=torch.__version__, equal=agree, all=len(results))
    rows = [
        f"| `{row.network}` | {row.kind} | "
        f"{row.prompt:,} | {row.library_prompt:,} | {row.token:,} | {row.library_token:,} |"
        for row in results
    ]
    small = [row for row in results if row.macs]
    peaked = [
        f"| `{row.network}` | {_beside(row.prefill_fp32, row.library_prefill_fp32)} | "
        f"{_beside(row.decode_fp32, row.library_decode_fp32)} | "
        f"{_beside(row.prefill_bf16, row.library_prefill_bf16)} | "
        f"{_beside(row.decode_bf16, row.library_decode_bf16)} | {row.macs:,} | {row.library_macs:,} |"
        for row in small
    ]
    lines = [head + KEPT + "\n".join(rows), PEAKS.format(batch=BATCH, tokens=TOKENS) + "\n".join(peaked), ""]
    return "\n".join(lines)


def _beside(predicted: int, measured: int) -> str:
    return f"{predicted:,} | {100 * (predicted / measured - 1):+.2f} %"


def main() -> None:
    torch.set_num_threads(1)
    library = declare_operators()  # has to live as long as its operators are called
    wanted = set(sys.argv[1:])
    results = {result.network: result for result in read()} if wanted and RESULTS.exists() else {}
    small = {name: family for family in FAMILIES for name in family.names}
    order = [name for name in dict.fromkeys([*small, *RELEASED, *OTHERS]) if not name.startswith(ENCODERS)]
    for name in order:
        if not wanted or name in wanted:
            results[name] = measure(small.get(name), name)
            print(*results[name], flush=True)
    write([results[name] for name in order if name in results])
    del library


if __name__ == "__main__":
    main()
