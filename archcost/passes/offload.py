"""What a step keeps off the card: `optimizer,activations` on the host, `optimizer:nvme` on its disk."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal, cast, get_args

from archcost.errors import ArchcostError, nearest, shorten

Part = Literal["optimizer", "gradients", "weights", "activations"]
"""The optimizer's state, with its step; gradients, as soon as they are there; weights, but for two layers; what
autograd keeps for backward."""

Target = Literal["cpu", "nvme"]

PARTS: tuple[Part, ...] = get_args(Part)
TARGETS: tuple[Target, ...] = get_args(Target)
NOTHING: Mapping[Part, Target] = {}

EXPECTED = "none, or with commas between: optimizer, gradients, weights, activations, each with :cpu (default) or :nvme"


def offload(text: object) -> Mapping[Part, Target]:
    """Where each part lies that is not on the card. Raises ArchcostError for a word that is none of those known."""
    if not isinstance(text, str):
        raise ArchcostError("offload is text", expected=EXPECTED, found=shorten(text))
    return _offload(text)


@cache
def _offload(text: str) -> Mapping[Part, Target]:
    if text == "none":
        return NOTHING
    found: dict[Part, Target] = {}
    for word in text.split(","):
        part, colon, target = word.strip().partition(":")
        if part not in PARTS:
            raise ArchcostError(
                "offload names what lies off the card",
                expected=EXPECTED,
                found=shorten(word),
                hint=nearest(part, PARTS),
            )
        if colon and target not in TARGETS:
            raise ArchcostError(
                f"{part} can be offloaded to the host or its disk",
                expected=" or ".join(TARGETS),
                found=shorten(target),
                hint=nearest(target, TARGETS),
            )
        if part in found:
            raise ArchcostError(f"offload names {part} twice", expected="once", found=shorten(text))
        found[part] = cast("Target", target or "cpu")
    return found
