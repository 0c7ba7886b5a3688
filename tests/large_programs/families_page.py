"""docs/families.md: what families.py found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import archcost
from archcost.comparison import totals
from tests.documents import ROOT
from tests.large_programs.families import RESULTS, SMALL_RESULTS, Peaks, Released
from tests.large_programs.kept import read_rows

PAGE = ROOT / "docs" / "families.md"

INTRODUCTION = """\
# Language models beside transformers

Made by `make families` from transformers 5.24, whose modules are made from the released configurations; nothing is
downloaded. `archcost list` has these networks' titles, `specs/families` how they are declared.

## In full size

Parameters as others have published them (a spec's `published` says who), and as the module has them; `layers` says
whether each has weights of the same shapes. FLOPs are those of contractions, forward, for one sample of 128 tokens, as
torch counts them on the meta device. MACs are those of one sample as the network ships.

"""

SMALL = """\

## Small ones, run

A few narrow layers of each family and a batch of two. FLOPs backward are those of attention as torch composes it on the
meta device. Peaks are bytes of live tensors at the worst moment of a step without an optimizer, on the CPU; the loss is
the sum of what comes out. In 16 bits all weights are; under autocast they stay in 32.

"""

REMARKS = """
## What to know of them

- Attention is torch's `scaled_dot_product_attention`. A window is a mask beside which keys and values are repeated for
  their queries, and torch multiplies what it hides: a window saves no product here, only what a cache has to hold.
- Gemma 2 bends scores before they are weighed, which no fused attention does: transformers composes it from single
  products, with the scores of all heads in memory. So does its configuration by default.
- Dropout is as the released configurations have it: none but in Phi-2, OPT, the BERTs and T5. Caches of keys are off.
- Falcon's one head of keys is handed to torch's attention as it is, which composes it; where all weights have 16 bits,
  in float32. Declared, the head is repeated for its queries first: in 16 bits 1.3 % more in a small one.
- No sequence is padded. ModernBERT is the form for that, in which each sequence has its row; what joins sequences of
  any length without padding is another library's attention.
- Flan-T5's last layer has a weight of its own, as the released one; transformers 5.24 ties it to the table whatever the
  configuration says, which the program undoes.
- The number of T5's and DistilBERT's peak under autocast is lower by what their modules hold on to while they call
  others. A declared network holds what is still read.
- Positions are worked out in each step, as there: two buffers and the angles' sines, a few hundred kilobytes.
- Whisper's fixed waves are a weight that is not trained.
- Decoders' loss is transformers': scores in float32, each token's beside the label of the next. With it, and scores
  that the caller still names in backward, a step's peak is the module's but for 16 bytes a token at most.
"""


def page() -> str:
    released: Sequence[Released] = read_rows(RESULTS, Released)
    peaks: Sequence[Peaks] = read_rows(SMALL_RESULTS, Peaks)
    lines = [INTRODUCTION, *_full(released), SMALL, *_small(peaks), REMARKS]
    return "".join(lines)


def _full(rows: Sequence[Released]) -> Iterator[str]:
    macs = {network.network: network.macs for network in totals.shipped().networks}
    yield "| network | parameters | published | transformers | layers | FLOPs, 128 tokens | transformers | MACs |\n"
    yield "|---|--:|--:|--:|---|--:|--:|--:|\n"
    for row in rows:
        layers = f"differ: {row.differing}" if row.differing else "agree"
        yield (
            f"| `{row.network}` | {row.parameters:,} | {_published(row.network)} | {row.transformers:,} | {layers} |"
            f" {row.flops:,} | {row.transformers_flops:,} | {macs[row.network]:,} |\n"
        )


def _small(rows: Sequence[Peaks]) -> Iterator[str]:
    yield "| family | parameters | FLOPs forward | FLOPs backward | peak, fp32 | peak, bf16 | peak, amp-bf16 |\n"
    yield "|---|--:|--:|--:|--:|--:|--:|\n"
    for row in rows:
        numbers = list(row[1:])
        cells = (_both(ours, theirs) for ours, theirs in zip(numbers[::2], numbers[1::2], strict=True))
        yield f"| {row.name} | {' | '.join(cells)} |\n"


def _published(network: str) -> str:
    """By others than transformers."""
    published = archcost.load(network).published
    if published is None or published.parameters is None or (published.source or "").startswith("transformers"):
        return ""
    stated = published.parameters
    return f"{stated:,}" if isinstance(stated, int) else str(stated)


def _both(ours: int, theirs: int) -> str:
    """One number where both are equal."""
    return f"{ours:,}" if ours == theirs else f"{ours:,} beside {theirs:,} ({100 * (ours / theirs - 1):+.2f} %)"
