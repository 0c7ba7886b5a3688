"""Reads files that onnxruntime has quantised: `python -m tests.onnx_programs.quantised [PYTHON]` (a minute).

PYTHON is an interpreter with `REQUIREMENTS`; without one, a temporary environment is made with them. MACs and weights
are held against those of the float network, by hand (float_files), bytes against those of the file's own tensors.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
import venv
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import onnx

import archcost
from archcost.costs import ModelCost
from archcost.errors import ArchcostError, first_line
from archcost.importers.onnx_model import dtype_of
from archcost.tensors import TensorType
from tests.onnx_programs import float_files

REQUIREMENTS = ("onnxruntime==1.32.0", "onnx==1.23.2", "onnx-ir==1.1.0", "numpy")

RESULTS = Path(__file__).with_suffix(".csv")

SCALES: Mapping[str, tuple[int, ...]] = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (4, 5),
    "QLinearMatMul": (4, 5),
    "MatMulInteger": (3,),
    "ConvInteger": (3,),
    "MatMulNBits": (2, 3),
    "DynamicQuantizeLSTM": (8, 9, 10, 11),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulIntegerToFloat": (3, 5),
    "QGemm": (4, 5),
}
"""By operator, which inputs are scales and zero points of weights: what the float network has none of."""

MULTIPLY_INTEGERS = frozenset(SCALES) - {"QuantizeLinear", "DequantizeLinear", "MatMulNBits", "DynamicQuantizeLSTM"}
"""Operators whose MACs are told as those of integers: the LSTM's are counted as those of floats."""

FLOATS_AND_CODES = frozenset(
    ["float32", "float16", "int32", "int16", "uint16", "int8", "uint8", "int4", "uint4", "float8_e4m3fn"]
)


class Finding(NamedTuple):
    """Of one file: what is told, and what is so. Empty where there is no file, or no answer: `problem` says why."""

    network: str
    batch: str
    way: str
    macs: str
    macs_expected: str
    integer: str
    integer_expected: str
    weights: str
    weights_expected: str
    bytes: str
    bytes_expected: str
    problem: str

    @property
    def is_made(self) -> bool:
        return bool(self.macs_expected)

    @property
    def is_exact(self) -> bool:
        pairs = zip(self[3:11:2], self[4:11:2], strict=True)
        return self.is_made and not self.problem and all(told == so for told, so in pairs)


class Truth(NamedTuple):
    """What a file's own tensors say."""

    nbytes: int
    scales: int
    multiplies_integers: bool


def truth_of(model: onnx.ModelProto) -> Truth:
    """A tensor of one value is a number of its operator, and one of 64 bits a shape."""
    read = {name for node in model.graph.node for name in node.input}
    beside = {
        node.input[place]
        for node in model.graph.node
        for place in SCALES.get(node.op_type, ())
        if place < len(node.input)
    }
    nbytes = scales = 0
    for name, tensor in _held(model):
        if name in read and tensor.numel > 1 and tensor.dtype in FLOATS_AND_CODES:
            nbytes += tensor.nbytes
            is_scale = name in beside or name.endswith("_scale")  # which a product of its own multiplies by
            scales += tensor.numel * _packed(model, name) if is_scale else 0
    return Truth(nbytes, scales, any(node.op_type in MULTIPLY_INTEGERS for node in model.graph.node))


def _held(model: onnx.ModelProto) -> Iterator[tuple[str, TensorType]]:
    tensors = [(each.name, each) for each in model.graph.initializer]
    for node in model.graph.node:
        if node.op_type == "Constant":
            tensors += [(node.output[0], each.t) for each in node.attribute if each.HasField("t")]
    for name, tensor in tensors:
        yield name, TensorType(tuple(tensor.dims), dtype_of(tensor.data_type))


def _packed(model: onnx.ModelProto, name: str) -> int:
    """How many zero points are in a byte."""
    for node in model.graph.node:
        if node.op_type == "MatMulNBits" and name in node.input[3:4]:
            return 8 // next((each.i for each in node.attribute if each.name == "bits"), 4)
    return 1


def finding(folder: Path, told: Mapping[str, str | None]) -> Finding:
    name, _, two = str(told["network"]).partition("-of-")
    first = (name, two or "any", str(told["way"]))
    if told["problem"] is not None:
        return Finding(*first, *[""] * 8, str(told["problem"]))
    path, network = folder / str(told["file"]), float_files.NETWORKS[name]
    nbytes, scales, integer = truth_of(onnx.load(path))
    macs, parameters = str(network.macs), str(network.parameters)
    try:
        spec = archcost.from_onnx(path)
        graph = archcost.build(spec, 1)
        cost: ModelCost = archcost.cost(graph)
        roles = archcost.timeline(graph, archcost.Run(mode="infer"), "cpu").moments[0].by_role
    except ArchcostError as error:
        return Finding(*first, "", macs, "", str(integer), "", parameters, "", str(nbytes), first_line(error))
    weights, stored = str(cost.parameters - scales), str(roles["weights"] + roles["buffers"])
    told_of = (str(cost.macs), macs, str(cost.integer_macs > 0), str(integer), weights, parameters, stored, str(nbytes))
    return Finding(*first, *told_of, f"unknown: {', '.join(cost.unknown)}" if cost.unknown else "")


def run(python: Path) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        float_files.write(folder)
        program = Path(__file__).with_name("quantise.py")
        done = subprocess.run([python, program, folder], capture_output=True, text=True, check=True)
        for source in sorted(folder.glob("*.float.onnx")):
            network = source.name.removesuffix(".float.onnx")
            yield finding(folder, {"network": network, "way": "as it was", "file": source.name, "problem": None})
        for line in done.stdout.splitlines():
            if line.startswith("{"):  # onnxruntime tells of its histograms
                yield finding(folder, json.loads(line))


def environment(folder: Path) -> Path:
    """The interpreter of a new one."""
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", *REQUIREMENTS], check=True)
    return python


def main(words: list[str]) -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        found = list(run(Path(words[0]) if words else environment(Path(name))))
    with RESULTS.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([Finding._fields, *found])
    made = [each for each in found if each.is_made]
    print(f"{sum(each.is_exact for each in made)} of {len(made)} exact")
    for each in found:
        if not each.is_exact:
            print(*each)


if __name__ == "__main__":
    main(sys.argv[1:])
