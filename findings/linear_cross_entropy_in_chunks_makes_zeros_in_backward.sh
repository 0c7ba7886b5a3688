#!/usr/bin/env bash
# torch.nn.functional.linear_cross_entropy with a chunking method.
#
# In chunks it works out the gradients of features and weight in forward and keeps them, so that backward has only to
# multiply them by what arrives. Its backward nevertheless makes tensors of zeros as large as both gradients first: for that
# moment each gradient is there twice, which is most of what the chunks save where the vocabulary is large.
#
# Seen with torch 2.13.0, CPU: zeros of 64×16 (the features) and 256×16 (the weight) during loss.backward(). torch 2.14
# makes none. It fails (exit 1) when that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy
cat > "$work/seen.py" <<'PY'
import torch
from torch.nn import LinearCrossEntropyOptions
from torch.nn.functional import linear_cross_entropy
from torch.utils._python_dispatch import TorchDispatchMode

print("torch", torch.__version__)


class Zeros(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.shapes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if "zeros" in str(func):
            self.shapes.append(tuple(result.shape))
        return result


features = torch.randn(64, 16, requires_grad=True)
weight = torch.randn(256, 16, requires_grad=True)
labels = torch.randint(0, 256, (64,))
loss = linear_cross_entropy(features, weight, labels, options=LinearCrossEntropyOptions(batch_chunk_size=10))
with Zeros() as seen:
    loss.backward()
print("zeros in backward:", seen.shapes)
raise SystemExit(not {(64, 16), (256, 16)} <= set(seen.shapes))
PY
"$work/venv/bin/python" -W ignore "$work/seen.py"
