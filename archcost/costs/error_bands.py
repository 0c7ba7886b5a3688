"""The error bands of memory: by how much predicted bytes differed from measured ones.

The numbers come from the log of measured steps (docs/measurements.md) and ship as error_bands.json.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal

from archcost.terms.autograd import Device

_FILE = Path(__file__).with_name("error_bands.json")


def band(
    device: Device, quantity: Literal["peak_bytes", "allocated_bytes"] = "allocated_bytes"
) -> tuple[float, float] | None:
    """The lowest and highest relative error, predicted / measured − 1, over all steps measured on such a device.

    None where nothing was measured.
    """
    measured = _read().get(device)
    if measured is None:
        return None
    lowest, highest = measured[quantity]
    return lowest, highest


@cache
def _read() -> dict[str, Any]:
    return json.loads(_FILE.read_text(encoding="utf-8"))
