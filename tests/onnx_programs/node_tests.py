"""Reads every node test of the installed onnx: `python -m tests.onnx_programs.node_tests` (seconds).

Each is read as it stands, and once more with those inputs as initializers that a network holds: weights by their role,
and settings such as a shape or axes. Where the file's numbers for a batch allow no other, its inputs are said to be
without one. The shapes that are told are compared with those of the test's own results.
"""

from __future__ import annotations

import csv
import re
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import archcost
from archcost.errors import ArchcostError
from archcost.importers.naming import clean

RESULTS = Path(__file__).with_suffix(".csv")

READ, UNKNOWN, REFUSED, FAILED, WRONG = "read", "unknown", "refused", "internal error", "another shape"

WEIGHTS: Mapping[str, Sequence[int]] = {
    "BatchNormalization": (1, 2, 3, 4),
    "CausalConvWithState": (1, 2),
    "Conv": (1, 2),
    "ConvInteger": (1,),
    "ConvTranspose": (1, 2),
    "DeformConv": (1, 3),
    "GRU": (1, 2, 3),
    "Gemm": (1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "LSTM": (1, 2, 3, 7),
    "LayerNormalization": (1, 2),
    "MatMul": (1,),
    "MatMulInteger": (1,),
    "PRelu": (1,),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (3,),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3),
}
"""Inputs that are weights by their role."""

SETTINGS: Mapping[str, Sequence[int]] = {
    "AffineGrid": (1,),
    "BlackmanWindow": (0,),
    "CenterCropPad": (1,),
    "Clip": (1, 2),
    "Col2Im": (1, 2),
    "Compress": (1,),
    "ConstantOfShape": (0,),
    "ConvInteger": (2, 3),
    "CumProd": (1,),
    "CumSum": (1,),
    "DFT": (1, 2),
    "DequantizeLinear": (1, 2),
    "Dropout": (1, 2),
    "Expand": (1,),
    "HammingWindow": (0,),
    "HannWindow": (0,),
    "MatMulInteger": (2, 3),
    "MaxUnpool": (2,),
    "MelWeightMatrix": (0, 1, 2, 3, 4),
    "NonMaxSuppression": (2, 3, 4),
    "OneHot": (1, 2),
    "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "STFT": (1, 2, 3),
    "SequenceAt": (1,),
    "SequenceErase": (1,),
    "SequenceInsert": (2,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "SplitToSequence": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "TopK": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    "Upsample": (1,),
    **dict.fromkeys((f"Reduce{kind}" for kind in ("Max", "Mean", "Min", "Prod", "Sum", "SumSquare")), (1,)),
    **dict.fromkeys((f"Reduce{kind}" for kind in ("L1", "L2", "LogSum", "LogSumExp")), (1,)),
}
"""Inputs that say how it is done: shapes, axes, numbers of values, scales."""


class Finding(NamedTuple):
    """Of one test: what became of it as it stands, and with its weights and settings held by the file."""

    test: str
    operator: str
    outside: str
    """Why it is not one of standard operators on floating or quantised tensors; empty where it is."""
    as_is: str
    why_as_is: str
    with_weights: str
    why: str


def cases() -> list[Any]:
    """All tests with a model, in onnx's order."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for case in collect_testcases(None) if case.model is not None]


def findings(only: Iterable[str] = ()) -> Iterator[Finding]:
    """Of the operators that are named, or of all."""
    every = cases()
    operators = {case.name: case.model.graph.node[-1].op_type for case in every}
    wanted = set(only)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        for case in every:
            whole = case.name.removesuffix("_expanded")
            operator = operators.get(whole, operators[case.name])
            if wanted and operator not in wanted:
                continue
            shapes = told(case.data_sets[0][1]) if case.data_sets else []
            as_is, why_as_is = outcome(case.model, shapes, path)
            held = with_held(case, operator)
            after, why = (as_is, why_as_is) if held is None else outcome(held, shapes, path)
            yield Finding(case.name, operator, outside(case), as_is, why_as_is, after, why)


def told(outputs: Sequence[Any]) -> list[tuple[int, ...] | None]:
    """Shapes of the test's own results; None for what is no tensor, or has no value."""
    return [tuple(array.shape) if hasattr(array, "shape") and array.size else None for array in outputs]


def outside(case: Any) -> str:
    """Why a test is none of standard operators on floating or quantised tensors."""
    graph = case.model.graph
    domains = {node.domain for node in graph.node} - {"", "ai.onnx"}
    if domains:
        return f"of the domain {min(domains)}"
    kinds = {value.type.WhichOneof("value") for value in (*graph.input, *graph.output)}
    if kinds != {"tensor_type"}:
        return "of sequences or optional values"
    names = {dtype_name(value.type.tensor_type.elem_type) for value in (*graph.input, *graph.output)}
    if "string" in names:
        return "of strings"
    if not graph.input:
        return "without an input"
    if not any(name.startswith(("float", "bfloat", "double")) or name in QUANTISED for name in names):
        return "of integers or truth values alone"
    return ""


QUANTISED = ("int8", "uint8", "int4", "uint4", "int2", "uint2")


@cache
def dtype_name(number: int) -> str:
    from onnx import TensorProto

    return TensorProto.DataType.Name(number).lower()  # pyright: ignore[reportArgumentType]


def with_held(case: Any, operator: str) -> Any:
    """The model with weights and settings as initializers; None where there are none, or nothing else."""
    from onnx import ModelProto, TensorProto, numpy_helper

    model = ModelProto()
    model.CopyFrom(case.model)
    graph = model.graph
    given = dict(
        zip((value.name for value in graph.input), case.data_sets[0][0] if case.data_sets else [], strict=False)
    )
    positions = (*WEIGHTS.get(operator, ()), *SETTINGS.get(operator, ()))
    names = (
        [graph.node[0].input[index] for index in positions if index < len(graph.node[0].input)]
        if len(graph.node) == 1
        else [value.name for index, value in enumerate(graph.input) if index in positions]
    )
    held = {name for name in names if name in given}
    left = [value for value in graph.input if value.name not in held]
    if not held or not left:
        return None
    for name in sorted(held):
        array = given[name]
        tensor = TensorProto()
        tensor.CopyFrom(array if isinstance(array, TensorProto) else numpy_helper.from_array(array))
        tensor.name = name
        graph.initializer.append(tensor)
    del graph.input[:]
    graph.input.extend(left)
    return model


def outcome(model: Any, shapes: Sequence[tuple[int, ...] | None], path: Path) -> tuple[str, str]:
    """For any batch; where that is not read, without a batch."""
    path.write_bytes(model.SerializeToString())
    names = [clean(value.name) for value in model.graph.input]
    first = _read(path, shapes, (), _written_batch(model))
    if first[0] == READ:
        return first
    again = _read(path, shapes, names, 1)
    return again if again[0] == READ or (first[0] == REFUSED and again[0] == UNKNOWN) else first


def _written_batch(model: Any) -> int:
    sizes = [value.type.tensor_type.shape.dim[0].dim_value for value in model.graph.input if _has_axes(value)]
    return max(sizes, default=1) or 1


def _has_axes(value: Any) -> bool:
    return value.type.HasField("tensor_type") and len(value.type.tensor_type.shape.dim) > 0


def _read(
    path: Path, shapes: Sequence[tuple[int, ...] | None], unbatched: Sequence[str], batch: int
) -> tuple[str, str]:
    try:
        graph = archcost.build(archcost.from_onnx(path, unbatched=unbatched), batch)
        unknown = archcost.cost(graph).unknown
    except ArchcostError as error:
        return REFUSED, sentence(str(error), path)
    except Exception as error:  # what this program looks for
        return FAILED, f"{type(error).__name__}: {error}"[:200]
    found = [tensor.shape for tensor in graph.returned]
    if len(found) == len(shapes) and any(want not in (None, have) for have, want in zip(found, shapes, strict=True)):
        return WRONG, f"{found} where onnx has {list(shapes)}"[:200]
    return (UNKNOWN, "an operator without a layer") if unknown else (READ, "")


def sentence(text: str, path: Path) -> str:
    """The problem alone, without names and shapes of the test's own."""
    first = text.replace(f"{path}: ", "").split("\n")[0]
    told = re.sub(r"^.*?: (?=[^:]*(cannot be told|reads what|has another|is no|no ))", "", first)
    return re.sub(r"'[^']*'(… \(\d+ characters\))?", "…", told.replace("… cannot be told as a layer: ", ""))[:160]


def main() -> None:
    only = sys.argv[1:]
    found = list(findings(only))
    if only:
        for each in found:
            print(*each, sep=" | ")
        return
    with RESULTS.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(Finding._fields)
        writer.writerows(found)
    from tests.onnx_programs.node_page import PAGE, page

    PAGE.write_text(page(), encoding="utf-8")
    print(f"{len(found):,} tests")


if __name__ == "__main__":
    main()
