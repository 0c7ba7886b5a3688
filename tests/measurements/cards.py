"""Inference on four cards, fitted to timm's published benchmark.

    python -m tests.measurements.cards --specs FOLDER [--write]

timm_eager.csv holds the rows whose parameters are the network's own of huggingface/pytorch-image-models, results/, at
aa4b5850, benchmark-infer-*.csv without dynamo: by run `batch:images a second`, with autocast in float16 and
cudnn.benchmark. FOLDER holds specs as for tests.measurements.training; those that are missing are imported from timm,
which then has to be installed. All runs are fitted together (`relatives`).
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

import archcost
import archcost.hardware as profiles
from archcost import ModelSpec
from archcost.costs.kernels import StepKernels, kernels
from archcost.costs.timeline import timeline
from archcost.passes.run import Run
from archcost.terms.time_classes import CONTRACTIONS, Fuses
from tests.measurements.calibrations import Head, Result, text, write
from tests.measurements.fitting import Constants, Fit, Floats, Seen, band_of, errors, family, parts
from tests.measurements.relatives import SAME, Card, Relatives, Where

TABLE = Path(__file__).parent / "timm_eager.csv"
PAGE = Path(__file__).parents[2] / "docs" / "measurements" / "cards.md"
SOURCE = """huggingface/pytorch-image-models, results/benchmark-infer-{run}.csv at aa4b5850: forward in evaluation mode,
cudnn.benchmark; fitted by tests/measurements/cards.py"""

CARDS = {
    "rtx3090": "nvidia-rtx-3090",
    "rtx4090": "nvidia-rtx-4090",
    "4090": "nvidia-rtx-4090",
    "5090": "nvidia-rtx-5090",
    "pro6000maxq": "nvidia-rtx-pro-6000-max-q",
}
ENGINES = {"nchw": "eager", "nhwc": "eager-nhwc"}
VERSIONS = {"pt113": "torch 1.13", "pt210": "torch 2.1", "pt240": "torch 2.4", "pt291": "torch 2.9"}

ASSUMED: Mapping[str, str] = {
    **SAME,
    "transposed convolution": "convolution",
    "recurrent": "product",
    "response norm": "layer norm",
    "sort": "gather",
    "dropout": "elementwise",
    "optimizer": "elementwise",
}
"""Classes that none of these networks has, and whose constants they take: one without would take no time."""


class Row(NamedTuple):
    network: str
    size: int
    run: str
    batch: int
    images_per_second: float

    @property
    def seconds(self) -> float:
        return self.batch / self.images_per_second


class Place(NamedTuple):
    """What the name of a run says."""

    device: str
    layout: str
    version: str

    @classmethod
    def of(cls, run: str) -> Place:
        _, layout, version, _, card = run.split("-")
        return cls(CARDS[card], layout, VERSIONS[version])

    @property
    def fuses(self) -> tuple[Fuses, ...]:
        """Torch has kernels for attention since 2.0; what they do not take it has composed in float32 since 2.5."""
        release = float(self.version.removeprefix("torch "))
        if release < 2:
            return ()
        return ("attention", "attention in 16 bits") if release < 2.5 else ("attention",)


class Measured(NamedTuple):
    """A row with its kernels; its FLOPs, and the seconds of its kernels under the data sheet's roofs."""

    row: Row
    seen: Seen
    flops: float
    roof: float


def rows() -> Iterator[Row]:
    with TABLE.open() as file:
        for row in csv.DictReader(file):
            for run in list(row)[2:]:
                batch, _, rate = row[run].partition(":")
                if rate:
                    yield Row(row["network"], int(row["size"]), run, int(batch), float(rate))


def spec_of(folder: Path, network: str, size: int) -> ModelSpec:
    path = folder / f"{network}@{size}.yaml"
    if not path.exists():
        path.write_text(imported(network, size).to_yaml(), encoding="utf-8")
    return archcost.load(path)


def imported(network: str, size: int) -> ModelSpec:
    """From timm, which images of another size have to be told to where they are not taken as they come."""
    import torch

    from tests.collections.compiled import declare_operators

    declare_operators()
    import timm

    image = torch.zeros(1, 3, size, size, device="meta")
    for told in ({}, {"img_size": size}):
        with torch.device("meta"):
            module = timm.create_model(network, pretrained=False, **told)
        try:
            return archcost.from_torch(module, image)
        except archcost.ArchcostError:
            if told:
                raise
    raise AssertionError


def measured(found: Sequence[Row], folder: Path) -> Iterator[Measured]:
    """Each row with what runs; what rows share is worked out once."""
    by_network: dict[tuple[str, int], list[Row]] = defaultdict(list)
    for row in found:
        by_network[row.network, row.size].append(row)
    for (network, size), several in by_network.items():
        spec = spec_of(folder, network, size)
        known: dict[tuple[int, str, tuple[Fuses, ...]], StepKernels] = {}
        for row in several:
            place = Place.of(row.run)
            key = (row.batch, place.layout, place.fuses)
            if key not in known:
                run = Run(mode="infer", precision="amp-fp16", channels_last=place.layout == "nhwc")
                line = timeline(archcost.build(spec, batch=row.batch), run, "cuda")
                known[key] = kernels(line, place.fuses)
            yield of(row, known[key])


def of(row: Row, step: StepKernels) -> Measured:
    on = where(row.run)
    every = [kernel for layer in step.layers for kernel in layer.forward]
    products = [kernel.flops if kernel.kind in CONTRACTIONS else 0 for kernel in every]
    roofs = [max(flops / on.rate, kernel.nbytes / on.bandwidth) for flops, kernel in zip(products, every, strict=True)]
    return Measured(row, Seen(family(row.network), parts(step), row.seconds), sum(products), sum(roofs))


@cache
def where(run: str) -> Where:
    place = Place.of(run)
    profile = profiles.load(place.device)
    rate = profile.rates.known()["float16"]
    return Where(run, place.device, place.layout, float(rate.amount), float(profile.memory.bandwidth.amount))


class Answer(NamedTuple):
    """Of one run: its calibration, its rows, and the seconds that they were predicted without their own family."""

    result: Result
    rows: Sequence[Measured]
    left_out: Floats


def answers(every: Sequence[Measured]) -> Iterator[Answer]:
    """All runs are fitted together."""
    fit = Relatives([(where(each.row.run), each.seen) for each in every])
    whole = fit.solve(np.ones(len(every), bool))
    left_out = fit.left_out(whole)
    for place, card in fit.cards(whole).items():
        among = np.array([each.row.run == place.run for each in every])
        taken = [each for each in every if each.row.run == place.run]
        yield Answer(result(place, card, [each.seen for each in taken], left_out[among]), taken, left_out[among])


def result(place: Where, card: Card, runs: Sequence[Seen], left_out: Floats) -> Result:
    told = Place.of(place.run)
    source = SOURCE.format(run=place.run)
    head = Head(
        told.device, ENGINES[told.layout], told.version, "amp-fp16", ("infer",), told.fuses, source, card.dispatch
    )
    band = band_of(left_out, runs)
    found = errors(left_out, runs, band)
    shares = {**card.shares, **{name: card.shares[other] for name, other in ASSUMED.items()}}
    fit = Fit(place.rate, place.bandwidth, floor=card.floor)
    families = len({run.family for run in runs})
    written = text(head, fit, Constants(shares, frozenset()), runs, families, found, band)
    return Result(head, written, found, band, len(runs), families)


REASONS: Mapping[str, str] = {
    "lambda": "convolutions over volumes of one channel, which newer libraries do far slower",
    "convnextv2": "`addcmul` is one kernel and two layers",
    "mobilenetv5": "norms were left in float16 there, which autocast alone would not do",
}
"""Why families are off, as far as it is known."""

WORST = 8

INTRODUCTION = """# Published inference on four cards

Made by `python -m tests.measurements.cards --specs FOLDER --write`; the calibrations of these devices in
`archcost/hardware/calibrations` come of the same run. Each network is predicted by constants that were fitted
**without its family**. Rows are those of timm's benchmark whose parameters are the network's own.

FLOPs at the peak is the data sheet's rate; at the best rate, the one rate that meets the middle of these rows; the
roofline is the larger of FLOPs and bytes under the data sheet's roofs, kernel by kernel, times the one factor that
meets the middle.
"""


def page(found: Sequence[Answer]) -> str:
    head = "| run | networks | median | 90th percentile | beyond a factor of two | in the band |"
    lines = [INTRODUCTION, head, "|---|---|---|---|---|---|"]
    for answer in found:
        told, off = answer.result, answer.result.errors
        name = f"{told.head.device}, {told.head.version} {told.head.engine}"
        shares = (off.median, off.p90, off.beyond_factor_two, off.inside_band)
        lines.append(f"| {name} | {told.runs} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")
    lines += ["", "Median error beside simpler answers:", ""]
    lines += [
        "| run | left out | FLOPs at the peak | FLOPs at the best rate | roofline, scaled |",
        "|---|---|---|---|---|",
    ]
    for answer in found:
        told = answer.result
        seconds = np.array([each.row.seconds for each in answer.rows])
        peak = np.array([each.flops / where(each.row.run).rate for each in answer.rows])
        roof = np.array([each.roof for each in answer.rows])
        medians = [
            float(np.median(np.abs(predicted / seconds - 1)))
            for predicted in (peak, peak * np.median(seconds / peak), roof * np.median(seconds / roof))
        ]
        name = f"{told.head.device}, {told.head.version} {told.head.engine}"
        shares = (told.errors.median, *medians)
        lines.append(f"| {name} | " + " | ".join(f"{share:.1%}" for share in shares) + " |")
    lines += ["", "The networks that are furthest off, predicted over measured:", "", "| run | network | ratio | why |"]
    lines.append("|---|---|---|---|")
    for answer in found:
        ratios = answer.left_out / np.array([each.row.seconds for each in answer.rows])
        for index in np.argsort(-np.abs(np.log(ratios)))[:WORST]:
            row = answer.rows[index].row
            told = answer.result.head
            why = _why(row.network)
            name = f"{told.device}, {told.version} {told.engine}"
            lines.append(f"| {name} | {row.network} at {row.size} | {ratios[index]:.2f} | {why} |")
    return "\n".join(lines) + "\n"


def _why(network: str) -> str:
    if network.endswith("_gn"):
        return "group norms were left in float16 there, which autocast alone would not do"
    return REASONS.get(family(network), "not known")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specs", type=Path, required=True)
    parser.add_argument("--write", action="store_true", help="the calibrations that ship")
    asked = parser.parse_args()
    asked.specs.mkdir(exist_ok=True)
    found = list(answers(list(measured(list(rows()), asked.specs))))
    for answer in found:
        print(answer.result, flush=True)
        if asked.write:
            write(answer.result)
    if asked.write:
        PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
