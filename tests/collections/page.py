"""docs/coverage.md: what was found in each collection, from the logs alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median

from tests.collections.explained import explained
from tests.collections.finding import BATCH, MOST, PRECISIONS, Finding
from tests.collections.log import Log, read
from tests.documents import ROOT

PAGE = ROOT / "docs" / "coverage.md"

TITLES = {
    "torchvision": "torchvision",
    "timm": "timm",
    "transformers": "transformers, a configuration of each family at a small size",
    "far": "Far: models of eight more libraries, at small sizes",
}
REASONS = {
    "aten::convolution": "its kernels differ from sample to sample, and torch folds the samples into the channels",
    "aten::polar": "complex numbers, on which no rule counts operations",
    "aten::_fft_c2c": "complex numbers, on which no rule counts operations",
}


INTRODUCTION = """\
# Coverage

Written by `python -m tests.generate` from the logs of `python -m tests.collections`, which runs in an environment of
its own (`make collections` installs it, at the versions named below). That program imports models of torchvision,
timm, (of each family, at a small size) transformers and eight libraries further off, and holds each against torch:
parameters and buffers, contraction FLOPs forward and backward against FlopCounterMode at a batch of {batch}, and, of
models small enough to run, the peak of tensor memory of a training step against the tracker. The tracker's step is the
module's second, without an optimizer, on the CPU; its loss is the sum of all tensors with a gradient that are found
anywhere in what the module returns. `bf16` is the module after `.bfloat16()`, with its floating inputs in bfloat16;
`amp-bf16` is the module under the CPU's autocast.

Known differences are applied. FlopCounterMode counts the weight gradient of a grouped convolution `groups` times. On
the meta device it sees attention composed, where we count the fused kernel, whose backward works the scores out again.
It does not count grouped products over experts, which are therefore run as batched ones. A model that torch cannot run
on the meta device, because it looks at values, is counted on the CPU.

| collection | models | run | equal | differ | an operator unknown | not imported | not counted by torch | not made |
|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""
PEAKS = """\

Peaks, of those without an unknown operator. What torch itself refuses (two dtypes in one product, no kernel for a
dtype) is not run, and counted apart.

| collection | precision | run | to the byte | within {most:.1%} | | mean error | worst | refused | not run by torch |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|
"""


def renew(text: str) -> str:
    """The page, whatever it said before."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from INTRODUCTION.format(batch=BATCH).splitlines()
    logs = {name: read(name) for name in TITLES}
    for name, log in logs.items():
        counts = Counter(each.status for each in log.findings)
        kinds = ("equal", "differs", "unknown", "failed", "not counted", "not made")
        yield (
            f"| {name} | {log.models:,} | {len(log.findings):,} | "
            + " | ".join(f"{counts[kind]:,}" for kind in kinds)
            + " |"
        )
    yield from PEAKS.format(most=MOST).splitlines()
    for name, log in logs.items():
        for precision in PRECISIONS:
            yield from _peaks(name, precision, log.findings)
    for name, log in logs.items():
        yield from _collection(name, log)


def _peaks(name: str, precision: str, findings: Sequence[Finding]) -> Iterator[str]:
    errors = [abs(each.error(precision)) for each in findings if precision in each.peaks]
    if not errors:
        return
    exact = sum(error == 0 for error in errors)
    near = sum(error <= MOST for error in errors)
    refused = sum(precision in each.refused for each in findings)
    not_run = sum(precision in each.not_run for each in findings)
    yield (
        f"| {name} | {precision} | {len(errors):,} | {exact:,} | {near:,} | {near / len(errors):.1%} | "
        f"{sum(errors) / len(errors):.3%} | {max(errors):.2%} | {refused:,} | {not_run:,} |"
    )


def _collection(name: str, log: Log) -> Iterator[str]:
    findings = log.findings
    rest = f" of {log.models:,}" if log.models != len(findings) else ""
    yield from (
        "",
        f"## {TITLES[name]}",
        "",
        f"{len(findings):,}{rest} models. {_published(findings)}{_seconds(findings)}{_made_with(log)}",
    )
    odd = [each for each in findings if each.status != "equal" or each.refused]
    if odd:
        yield from ("", "| model | is | why |", "|---|---|---|")
        yield from (f"| {each.name} | {each.status} | {_why(each)} |" for each in odd)
    yield from _far_off(name, findings)
    yield from _not_run(findings)


def _far_off(name: str, findings: Sequence[Finding]) -> Iterator[str]:
    far = [(each, key) for each in findings for key in each.peaks if abs(each.error(key)) > MOST]
    if far:
        yield from (
            "",
            f"Peaks further off than {MOST:.1%}:",
            "",
            "| model | precision | ours | tracker | off | because |",
            "|---|---|--:|--:|--:|---|",
        )
    for each, precision in sorted(far, key=lambda pair: -abs(pair[0].error(pair[1]))):
        ours, theirs = each.peaks[precision]
        because = explained(name, each.name, precision)
        yield f"| {each.name} | {precision} | {ours:,} | {theirs:,} | {each.error(precision):+.2%} | {because} |"


def _not_run(findings: Sequence[Finding]) -> Iterator[str]:
    """By what torch said, as many models stop at the same kernel."""
    said: dict[str, list[str]] = {}
    for each in findings:
        for precision, why in each.not_run.items():
            said.setdefault(why.replace("|", "\\|"), []).append(f"{each.name} ({precision})")
    if said:
        yield from ("", "Not run by torch:", "", "| torch says | of |", "|---|---|")
        yield from (f"| {why} | {', '.join(models)} |" for why, models in sorted(said.items()))


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
    return f"Import took {median(seconds):.2f} s (median), at most {max(seconds):.1f} s. " if seconds else ""


def _made_with(log: Log) -> str:
    """Versions of the libraries in the last run, and how many of the lines are of it."""
    if not log.versions:
        return "The versions of that run were not noted."
    versions = ", ".join(f"{name} {version}" for name, version in log.versions.items())
    last = sum(each.source == log.source for each in log.findings)
    older = len(log.findings) - last
    rest = f", {older:,} on an earlier state" if older else ""
    return f"The last run, with {versions}: {last:,} of them on the state `{log.source}` of the package{rest}."


def _why(finding: Finding) -> str:
    off = [f"{key} {ours:,}, torch {theirs:,}" for key, (ours, theirs) in finding.parts.items() if ours != theirs]
    reasons = [f"`{op}`" + (f": {REASONS[op]}" if op in REASONS else "") for op in finding.opaque]
    refused = [f"{precision}: {said}" for precision, said in finding.refused.items()]
    said = [each.replace("|", "\\|") for each in (finding.why, *refused)]
    return "; ".join(part for part in (*reasons, *said, *off) if part)
