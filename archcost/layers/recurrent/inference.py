"""What recurrent layers make without autograd: at their worst moment, as torch's operators come and go.

The order is that of `native/RNN.cpp`: layer by layer, in each the directions one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple


class Made(NamedTuple):
    """Values of a composed cell: the most that a step makes at once, its output, and what only the next step reads."""

    most: int
    output: int
    carried: int = 0


class Unrecorded(NamedTuple):
    """A recurrent layer without autograd, in values.

    `zeros` are those of first states that nobody gave, `copied` the input where its steps do not lie one after the
    other, `products` those of all steps with the input in one direction.
    """

    layers: int
    directions: int
    positions: int
    zeros: int
    copied: int
    products: int
    biased: bool


def composed(run: Unrecorded, step: Made) -> int:
    """The most that lives at once, outputs and last states included, where torch goes step by step."""
    return max(accumulate(_composed(run, step)))


def _composed(run: Unrecorded, step: Made) -> Iterator[int]:
    earlier = (run.positions - 1) * step.output
    carried = step.carried if run.positions > 1 else 0
    stacked = run.positions * step.output
    yield run.zeros
    for layer in range(run.layers):
        before = 0
        for _ in range(run.directions):
            yield from _products(run, layer)
            yield -before  # those of the other direction
            before = run.products
            yield earlier + carried
            yield step.most
            yield step.output + step.carried - carried - step.most
            yield stacked
        joined = run.directions * stacked
        if run.directions > 1:
            yield joined
            yield -joined
        yield -run.products - run.directions * earlier
        if layer > 0:
            yield -joined  # what it has read
    yield run.layers * run.directions * (step.output + step.carried)  # last states, of all layers together


def _products(run: Unrecorded, layer: int) -> Iterator[int]:
    """Of rows that had to be copied the bias is added apart."""
    if layer > 0 or not run.copied:
        yield run.products
        return
    yield run.copied
    yield run.products
    yield -run.copied
    if run.biased:
        yield run.products
        yield -run.products


class Fused(NamedTuple):
    """Values of an LSTM's cell by oneDNN: its outputs, and its last states. By layer, zeros in place of biases that it
    does not have, and the workspace that it makes while autograd is on, whether anything is trained or not.
    """

    output: int
    last: int
    zeros: tuple[int, ...]
    workspaces: tuple[int, ...]


def fused(run: Unrecorded, cell: Fused) -> int:
    """The most that lives at once, outputs and last states included, where oneDNN computes whole sequences."""
    return max(accumulate(_fused(run, cell)))


def _fused(run: Unrecorded, cell: Fused) -> Iterator[int]:
    """What a layer puts out is let go of when the next one's takes its place."""
    yield run.zeros + run.copied
    for layer in range(run.layers):
        for _ in range(run.directions):
            yield cell.zeros[layer] + cell.output + cell.last + cell.workspaces[layer]
            yield -cell.workspaces[layer] - (cell.output if layer > 0 else 0)
            yield -cell.zeros[layer]
        if run.directions > 1:
            yield run.directions * cell.output
            yield -(run.directions * cell.output if layer > 0 else 0)
    yield run.layers * run.directions * cell.last
