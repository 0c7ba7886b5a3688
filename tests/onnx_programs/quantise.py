"""Quantised files, made by onnxruntime of the float files in a folder: `python quantise.py FOLDER`, without archcost.

Prints a line of JSON for each: of which network, in which way, and why it could not be made. It runs in an environment
of its own (`REQUIREMENTS` of quantised.py), whose packages the type checker does not see.
"""

# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime import quantization as q
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

KINDS, FORMS = q.QuantType, q.QuantFormat

DYNAMIC = {
    "dynamic, int8": {"weight_type": KINDS.QInt8},
    "dynamic, uint8": {"weight_type": KINDS.QUInt8},
    "dynamic, int8 by channel": {"weight_type": KINDS.QInt8, "per_channel": True},
}
STATIC = {
    "QDQ, uint8 × int8": (FORMS.QDQ, KINDS.QUInt8, KINDS.QInt8, False),
    "QDQ, int8 × int8 by channel": (FORMS.QDQ, KINDS.QInt8, KINDS.QInt8, True),
    "QDQ, uint8 × uint8": (FORMS.QDQ, KINDS.QUInt8, KINDS.QUInt8, False),
    "QDQ, uint16 × int8": (FORMS.QDQ, KINDS.QUInt16, KINDS.QInt8, False),
    "QDQ, int16 × int16": (FORMS.QDQ, KINDS.QInt16, KINDS.QInt16, False),
    "QDQ, uint8 × int4": (FORMS.QDQ, KINDS.QUInt8, KINDS.QInt4, False),
    "QDQ, uint8 × uint4 by channel": (FORMS.QDQ, KINDS.QUInt8, KINDS.QUInt4, True),
    "QDQ, float8": (FORMS.QDQ, KINDS.QFLOAT8E4M3FN, KINDS.QFLOAT8E4M3FN, False),
    "operators, uint8 × int8": (FORMS.QOperator, KINDS.QUInt8, KINDS.QInt8, False),
    "operators, uint8 × uint8": (FORMS.QOperator, KINDS.QUInt8, KINDS.QUInt8, False),
    "operators, int8 × int8 by channel": (FORMS.QOperator, KINDS.QInt8, KINDS.QInt8, True),
}
PACKED = {
    "4 bits, blocks of 16": {"bits": 4, "block_size": 16, "is_symmetric": True},
    "4 bits, blocks of 32, zero points": {"bits": 4, "block_size": 32, "is_symmetric": False},
    "8 bits, blocks of 32": {"bits": 8, "block_size": 32, "is_symmetric": True},
    "4 bits, blocks of 32, QDQ": {"bits": 4, "block_size": 32, "is_symmetric": True, "quant_format": FORMS.QDQ},
}
OPTIMISED = ("dynamic, int8", "QDQ, uint8 × uint8", "QDQ, int8 × int8 by channel", "4 bits, blocks of 32, QDQ")
"""What onnxruntime's optimiser also rewrites."""


def samples(path: Path) -> Iterator[dict[str, Any]]:
    """Two batches to calibrate with: indices are few."""
    random = np.random.default_rng(0)
    inputs = session(path).get_inputs()
    for _ in range(2):
        shapes = {each.name: [size if isinstance(size, int) else 1 for size in each.shape] for each in inputs}
        yield {
            each.name: random.integers(0, 7, shapes[each.name])
            if "int" in each.type
            else random.standard_normal(shapes[each.name]).astype(np.float32)
            for each in inputs
        }


def session(path: Path, options: Any = None) -> Any:
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Samples(q.CalibrationDataReader):
    def __init__(self, path: Path) -> None:
        self.left = samples(path)

    def get_next(self) -> dict[str, Any] | None:
        return next(self.left, None)


def quantised(source: Path, target: Path, way: str) -> None:
    if way in DYNAMIC:
        q.quantize_dynamic(str(source), str(target), **DYNAMIC[way])
    elif way in STATIC:
        form, activations, weights, by_channel = STATIC[way]
        method = q.CalibrationMethod.Distribution if weights == KINDS.QFLOAT8E4M3FN else q.CalibrationMethod.MinMax
        kinds = {"quant_format": form, "activation_type": activations, "weight_type": weights}
        more = {"per_channel": by_channel, "calibrate_method": method}
        q.quantize_static(str(source), str(target), Samples(source), **kinds, **more)
    else:
        made = MatMulNBitsQuantizer(onnx.load(source), **PACKED[way])
        made.process()
        onnx.save(made.model.model, target)
    session(target)


def optimised(source: Path, target: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(target)
    session(source, options)


def told(function: Any, source: Path, target: Path, *way: str) -> str | None:
    """Why there is no file."""
    try:
        function(source, target, *way)
    except Exception as error:
        return f"{type(error).__name__}: {str(error).partition(' in [')[0][:100]}"
    return None


def main(folder: Path) -> None:
    onnxruntime.set_default_logger_severity(4)
    ways = (*DYNAMIC, *STATIC, *PACKED)
    for source in sorted(folder.glob("*.float.onnx")):
        network = source.name.removesuffix(".float.onnx")
        for number, way in enumerate(ways):
            target = folder / f"{network}.{number}.onnx"
            problem = told(quantised, source, target, way)
            print(json.dumps({"network": network, "way": way, "file": target.name, "problem": problem}))
            if way in OPTIMISED and problem is None:
                better = folder / f"{network}.{number}.optimised.onnx"
                problem = told(optimised, target, better)
                of = {"network": network, "way": f"{way}; optimised", "file": better.name, "problem": problem}
                print(json.dumps(of))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
