"""docs/adapters.md: what came of `python -m tests.large_programs.adapters`, from its log alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from tests.large_programs.kept import read_rows, write_rows

HERE = Path(__file__).parent
RESULTS = HERE / "adapters.csv"
PAGE = HERE.parents[1] / "docs" / "adapters.md"


class Result(NamedTuple):
    """One adapter on one model in one run: each number ours, and then torch's of PEFT's module."""

    model: str
    adapter: str
    precision: str
    optimizer: str
    parameters: int
    torch_parameters: int
    trainable: int
    torch_trainable: int
    forward: int
    torch_forward: int
    backward: int
    torch_backward: int
    peak: int
    torch_peak: int

    @property
    def counts(self) -> tuple[tuple[int, int], ...]:
        return (
            (self.parameters, self.torch_parameters),
            (self.trainable, self.torch_trainable),
            (self.forward, self.torch_forward),
            (self.backward, self.torch_backward),
        )

    @property
    def is_counted(self) -> bool:
        """Whether weights and FLOPs agree."""
        return all(ours == theirs for ours, theirs in self.counts)

    @property
    def error(self) -> float:
        return self.peak / self.torch_peak - 1


TURNED = (
    "with dropout PEFT multiplies by the weight once more, turned around; what it turns is a new `nn.Parameter`, of "
    "which a gradient is worked out that nobody wants, and autocast keeps a copy of it"
)
BECAUSE = {
    ("GPT-2", "dora usual dropout"): TURNED,
    ("GPT-2", "dora usual dropout in bf16"): TURNED,
    ("Llama", "dora everywhere"): "positions that transformers' forward makes of constants alone live longer than the "
    "import knows",
}
"""By model and adapter why numbers differ."""


def read() -> list[Result]:
    return read_rows(RESULTS, Result)


def write(results: Sequence[Result]) -> None:
    write_rows(RESULTS, results)
    PAGE.write_text(page(results), encoding="utf-8")


INTRODUCTION = """\
# Adapters, beside PEFT

Written from the log of `python -m tests.large_programs.adapters` (`make adapters`), which needs PEFT 0.21.2,
transformers 5.24 and torchvision. Small modules of each are imported and adapted by `archcost.adapt`; the same modules
are adapted by PEFT and run by torch on the CPU, two samples at once, with the sum of what comes out as the loss. What
PEFT makes is never imported. Compared are parameters, trained ones, FLOPs of contractions forward and backward
(FlopCounterMode on the meta device, with the differences of [coverage.md](coverage.md)), and the peak of tensors of a
step, with and without AdamW. In bf16 the base is in bfloat16 and the adapter in float32, as PEFT has it by default, or
`in bf16` as with `autocast_adapter_dtype=False`; amp-bf16 is the CPU's autocast.

`usual` are the projections that PEFT adapts by default, `everywhere` all linear layers or convolutions of a block,
`tables` an embedding beside them.
"""


def page(results: Sequence[Result]) -> str:
    return "\n".join([*_lines(results), ""])


def _lines(results: Sequence[Result]) -> Iterator[str]:
    errors = [abs(each.error) for each in results]
    yield from INTRODUCTION.splitlines()
    yield ""
    yield (
        f"Of {len(results)} runs {sum(each.is_counted for each in results)} have the same weights and FLOPs, and "
        f"{sum(error == 0 for error in errors)} the same peak to the byte; peaks differ by {fmean(errors):.3%} on "
        f"average, and by {max(errors):.2%} at most."
    )
    yield from ("", "| model | adapter | parameters | trained | FLOPs forward | backward | runs | peaks |")
    yield "|---|---|--:|--:|--:|--:|--:|---|"
    for model, adapter in dict.fromkeys((each.model, each.adapter) for each in results):
        runs = [each for each in results if (each.model, each.adapter) == (model, adapter)]
        counts = " | ".join(_pair(*pair) for pair in runs[0].counts)
        yield f"| {model} | {adapter} | {counts} | {len(runs)} | {_peaks(runs)} |"
    off = [each for each in results if each.error or not each.is_counted]
    yield from ("", "## What differs", "", "| model | adapter | run | peak, ours | torch's | off | because |")
    yield "|---|---|---|--:|--:|--:|---|"
    for each in off:
        because = BECAUSE.get((each.model, each.adapter), "not found yet")
        run = f"{each.precision}, {each.optimizer}"
        peaks = f"{each.peak:,} | {each.torch_peak:,} | {each.error:+.2%}"
        yield f"| {each.model} | {each.adapter} | {run} | {peaks} | {because} |"


def _pair(ours: int, theirs: int) -> str:
    return f"{ours:,}" if ours == theirs else f"{ours:,} beside {theirs:,}"


def _peaks(runs: Sequence[Result]) -> str:
    off = [abs(each.error) for each in runs]
    return "to the byte" if not any(off) else f"within {max(off):.2%}"
