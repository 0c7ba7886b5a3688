"""What a step keeps off the card, and what it moves."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.costs.offloaded import ROLES, Offloaded
from archcost.report.document import Column, Facts, Part, Table
from archcost.units import size


def parts(found: Offloaded, link: str | None = None) -> Iterator[Part]:
    """A table by role and the rules that it follows; `link` says how long the moves take."""
    disk = (Column("on its disk", "right"),) if found.nvme else ()
    columns = (Column("off the card"), Column("on the host", "right"), *disk)
    ways = (found.host, *((found.nvme,) if found.nvme else ()), found.to_host, found.to_card)
    rows = tuple(
        [
            (role.replace("_", " "), *(size(way[role]) if role in way else None for way in ways))
            for role in ROLES
            if any(role in way for way in ways)
        ]
    )
    total = ("together", *(size(sum(way.values())) for way in ways))
    yield Table((*columns, Column("to the host", "right"), Column("to the card", "right")), rows, total)
    yield Facts((*((("link", link),) if link else ()), *(("offload", policy) for policy in found.policies)))
