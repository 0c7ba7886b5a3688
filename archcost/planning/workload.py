"""What a whole run goes through: a data set so many times, or so many tokens; and in how many steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from archcost.errors import ArchcostError, listing, shorten
from archcost.spec import ModelSpec
from archcost.units import parse_printed

MOST = 10**18
"""Samples, epochs and tokens: more than a thousand times what any run went through."""

NUMBERED = ("int64", "int32")
"""Dtypes of tokens."""


@dataclass(frozen=True, slots=True)
class Workload:
    """`samples` are those that the network is given in all; the last step of an epoch may have fewer than the others.

    Of a run over tokens `dataset_size` and `epochs` are None, and of one over a data set `tokens` is None where a
    sample is no sequence.
    """

    steps: int
    samples: int
    dataset_size: int | None
    epochs: int | None
    tokens: int | None
    sequence: int | None

    def to_dict(self) -> dict[str, Any]:
        names = ("steps", "samples", "dataset_size", "epochs", "tokens", "sequence")
        return {name: getattr(self, name) for name in names}


def workload(
    spec: ModelSpec,
    step: int,
    dataset_size: int | str | None = None,
    epochs: int | str | None = None,
    tokens: int | str | None = None,
) -> Workload:
    """The number of steps of `step` samples that a run has. Raises ArchcostError for amounts that are no such number.

    Each epoch ends with a step of what is left; tokens are read as one stream of sequences.
    """
    told = {"dataset size": dataset_size, "epochs": epochs, "tokens": tokens}
    given = [name for name, value in told.items() if value is not None]
    if given not in (["dataset size", "epochs"], ["tokens"]):
        raise ArchcostError(
            "how long the run is, is not clear",
            expected="a dataset size and epochs, or tokens",
            found=" and ".join(given) or "none of them",
            hint="--dataset-size N --epochs E, or --tokens T",
        )
    sequences = _sequences(spec)
    if tokens is not None:
        sequence, number = _sequence(spec, sequences), positive(tokens, "tokens")
        return Workload(_ceil_div(number, step * sequence), _ceil_div(number, sequence), None, None, number, sequence)
    size, times = positive(dataset_size, "dataset size"), positive(epochs, "epochs")
    sequence = next(iter(sequences.values())) if len(set(sequences.values())) == 1 else None
    samples = size * times
    return Workload(_ceil_div(size, step) * times, samples, size, times, sequence and samples * sequence, sequence)


def _ceil_div(number: int, step: int) -> int:
    return -(-number // step)


def _sequences(spec: ModelSpec) -> dict[str, int]:
    """Inputs that are a row of token numbers a sample, and how long each is."""
    rows = {name: given for name, given in spec.inputs.items() if given.dtype in NUMBERED and given.batched}
    return {name: given.sizes[0] for name, given in rows.items() if len(given.sizes) == 1}


def _sequence(spec: ModelSpec, sequences: dict[str, int]) -> int:
    """Tokens of one sample. Two rows of one length stand beside each other: a token and its segment."""
    lengths = set(sequences.values())
    if not lengths:
        raise ArchcostError(
            f"{spec.name}: tokens of a network that reads none",
            expected="an input of integers, one row a sample",
            found=", ".join(f"{name} {list(given.shape)} {given.dtype}" for name, given in spec.inputs.items()),
            hint="--dataset-size N --epochs E",
        )
    if len(lengths) > 1:
        raise ArchcostError(
            f"{spec.name}: tokens of which input",
            expected="inputs of integers of one length",
            found=listing([f"{name} of {length:,}" for name, length in sequences.items()]),
            hint="--dataset-size N --epochs E, in samples",
        )
    return lengths.pop()


def positive(value: int | str | None, meaning: str) -> int:
    """An integer of one and more; text may have a prefix: 1.2M, 300B, 2T."""
    number = value
    if isinstance(value, str) and (printed := parse_printed(value)) is not None:
        number = printed[0].numerator if printed[0].denominator == 1 else None
    if type(number) is not int or not 1 <= number <= MOST:
        raise ArchcostError(
            f"{meaning} of a run",
            expected=f"an integer from 1 to {MOST:,}, or with a prefix: 1.2M, 300B, 2T",
            found=shorten(value),
        )
    return number
