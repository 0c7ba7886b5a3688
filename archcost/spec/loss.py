"""The losses that a spec can name, with options behind a colon: `cross_entropy:float32,shifted`.

Options say how a program of language models works out the same number, which decides what it holds on the way.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, cast, get_args

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from archcost.errors import SpecError, nearest, shorten

LossName = Literal["cross_entropy", "mse", "l1", "sum", "none"]
Shifted = Literal["labels", "logits"]
Fused = Literal["liger", "torch"]

OPTIONS = "float32, shifted, shifted=logits, chunks=K, fused, fused=torch"
PLAIN: tuple[str, ...] = get_args(LossName)
MOST_CHUNKS = 1024


class Loss(NamedTuple):
    """A loss with its options, all of which are cross entropy's.

    `float32` casts the scores first. `shifted` has each token's scores compared with the label of the next: by a copy
    of the `labels`, behind which one is put that counts for nothing (transformers 5, loss/loss_utils.py), or by a copy
    of the `logits` without the last token's (transformers 4). `chunks` are so many pieces of the tokens, for each of
    which the last linear layer is run and its scores cast to float32 (torchtune's CEWithChunkedOutputLoss). `fused`
    works out the gradients of that layer in forward, for so many tokens at a time that their scores take no more than
    what goes in: as Liger's LigerFusedLinearCrossEntropyFunction does, or torch's F.linear_cross_entropy.
    """

    name: LossName
    float32: bool = False
    shifted: Shifted | None = None
    chunks: int | None = None
    fused: Fused | None = None

    @property
    def has_options(self) -> bool:
        return self != Loss(self.name)

    @property
    def by_token(self) -> bool:
        """Whether classes stand on the last axis of the scores, each token with its own."""
        return self.shifted is not None or self.takes_head

    @property
    def takes_head(self) -> bool:
        """Whether the network's last linear layer runs within it."""
        return self.chunks is not None or self.fused is not None


def read_loss(text: object) -> Loss:
    """Raises SpecError for a word that is none of those known, or options that do not go together."""
    if not isinstance(text, str):
        raise SpecError("unknown loss", expected=", ".join(PLAIN), found=shorten(text))
    return _read(text)


@cache
def _read(text: str) -> Loss:
    word, colon, rest = text.partition(":")
    if word not in PLAIN:
        raise SpecError("unknown loss", expected=", ".join(PLAIN), found=shorten(text), hint=_meant(word))
    loss = Loss(cast("LossName", word))
    given: set[str] = set()
    for each in rest.split(",") if colon else ():
        key, equals, value = each.partition("=")
        if word != "cross_entropy" or key not in ("float32", "shifted", "chunks", "fused"):
            known = OPTIONS if word == "cross_entropy" else "none"
            hint = nearest(key, ("float32", "shifted", "chunks", "fused")) if word == "cross_entropy" else None
            raise SpecError(f"loss {word} has no such option", expected=known, found=shorten(each), hint=hint)
        if key in given:
            raise SpecError(f"loss option {key} stands twice", expected="once", found=shorten(text))
        given.add(key)
        loss = loss._replace(**{key: _value(key, value if equals else None)})
    _require_together(loss, text)
    return loss


ALSO_KNOWN_AS = {
    "mean_squared_error": "mse",
    "mean_absolute_error": "l1",
    "mae": "l1",
    "l1loss": "l1",
    "nllloss": "sum, with a layer of type nll at the end",
    "nll": "sum, with a layer of type nll at the end",
    "bceloss": "sum, with a layer of type bce at the end",
    "binary_crossentropy": "sum, with a layer of type bce at the end",
    "bcewithlogitsloss": "sum, with a layer of type bce_with_logits at the end",
}
"""Losses of Keras and torch whose names are not nearly ours. Of those that are layers here, the loss is the output."""


def _meant(word: str) -> str | None:
    return ALSO_KNOWN_AS.get(word.rpartition(".")[2].lower()) or nearest(word, PLAIN)


def _value(key: str, value: str | None) -> object:
    match key:
        case "float32":
            if value is not None:
                raise SpecError("loss option float32 has no value", expected="float32", found=f"float32={value[:40]}")
            return True
        case "chunks":
            digits = value or ""
            if digits.isascii() and digits.isdigit() and len(digits) < 6 and 1 <= int(digits) <= MOST_CHUNKS:
                return int(digits)
            expected = f"a number of pieces from 1 to {MOST_CHUNKS:,}, as in chunks=8"
            raise SpecError("loss option chunks", expected=expected, found=shorten(value))
        case _:
            words: tuple[str, ...] = get_args(Shifted if key == "shifted" else Fused)
            if value is None:
                return words[0]
            if value not in words:
                expected = f"{key}, or {key}={words[1]}"
                found = shorten(value)
                raise SpecError(f"loss option {key}", expected=expected, found=found, hint=nearest(value, words))
            return value


def _require_together(loss: Loss, text: str) -> None:
    apart: str | None = None
    if loss.chunks is not None and loss.fused:
        apart = "fused chooses the pieces itself: one of fused and chunks"
    elif loss.takes_head and loss.float32:
        apart = "no float32, as each piece is worked out in float32 already"
    elif loss.takes_head and loss.shifted == "logits":
        apart = "shifted, as there are no scores of all tokens to copy"
    if apart is not None:
        raise SpecError("loss options that do not go together", expected=apart, found=shorten(text))


def check_loss(value: Any) -> str:
    try:
        read_loss(value)
    except SpecError as error:
        told = {"problem": error.problem, "expected": error.expected, "hint": error.hint}
        raise PydanticCustomError("loss", "Input should be {expected}", told) from None
    return str(value)


LossText = Annotated[
    str,
    BeforeValidator(check_loss),
    WithJsonSchema({"anyOf": [{"enum": [*PLAIN]}, {"type": "string", "pattern": "^cross_entropy:[a-z0-9=,]+$"}]}),
]
