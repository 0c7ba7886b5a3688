#!/usr/bin/env bash
# torch.utils.flop_counter.FlopCounterMode on a product of int8 matrices.
#
# The same product of int8 counts 2·m·k·n FLOPs where it is called as `a @ b`, and 0 as `torch._int_mm(a, b)`, which is the
# call that int8 inference uses since its sums come out in int32. aten._scaled_mm, its sibling for floats of 8 bits, has a formula
# in flop_counter.py, and aten._int_mm has none. A network that is quantised this way appears to have no products left.
#
# Seen with torch 2.13.0, CPU: 73,728 for 24×32 by 32×48 as a product, 0 as _int_mm.
# It fails (exit 1) when that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q torch==2.13.0 numpy
cat > "$work/seen.py" <<'PY'
import torch
from torch.utils.flop_counter import FlopCounterMode

left, right = torch.zeros(24, 32, dtype=torch.int8), torch.zeros(32, 48, dtype=torch.int8)


def counted(product):
    with FlopCounterMode(display=False) as counter:
        product(left, right)
    return counter.get_total_flops()


print("torch", torch.__version__)
found = {"matmul": counted(torch.matmul), "_int_mm": counted(torch._int_mm)}
print(found)
raise SystemExit(found != {"matmul": 2 * 24 * 32 * 48, "_int_mm": 0})
PY
"$work/venv/bin/python" -W ignore "$work/seen.py"
