"""What every layer says of dtypes, and torch's rules in which dtype results come out."""

from __future__ import annotations

from typing import get_args

import pytest

from archcost.layers import LAYERS, Layer
from archcost.layers.dtypes import Outcome, Treatment
from archcost.passes.loss import L1, Sum, Total
from archcost.passes.precision import AutocastCopy
from archcost.terms.time_classes import TimeClass

EVERY = (*LAYERS.values(), Sum, L1, Total, AutocastCopy)
each_layer = pytest.mark.parametrize("layer", EVERY, ids=lambda layer: layer.__name__)


def test_no_layer_has_it_from_the_base_of_all() -> None:
    assert not hasattr(Layer, "autocast")
    assert not hasattr(Layer, "comes_out")
    assert not hasattr(Layer, "time_class")


@each_layer
def test_every_layer_says_what_autocast_does_to_it(layer: type[Layer]) -> None:
    declared = getattr(layer, "autocast", None)
    assert declared is not None, f"{layer.__name__} says nothing of autocast: see archcost/layers/dtypes.py"
    assert set(declared) <= set(get_args(Treatment))


@each_layer
def test_every_layer_says_in_which_dtype_results_come_out(layer: type[Layer]) -> None:
    declared = getattr(layer, "comes_out", None)
    assert declared in get_args(Outcome), (
        f"{layer.__name__} says no dtype of its results: see archcost/layers/dtypes.py"
    )


@each_layer
def test_every_layer_says_what_it_is_in_time(layer: type[Layer]) -> None:
    declared = getattr(layer, "time_class", None)
    assert declared in get_args(TimeClass), (
        f"{layer.__name__} says no class in time: see archcost/terms/time_classes.py"
    )
