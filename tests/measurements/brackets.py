"""Steps that a real card ran and refused: the table, and the limits of the verdict that are read off it.

timm's benchmark trained each network with ever smaller batches until one ran. So of most networks two batches are
known: one that ran, and the next larger one of the chain, which did not. brackets.csv beside this has them with what
archcost says that each needs; `python -m tests.measurements.cards_memory` works that out anew.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from math import ceil, floor
from pathlib import Path
from typing import NamedTuple

from archcost import hardware
from archcost.estimates.verdict import Limits, Shares, Verdict
from archcost.hardware.overheads import room

TABLE = Path(__file__).with_name("brackets.csv")
LIMITS = Path(__file__).parents[2] / "archcost" / "estimates" / "limits.json"
CARD = "nvidia-rtx-3090"
SOURCE = (
    "huggingface/pytorch-image-models, results/benchmark-train-amp-{nchw,nhwc}-pt112-cu113-rtx3090.csv at aa4b5850; "
    "torch 1.12, AMP in float16, SGD with Nesterov momentum, cross entropy, cudnn.benchmark"
)

WRONG = 0.01
"""Of the steps on the other side, as many may lie beyond a limit: hundreds of steps are never all as the rest."""

FOLDS = 10
"""Parts of the families, each left out once."""

ORIGINS = re.compile(r"^(tf|gluon|ssl|swsl|ig|tv|legacy)_")
"""Of weights, before the name of the family."""


class Needs(NamedTuple):
    """Bytes of tensors and workspaces at the batch that ran, and at the one that was refused (0: there is none)."""

    ran: int
    refused: int


class Bracket(NamedTuple):
    network: str
    size: int
    layout: str
    ran: int
    """Samples."""
    refused: int
    """0 where the first batch that was tried ran."""
    kept: Needs
    """Gradients stay allocated through forward, as `zero_grad()` of torch 1.12 left them."""
    released: Needs
    """Gradients are None before forward, as torch leaves them since 2.0."""

    @property
    def family(self) -> str:
        found = re.match(r"[a-z]+", ORIGINS.sub("", self.network).replace("_", ""))
        return found.group() if found else self.network

    @property
    def needs(self) -> tuple[Needs, Needs]:
        return self.kept, self.released


def read() -> tuple[Bracket, ...]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(map(_bracket, csv.DictReader(file)))


def _bracket(row: dict[str, str]) -> Bracket:
    numbers = {name: int(text) for name, text in row.items() if name not in ("network", "layout")}
    return Bracket(
        row["network"],
        numbers["size"],
        row["layout"],
        numbers["ran"],
        numbers["refused"],
        Needs(numbers["kept_ran"], numbers["kept_refused"]),
        Needs(numbers["released_ran"], numbers["released_refused"]),
    )


def write(brackets: Iterable[Bracket]) -> None:
    lines = ["network,size,layout,ran,refused,kept_ran,kept_refused,released_ran,released_refused"]
    lines += [",".join(map(str, (*each[:5], *each.kept, *each.released))) for each in brackets]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


# The limits


def fitted(brackets: Sequence[Bracket]) -> Shares:
    """Of the memory beside the context: safe lets one refused step in a hundred pass for safe, most does not let one in
    a hundred that ran. Both ways to treat gradients count, since a limit has to hold for either."""
    free = room(hardware.load(CARD))
    refused = sorted(needs.refused for each in brackets for needs in each.needs if each.refused)
    ran = sorted(needs.ran for each in brackets for needs in each.needs)
    safe = refused[floor(WRONG * len(refused))] - 1
    most = ran[ceil((1 - WRONG) * len(ran)) - 1]
    return Shares(floor(1000 * safe / free) / 1000, ceil(1000 * most / free) / 1000)


def limits_of(shares: Shares) -> Limits:
    free = room(hardware.load(CARD))
    return Limits(int(free * shares.safe), int(free * shares.most))


class Judged(NamedTuple):
    """What the verdict says of a bracket."""

    ran: Verdict
    refused: Verdict | None

    @property
    def is_right(self) -> bool:
        """What ran was not certain to fail, and what was refused was not safe."""
        return self.ran != "does not fit" and self.refused != "fits"


def judged(needs: Needs, limits: Limits) -> Judged:
    return Judged(limits.verdict(needs.ran), limits.verdict(needs.refused) if needs.refused else None)


def left_out(brackets: Sequence[Bracket]) -> Iterator[tuple[Bracket, Limits]]:
    """Each with limits that were read off the brackets of other families."""
    families = sorted({each.family for each in brackets})
    fold = {family: index % FOLDS for index, family in enumerate(families)}
    for number in range(FOLDS):
        others = limits_of(fitted([each for each in brackets if fold[each.family] != number]))
        yield from ((each, others) for each in brackets if fold[each.family] == number)


def limits_file(brackets: Sequence[Bracket]) -> str:
    """What ships."""
    made = {
        "made": "by python -m tests.generate from tests/measurements/brackets.csv; do not edit",
        "device": CARD,
        "steps": len(brackets),
        **fitted(brackets)._asdict(),
    }
    return json.dumps(made, indent=2) + "\n"
