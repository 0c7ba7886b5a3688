"""The length of a network's sequence beside what the network can take."""

from __future__ import annotations

from archcost.errors import SpecError, listing, nearest, shorten
from archcost.spec.evaluation import Evaluation, names_in
from archcost.spec.model import ModelSpec


def check_sequence(spec: ModelSpec) -> None:
    """Raises SpecError for a sequence that is longer than the table of positions, or that names no parameter."""
    sequence = spec.sequence
    if sequence is None:
        return
    parameter, values = sequence.parameter, spec.values
    if parameter not in values:
        raise SpecError(
            f"sequence names the parameter {shorten(parameter)}, which is none",
            expected=listing([*values]) or "a parameter of the network",
            found=shorten(parameter),
            hint=nearest(parameter, values),
        ).at(layer=spec.name, place=spec.source.place(("sequence", "parameter")))
    most, length = longest(spec), values[parameter]
    if most is None or not isinstance(length, int) or length <= most:
        return
    rows = "" if sequence.table is None else f": {sequence.table} has so many rows"
    larger = [f"--set {name}=…" for name in names_in(str(sequence.most))]
    raise SpecError(
        "the sequence is longer than the table of positions" if sequence.table else "the sequence is too long",
        expected=f"at most {most:,}{rows}",
        found=f"{parameter} = {length:,}",
        hint=f"{listing(larger)} for a larger table, which is another network" if larger else None,
    ).at(layer=spec.name)


def longest(spec: ModelSpec) -> int | None:
    """The longest sequence that the network takes; None where nothing limits it. Raises SpecError."""
    sequence = spec.sequence
    if sequence is None or sequence.most is None:
        return None
    most = Evaluation(spec.source).fill(sequence.most, spec.values, spec.name, ("sequence", "most"))
    return most if isinstance(most, int) else None
