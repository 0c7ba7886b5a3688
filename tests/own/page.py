"""docs/add_your_own_layer.md: one kernel on its way from opaque to exact. All that the page shows is run, and put into
the text of add_your_own_layer.md in this folder.

`python -m tests.own.page` prints the outputs that the page needs, as JSON: the stages need a process of their own, in
which archcost knows nothing of the kernel at first.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.documents import ROOT
from tests.own.site import PACKAGES, run

PAGE = ROOT / "docs" / "add_your_own_layer.md"
PACKAGE = PACKAGES / "fused_attention"
NETWORK = "fused_attention.kernels:Block --input 10x64"


def page() -> str:
    """The page, with what every stage prints."""
    done = run("-m", "tests.own.page", path=(PACKAGES,), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    shown: dict[str, str] = json.loads(done.stdout)
    kernels, layers, tests = [(PACKAGE / f"{name}.py").read_text() for name in ("kernels", "layers", "test_layers")]
    return TEXT.format(
        kernel=_part(kernels, "@torch.library", "@torch.library"),
        autograd=_part(kernels, "def keep", "class Block"),
        module=_part(kernels, "class Block", None),
        formulas=FORMULAS.strip(),
        layer=layers.partition('"""\n\n')[2].strip(),
        rows=tests.partition('"""\n\n')[2].strip(),
        **shown,
    )


def _part(text: str, first: str, until: str | None) -> str:
    start = text.index(first)
    end = len(text) if until is None else text.index(until, start + 1)
    return text[start:end].strip()


FORMULAS = """
import torch
from torch.utils.flop_counter import register_flop_formula


@register_flop_formula(torch.ops.fused_attention.attend)
def forward_flops(query, key, value, causal=False, *, out_shape=None):
    samples, heads, rows, width = query
    return 4 * samples * heads * rows * key[2] * width


@register_flop_formula(torch.ops.fused_attention.attend_backward)
def backward_flops(gradient, query, key, *others, out_shape=None):
    samples, heads, rows, width = query
    return 10 * samples * heads * rows * key[2] * width
"""


def outputs() -> dict[str, str]:
    """By stage. What is registered stays, so the order matters."""
    from importlib import import_module

    from tests.documents import output_of

    summary = f"archcost summary {NETWORK}"
    shown = {"opaque": _rows(output_of(summary), "opaque1")}
    import_module("fused_attention.kernels")
    exec(FORMULAS, {})
    shown["told"] = _rows(output_of(summary), "opaque1")
    import_module("fused_attention.layers")
    shown["exact"] = _rows(output_of(summary), "attend1")
    shown["explained"] = output_of(f"archcost explain {NETWORK} attend1").strip()
    shown["verified"] = output_of(f"archcost verify {NETWORK}").strip().splitlines()[-1]
    return shown


def _rows(table: str, layer: str) -> str:
    """The head, the row of the layer, the total, and what is said of unknown or assumed numbers."""
    lines = table.splitlines()
    head = [line for line in lines if line.startswith(("layer ", layer, "total "))][:3]
    said = re.findall(r"^(?:Lower bounds|Assumed).*?(?=\n\n)", table, re.MULTILINE | re.DOTALL)
    return "\n".join([*head, *(f"\n{text}" for text in said)])


TEXT = Path(__file__).with_name("add_your_own_layer.md").read_text().replace("{network}", NETWORK)


def main() -> None:
    sys.stdout.write(json.dumps(outputs()))


if __name__ == "__main__":
    main()
