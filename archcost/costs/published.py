"""The figures a spec says were published, held against what its layers come to."""

from __future__ import annotations

from archcost.errors import SpecError
from archcost.spec.model import ModelSpec
from archcost.units import count, parse_printed


def check_published(spec: ModelSpec, parameters: int, macs: int | None) -> None:
    """Raises SpecError when a figure disagrees. `macs` are of one sample, None where some are not known.

    An integer must agree exactly. Text (`138 M`) must be what rounding or cutting off makes of the count, since
    papers do both.
    """
    if spec.published is None:
        return
    for name, found in (("parameters", parameters), ("macs", macs)):
        stated: int | str | None = getattr(spec.published, name)
        if stated is None or found is None or _agrees(spec, name, stated, found):
            continue
        raise SpecError(
            f"published {name} disagree with the layers",
            expected=f"{count(stated) if isinstance(stated, int) else stated}, as published",
            found=f"{count(found)} from the layers",
            hint="correct the layers, or the figure",
        ).at(layer=spec.name, place=spec.source.place(("published", name)))


def _agrees(spec: ModelSpec, name: str, stated: int | str, found: int) -> bool:
    if isinstance(stated, int):
        return stated == found
    parsed = parse_printed(stated)
    if parsed is None:
        raise SpecError(
            f"published {name} cannot be read", expected="an integer, or text such as 138 M", found=repr(stated[:60])
        ).at(layer=spec.name, place=spec.source.place(("published", name)))
    value, last_digit = parsed
    return -last_digit / 2 <= found - value < last_digit
