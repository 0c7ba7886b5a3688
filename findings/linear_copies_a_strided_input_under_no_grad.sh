#!/usr/bin/env bash
# torch.nn.functional.linear on an input of three axes that is not contiguous, in inference.
#
# Under torch.no_grad() a layer whose weight requires a gradient copies its whole input before it multiplies, and the same
# layer with its weight frozen does not. Whoever plans inference memory from "no_grad keeps nothing" misses one input.
# The reason is in aten/src/ATen/native/LinearAlgebra.cpp (should_fold): it folds the axes of the input into a matrix, which
# takes a copy here, if the other operand asks for a gradient; the weight does so under no_grad as well.
#
# Seen with torch 2.13.0, CPU: trained weight, 2 storages of 86,016 and 49,152 bytes made; frozen, 1 of 49,152 bytes.
# It fails (exit 1) when that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy
cat > "$work/seen.py" <<'PY'
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Made(TorchDispatchMode):
    """Bytes of every storage that an operator makes."""

    def __init__(self, known):
        super().__init__()
        self.known = {t.untyped_storage()._cdata for t in known}
        self.kept, self.sizes = [], []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for t in tree_leaves(out):
            if isinstance(t, torch.Tensor) and t.untyped_storage()._cdata not in self.known:
                self.known.add(t.untyped_storage()._cdata)
                self.kept.append(t)
                self.sizes.append(t.untyped_storage().nbytes())
        return out


def made(trained):
    layer = torch.nn.Linear(7 * 8, 4 * 8, bias=False).requires_grad_(trained)
    x = torch.zeros(16, 7 * 8, 24).transpose(1, 2)  # 16 × 24 rows of 56 values, which lie across
    with torch.no_grad(), Made([layer.weight, x]) as seen:
        layer(x)
    return seen.sizes


print("torch", torch.__version__)
found = {"trained": made(True), "frozen": made(False)}
print(found)
raise SystemExit(found != {"trained": [86016, 49152], "frozen": [49152]})
PY
"$work/venv/bin/python" -W ignore "$work/seen.py"
