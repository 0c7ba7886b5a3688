"""One network in a row, and the rows of those that ship.

These are worked out when a spec changes, and kept beside the specs: to list them, no network is built. What is kept
says of which text it was made, so that of a changed spec everything is worked out again.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from archcost.files.result import Result
from archcost.files.stage import tell_stage
from archcost.spec import zoo

if TYPE_CHECKING:
    from archcost.costs import ModelCost

FILE = "totals.json"


@dataclass(frozen=True, slots=True)
class NetworkTotals:
    """One network in a row. FLOPs are of contractions, for the whole batch; errors are published, in percent.

    `unknown` names the layers whose operations are not known, for whom MACs and FLOPs are lower bounds.
    """

    network: str
    title: str | None
    citation: str | None
    batch: int
    layers: int
    parameters: int
    macs: int
    flops_forward: int
    flops_backward: int
    unknown: tuple[str, ...]
    top1_error: float | None
    top5_error: float | None

    @classmethod
    def of(cls, cost: ModelCost) -> NetworkTotals:
        spec = cost.graph.spec
        flops = cost.flops
        return cls(
            network=cost.network,
            title=spec.title,
            citation=spec.citation,
            batch=cost.batch,
            layers=len(cost.layers),
            parameters=cost.parameters,
            macs=cost.macs,
            flops_forward=flops.forward.contraction,
            flops_backward=flops.backward.contraction,
            unknown=cost.unknown,
            top1_error=spec.published.top1_error if spec.published else None,
            top5_error=spec.published.top5_error if spec.published else None,
        )


@dataclass(frozen=True, repr=False)
class Listing(Result):
    """The networks that ship, in order of their names."""

    networks: tuple[NetworkTotals, ...]

    @property
    def headline(self) -> str:
        return f"{len(self.networks)} networks"

    def to_dict(self) -> dict[str, Any]:
        return {"schema": "archcost.list/1", "networks": [asdict(network) for network in self.networks]}


def shipped() -> Listing:
    """The networks that ship, at batch 1."""
    file = zoo.folder() / FILE
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if kept.get("made_of") != _digest():
        return _worked_out()
    rows: list[dict[str, Any]] = kept["networks"]
    for row in rows:
        row["unknown"] = tuple(row["unknown"])
    return Listing(tuple([NetworkTotals(**row) for row in rows]))


def text() -> str:
    """What is kept, a network a line."""
    rows = [json.dumps(asdict(network), ensure_ascii=False) for network in _worked_out().networks]
    return f'{{"made_of": "{_digest()}", "networks": [\n' + ",\n".join(rows) + "\n]}\n"


def _worked_out() -> Listing:
    from archcost.costs import cost
    from archcost.graph import build
    from archcost.spec import load

    found: list[NetworkTotals] = []
    for name in zoo.names():
        tell_stage(name)
        found.append(NetworkTotals.of(cost(build(load(name)))))
    return Listing(tuple(found))


def _digest() -> str:
    """A hash of the specs and of those that they extend."""
    read = sha256()
    for file in sorted(zoo.folder().rglob("*.yaml")):
        read.update(file.relative_to(zoo.folder()).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return read.hexdigest()
