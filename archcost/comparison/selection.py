"""Some of the networks that ship: by words and by how large they are; and their order."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, get_args

from archcost.comparison.totals import Listing, NetworkTotals
from archcost.errors import ArchcostError, nearest, shorten
from archcost.units import parse_printed

Order = Literal["name", "parameters", "macs"]
ORDERS: tuple[str, ...] = get_args(Order)


def selected(
    shipped: Listing,
    words: Sequence[str] = (),
    *,
    min_parameters: str | None = None,
    max_parameters: str | None = None,
    by: str = "name",
) -> Listing:
    """Those whose name, title or citation has every word, with parameters between two figures (`10M`), by name or the
    largest first. Raises ArchcostError for a figure that is none, and where no network is left.
    """
    if by not in ORDERS:
        expected = f"one of {', '.join(ORDERS)}"
        raise ArchcostError(f"no order {shorten(by)}", expected=expected, found=shorten(by), hint=nearest(by, ORDERS))
    left = list(shipped.networks)
    for word in words:
        near = nearest(word.lower(), [network.network for network in left])
        left = [network for network in left if word.lower() in _text(network)]
        if not left:
            raise ArchcostError(
                f"no network that ships has {shorten(word)} in its name, title or citation",
                found=" ".join(words)[:100],
                hint=near or "archcost list",
            )
    least = None if min_parameters is None else _number(min_parameters)
    most = None if max_parameters is None else _number(max_parameters)
    sizes = [network.parameters for network in left]
    left = [network for network in left if (least or 0) <= network.parameters]
    left = [network for network in left if most is None or network.parameters <= most]
    if not left:
        between = f"{min(sizes):,} to {max(sizes):,}"
        raise ArchcostError("no network has so many parameters", expected=f"a range among {between}")
    if by != "name":
        left.sort(key=lambda network: (-getattr(network, by), network.network))
    return Listing(tuple(left))


def _text(network: NetworkTotals) -> str:
    return " ".join(filter(None, (network.network, network.title, network.citation))).lower()


def _number(text: str) -> Fraction:
    read = parse_printed(text) if len(text) <= 40 else None
    if read is None:
        raise ArchcostError(
            "a number of parameters is no number", expected="such as 25000000 or 25M", found=shorten(text)
        )
    return read[0]
