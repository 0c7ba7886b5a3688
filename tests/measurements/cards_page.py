"""What docs/measurements.md says of real cards: steps that one ran and refused, and memory that others reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from statistics import median, quantiles
from textwrap import fill

from archcost import hardware
from archcost.estimates.verdict import VERDICTS, Limits
from tests.measurements.allocated import GB, adapted, errors, segmented
from tests.measurements.brackets import CARD, SOURCE, Bracket, Judged, Needs, fitted, judged, left_out, limits_of, read

Line = Sequence[str | int]
Table = Callable[[Line, Iterable[Line]], str]

GIB = 2**30
NINE_IN_TEN = 20
"""Parts, of which the lowest and the highest are left away."""


def parts(table: Table) -> Iterator[str]:
    brackets = read()
    yield "## Steps that a real card ran and refused"
    shares, limits = fitted(brackets), limits_of(fitted(brackets))
    families, networks = {each.family for each in brackets}, {each.network for each in brackets}
    yield (
        f"{hardware.load(CARD).title}: {len(brackets):,} runs of {len(networks)} networks, {len(families)} families.\n"
        f"{fill(f'Source: {SOURCE}.', 120, break_on_hyphens=False)}\n"
        f"Safe are {shares.safe:.1%} of the memory beside the context, {limits.safe / GIB:.2f} GiB; above "
        f"{shares.most:.1%}, {limits.most / GIB:.2f} GiB, it does not fit."
    )
    told = [f"{what}: {verdict}" for what in ("ran", "refused") for verdict in VERDICTS]
    head: Line = ("limits and gradients", "runs", "right", *told)
    yield table(head, _verdicts(brackets, limits))
    yield table(("tight, of the largest safe batch", "networks", "median", "highest"), [_width(brackets, limits)])
    yield "Network by network, with gradients kept as in these runs:"
    head = ("network", "size", "runs", "ran", "needs", "verdict", "refused", "needs", "verdict", "wrong by")
    yield table(head, _networks(brackets, limits))
    yield "## Memory that real cards reported"
    yield table(("runs", "number", "median off", "90th percentile", "lowest", "highest"), _errors())
    yield "mmsegmentation 0.30 on V100, `max_memory_allocated`:"
    yield table(("network", "setting", "GB published", "GB here", "off"), _segmented())
    yield "Llama-3.2-3B with adapters of PEFT on an L40S, `max_memory_reserved`:"
    yield table(("adapter", "GiB published", "GiB here", "off"), _adapted())


def _verdicts(brackets: Sequence[Bracket], limits: Limits) -> Iterator[Line]:
    others = list(left_out(brackets))
    yield _counted("of all families, kept", [judged(each.kept, limits) for each in brackets])
    yield _counted("of all families, None", [judged(each.released, limits) for each in brackets])
    yield _counted("of other families, kept", [judged(each.kept, other) for each, other in others])
    yield _counted("of other families, None", [judged(each.released, other) for each, other in others])
    for layout in ("nchw", "nhwc"):
        some = [judged(each.kept, other) for each, other in others if each.layout == layout]
        yield _counted(f"of other families, kept, {layout}", some)


def _counted(name: str, found: Sequence[Judged]) -> Line:
    ran, refused = Counter(each.ran for each in found), Counter(each.refused for each in found)
    right = sum(each.is_right for each in found) / len(found)
    return name, len(found), f"{right:.1%}", *[ran[v] for v in VERDICTS], *[refused[v] for v in VERDICTS]


def _width(brackets: Sequence[Bracket], limits: Limits) -> Line:
    """In samples, along the line through the bytes of the two batches."""
    widths: list[float] = []
    for each in brackets:
        if each.refused:
            slope = (each.kept.refused - each.kept.ran) / (each.refused - each.ran)
            base = each.kept.ran - slope * each.ran
            widths.append((limits.most - base) / (limits.safe - base) - 1)
    return "", len(widths), f"{median(widths):.1%}", f"{max(widths):.1%}"


def _networks(brackets: Sequence[Bracket], limits: Limits) -> Iterator[Line]:
    for _, members in groupby(brackets, lambda each: each.network):
        runs: dict[tuple[int, int, int], list[Bracket]] = {}
        for each in members:
            runs.setdefault((each.size, each.ran, each.refused), []).append(each)
        for (size, ran, refused), alike in runs.items():
            needs = alike[0].kept
            found = judged(needs, limits)
            yield (
                f"`{alike[0].network}`",
                size,
                ", ".join(each.layout for each in alike),
                ran,
                f"{needs.ran / GIB:.2f} GiB",
                found.ran,
                refused or "",
                f"{needs.refused / GIB:.2f} GiB" if refused else "",
                found.refused or "",
                _wrong_by(needs, found, limits),
            )


def _wrong_by(needs: Needs, found: Judged, limits: Limits) -> str:
    if found.ran == "does not fit":
        return f"{needs.ran / limits.most - 1:.1%}"
    return f"{1 - needs.refused / limits.safe:.1%}" if found.refused == "fits" else ""


def _errors() -> Iterator[Line]:
    for name, found in (
        ("mmsegmentation, allocated", [each.error for each in segmented()]),
        ("PEFT, reserved", [each.error for each in adapted()]),
    ):
        sizes = [abs(error) for error in found]
        ninth = quantiles(sizes, n=10, method="inclusive")[-1]
        lowest, highest = f"{min(found):+.1%}", f"{max(found):+.1%}"
        yield name, len(found), f"{median(sizes):.1%}", f"{ninth:.1%}", lowest, highest


def _segmented() -> Iterator[Line]:
    for each in segmented():
        yield each.network, each.setting, str(each.published), f"{each.ours / GB:.2f}", f"{each.error:+.1%}"


def _adapted() -> Iterator[Line]:
    for each in adapted():
        yield each.method, f"{each.published / GIB:.2f}", f"{each.ours / GIB:.2f}", f"{each.error:+.1%}"


def nine_in_ten() -> tuple[float, float]:
    """Relative errors between which nine in ten of the runs lie."""
    cuts = quantiles(errors(), n=NINE_IN_TEN, method="inclusive")
    return cuts[0], cuts[-1]
