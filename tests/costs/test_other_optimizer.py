"""Another optimizer after the same passes: as if the whole step had been played."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archcost
from archcost import ModelSpec, Run
from archcost.costs.optimizers import forms
from archcost.costs.other_optimizer import with_optimizer
from archcost.costs.timeline import timeline
from archcost.errors import ArchcostError
from archcost.terms.autograd import Device
from tests.graph.networks import specs
from tests.planning.devices import runs

OPTIMIZERS = (
    "none",
    "sgd",
    "sgd-momentum",
    "adam",
    "adamw",
    "adamw-8bit",
    "adafactor",
    "lion",
    "sgd-8bit",
    "adamw-4bit",
)


@given(specs(), runs(), st.sampled_from(OPTIMIZERS), st.sampled_from(["cpu", "cuda"]), st.data())
@settings(max_examples=60, deadline=None, derandomize=True)
def test_it_is_the_step_played(spec: ModelSpec, run: Run, optimizer: str, device: Device, data: st.DataObject) -> None:
    assume(run.trains)
    other = replace(run, optimizer=optimizer)
    other = replace(other, optimizer_impl=data.draw(st.sampled_from([None, *forms(other.optimizer, device)])))
    graph, threads = archcost.build(spec, 2), 4 if device == "cpu" else None
    try:
        played = timeline(graph, other, device, threads)
    except ArchcostError as error:
        assume("overwrites what" not in error.problem)
        raise
    found = with_optimizer(timeline(graph, run, device, threads), other)
    for field in fields(found):
        if field.name not in ("graph", "program"):
            assert getattr(found, field.name) == getattr(played, field.name), field.name


def test_a_form_that_is_not_there_is_refused() -> None:
    spec = ModelSpec.model_validate({"name": "net", "input": [4], "layers": [{"type": "linear", "out_features": 2}]})
    line = timeline(archcost.build(spec), Run(), "cpu")
    with pytest.raises(ArchcostError, match="no such implementation"):
        with_optimizer(line, Run(optimizer="adafactor", optimizer_impl="fused"))
