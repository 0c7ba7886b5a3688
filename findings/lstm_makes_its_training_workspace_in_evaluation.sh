#!/usr/bin/env bash
# torch.nn.LSTM on the CPU, in evaluation and with every weight frozen, still makes the workspace that only training reads.
#
# oneDNN's recurrent layer hands out one uint8 tensor for its backward, many times the size of the output. Neither eval()
# nor requires_grad=False takes it away: it is made whenever grad mode is on, and goes with torch.no_grad() alone.
#
# Seen with torch 2.13.0, CPU (an LSTM of 16 to 128, 60 steps of 8 samples): of the eight combinations of training,
# trained and grad mode, the four with grad mode on make it. It fails (exit 1) when that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy
cat > "$work/seen.py" <<'PY'
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Workspaces(TorchDispatchMode):
    """Bytes of the untyped tensors that oneDNN's recurrent layer hands out for its backward."""

    def __init__(self):
        super().__init__()
        self.nbytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if "mkldnn_rnn_layer" in str(func):
            self.nbytes += sum(t.untyped_storage().nbytes() for t in tree_leaves(out) if t is not None and t.dtype == torch.uint8)
        return out


def workspace(training, trained, grad_mode):
    lstm = torch.nn.LSTM(16, 128).train(training).requires_grad_(trained)
    with torch.set_grad_enabled(grad_mode), Workspaces() as seen:
        lstm(torch.zeros(60, 8, 16))
    return seen.nbytes > 0


print("torch", torch.__version__)
found = {(a, b, c): workspace(a, b, c) for a in (True, False) for b in (True, False) for c in (True, False)}
for (training, trained, grad_mode), made in found.items():
    print(f"training {training!s:5} trained {trained!s:5} grad mode {grad_mode!s:5} workspace {made}")
raise SystemExit(any(made != grad_mode for (_, _, grad_mode), made in found.items()))
PY
"$work/venv/bin/python" -W ignore "$work/seen.py"
