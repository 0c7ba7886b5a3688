"""The report of `verify`, from the JSON that the contract fixes; no torch is needed for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archcost.report import render


def check(quantity: str, scope: str, ours: Any, theirs: Any, agrees: bool | None, reason: str | None = None) -> Any:
    by = "fvcore 1" if quantity == "macs" else "torch 2"
    return {"quantity": quantity, "scope": scope, "archcost": ours, "witness": theirs, "by": by} | {
        "agrees": agrees,
        "reason": reason,
    }


@dataclass
class Verification:
    checks: list[Any]

    def to_dict(self) -> dict[str, Any]:
        return {"schema": "archcost.verify/1", "network": "net", "device": "cpu", "ok": True, "checks": self.checks}


GOOD = [
    check("parameters", "total", 1792, 1792, True),
    check("parameters", "conv1", 1792, 1792, True),
    check("output_shapes", "conv1", [[1, 2]], [[1, 2]], True),
    check("macs", "total", 5000, 5000, True, "taken off: 7"),
    check("macs", "conv1", 5000, 5000, True),
    check("macs", "relu1", 0, None, None, "no rule for relu"),
    check("macs", "relu2", 0, None, None, "no rule for relu"),
]

TEXT = """\
net on cpu: archcost beside its witnesses (independent counts)

quantity         archcost     witness   agree  differ  uncounted  counted by
-------------  ----------  ----------  ------  ------  ---------  ----------
parameters          1,792       1,792  2 of 2       0          0  torch 2
output shapes  each layer  each layer  1 of 1       0          0  torch 2
MACs                5,000       5,000  2 of 4       0          2  fvcore 1

Notes on numbers that agree:
- MACs of total: taken off: 7

Not counted by a witness:
- MACs of relu1, relu2: no rule for relu

All 5 numbers that a witness counted agree, 2 have no witness.
"""


def test_text() -> None:
    assert render(Verification(GOOD)) == TEXT


def test_every_disagreement_is_shown_in_full() -> None:
    text = render(Verification([*GOOD, check("output_shapes", "pool", [[1, 2], [1, 2]], [[1, 3], [1, 3]], False)]))
    assert "These differ, and nobody knows why:\n" in text
    assert "output shapes  pool   1×2, 1×2  1×3, 1×3  torch 2\n" in text
    assert text.endswith("1 of 6 numbers differ, 2 have no witness.\n")


def test_csv_has_every_check() -> None:
    lines = render(Verification(GOOD), "csv").splitlines()
    assert lines[0] == "quantity,scope,archcost,witness,by,agrees,reason,network"
    assert lines[3] == "output_shapes,conv1,1x2,1x2,torch 2,True,,net"
    assert lines[6] == "macs,relu1,0,,fvcore 1,,no rule for relu,net"
    assert len(lines) == 8
