"""docs/coverage.md: what was found in each collection, from the logs alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from tests.collections.finding import BATCH, Finding
from tests.collections.log import Log, read
from tests.documents import ROOT

PAGE = ROOT / "docs" / "coverage.md"

TITLES = {
    "torchvision": "torchvision",
    "timm": "timm",
    "transformers": "transformers, a configuration of each family at a small size",
}
REASONS = {
    "aten::convolution": "its kernels differ from sample to sample, and torch folds the samples into the channels",
    "aten::polar": "complex numbers, on which no rule counts operations",
    "aten::_fft_c2c": "complex numbers, on which no rule counts operations",
}


INTRODUCTION = """\
# Coverage

Written by `python -m tests.generate` from the logs of `python -m tests.collections`. That program imports models of
torchvision, timm and (of each family, at a small size) transformers, and holds each against torch: parameters and
buffers, contraction FLOPs forward and backward against FlopCounterMode at a batch of {batch}, and, of models small
enough to run, the peak of tensor memory of a training step against the tracker.

Known differences are applied. FlopCounterMode counts the weight gradient of a grouped convolution `groups` times. On
the meta device it sees attention composed, where we count the fused kernel, whose backward works the scores out again.
It does not count grouped products over experts, which are therefore run as batched ones. A model that torch cannot run
on the meta device, because it looks at values, is counted on the CPU.

| collection | models | run | equal | differ | an operator unknown | not imported | not counted by torch | not made |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def renew(text: str) -> str:
    """The page, whatever it said before."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from INTRODUCTION.format(batch=BATCH).splitlines()
    for name in TITLES:
        log = read(name)
        counts = Counter(each.status for each in log.findings)
        kinds = ("equal", "differs", "unknown", "failed", "not counted", "not made")
        yield (
            f"| {name} | {log.models:,} | {len(log.findings):,} | "
            + " | ".join(f"{counts[kind]:,}" for kind in kinds)
            + " |"
        )
    for name in TITLES:
        yield from _collection(name, read(name))


def _collection(name: str, log: Log) -> Iterator[str]:
    findings = log.findings
    rest = f" of {log.models:,}" if log.models != len(findings) else ""
    yield from (
        "",
        f"## {TITLES[name]}",
        "",
        f"{len(findings):,}{rest} models. {_peaks(findings)}{_published(findings)}{_seconds(findings)}",
    )
    odd = [each for each in findings if each.status != "equal"]
    if odd:
        yield from ("", "| model | is | why |", "|---|---|---|")
        yield from (f"| {each.name} | {each.status} | {_why(each)} |" for each in odd)
    far = sorted(
        (each for each in findings if each.peak and abs(_error(each)) > MOST), key=lambda each: -abs(_error(each))
    )
    if far:
        yield from (
            "",
            f"Peaks further off than {MOST:.1%}:",
            "",
            "| model | ours | tracker | off |",
            "|---|--:|--:|--:|",
        )
        yield from (f"| {each.name} | {each.peak[0]:,} | {each.peak[1]:,} | {_error(each):+.2%} |" for each in far)


MOST = 0.005
"""What a peak may be off by."""


def _error(finding: Finding) -> float:
    return finding.peak[0] / finding.peak[1] - 1


def _peaks(findings: Sequence[Finding]) -> str:
    errors = [abs(_error(each)) for each in findings if each.peak]
    if not errors:
        return ""
    exact = sum(error == 0 for error in errors)
    near = sum(error <= MOST for error in errors)
    return (
        f"Peaks of {len(errors):,} that were run: {exact:,} equal to the byte, {near:,} within {MOST:.1%}, "
        f"mean error {sum(errors) / len(errors):.3%}, worst {max(errors):.2%}. "
    )


def _published(findings: Sequence[Finding]) -> str:
    """Parameters and MACs that the library states of its trained weights, and which of them are others."""
    figures = [(each.name, key, *pair) for each in findings for key, pair in each.published.items()]
    if not figures:
        return ""
    others = [f"{name} {key} {ours:,} (published {theirs:,})" for name, key, ours, theirs in figures if ours != theirs]
    found = "all are ours" if not others else f"these are not ours: {', '.join(others)}"
    return f"It publishes {len(figures):,} figures of its trained weights (parameters, 10⁹ MACs); {found}. "


def _seconds(findings: Sequence[Finding]) -> str:
    seconds = [each.seconds for each in findings if each.seconds]
    return f"Import took {median(seconds):.2f} s (median), at most {max(seconds):.1f} s." if seconds else ""


def _why(finding: Finding) -> str:
    off = [f"{key} {ours:,}, torch {theirs:,}" for key, (ours, theirs) in finding.parts.items() if ours != theirs]
    reasons = [f"`{op}`" + (f": {REASONS[op]}" if op in REASONS else "") for op in finding.opaque]
    said = finding.why.replace("|", "\\|")
    return "; ".join(part for part in (*reasons, said, *off) if part)
