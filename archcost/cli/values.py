"""What the words behind options stand for: numbers, ranges, JSON."""

from __future__ import annotations

import argparse
from typing import Any

MOST = 2**31 - 1
"""Of a batch, as of every other size in a spec."""


def json_value(text: str) -> Any:
    import json

    try:
        return json.loads(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:60]!r} is no JSON") from None


def batch(text: str) -> int:
    return _positive(text, "the number of samples")


def batches(text: str) -> range:
    """`8`, `1-512` or `8-512:8`."""
    ends, _, step = text.partition(":")
    first, dash, last = ends.partition("-")
    start = batch(first)
    stop = batch(last) if dash else start
    if stop < start:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} ends before it begins")
    return range(start, stop + 1, _positive(step, "the step") if ":" in text else 1)


def sequence(text: str) -> int:
    return _positive(text, "the length of the sequence")


def accumulation(text: str) -> int:
    return _positive(text, "the number of batches before a step")


def tokens(text: str) -> int:
    return _positive(text, "the number of tokens")


def sequences(text: str) -> int:
    return _positive(text, "the number of sequences at once")


def devices(text: str) -> int:
    return _positive(text, "the number of devices")


def checkpoints(text: str) -> int:
    return _positive(text, "the number of checkpoints")


def threads(text: str) -> int:
    return _positive(text, "the number of threads")


def rows(text: str) -> int:
    return _positive(text, "the number of rows")


def depth(text: str) -> int:
    return _positive(text, "the number of names to fold at")


def _positive(text: str, meaning: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 11 and 0 < int(text) <= MOST):
        raise argparse.ArgumentTypeError(f"{meaning} is an integer from 1 to {MOST:,}, not {text[:40]!r}")
    return int(text)
