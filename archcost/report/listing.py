"""The networks that ship."""

from __future__ import annotations

from archcost.comparison.totals import Listing
from archcost.report.document import Column, Document, Table, bounded, one_line


def document(listing: Listing) -> Document:
    columns = (Column("name"), Column("parameters", "right"), Column("MACs", "right"), Column("network"))
    rows = tuple(
        (n.network, n.parameters, bounded(n.macs, n.unknown), one_line(n.title or n.citation or ""))
        for n in listing.networks
    )
    data = (Column("name"), Column("parameters"), Column("macs"), Column("title"), Column("citation"))
    data_rows = tuple(
        (n.network, n.parameters, bounded(n.macs, n.unknown), n.title, n.citation) for n in listing.networks
    )
    sources = dict.fromkeys(n.citation for n in listing.networks if n.citation)
    parts = (
        Table(columns, rows),
        *(("From:\n" + "\n".join(f"  {one_line(source)}" for source in sources),) if sources else ()),
    )
    return Document("Networks that ship with archcost (batch 1)", parts, Table(data, data_rows))
