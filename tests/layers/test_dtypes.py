"""What every layer says of dtypes, and torch's rules in which dtype results come out."""

from __future__ import annotations

from typing import Literal, get_args

import pytest

from archcost.layers import LAYERS, Layer
from archcost.layers.dtypes import Outcome, Treatment
from archcost.passes.loss import L1, Sum, Total
from archcost.passes.precision import AutocastCopy
from archcost.terms.time_classes import TimeClass

EVERY = (*LAYERS.values(), Sum, L1, Total, AutocastCopy)
each_layer = pytest.mark.parametrize("layer", EVERY, ids=lambda layer: layer.__name__)


def test_no_layer_has_it_from_the_base_of_all() -> None:
    assert not hasattr(Layer, "card")


@each_layer
def test_every_layer_says_what_autocast_does_to_it(layer: type[Layer]) -> None:
    assert set(layer.card.autocast) <= set(get_args(Treatment))


@each_layer
def test_every_layer_says_in_which_dtype_results_come_out(layer: type[Layer]) -> None:
    assert layer.card.promotion in get_args(Outcome)


@each_layer
def test_every_layer_says_what_it_is_in_time(layer: type[Layer]) -> None:
    assert layer.card.time in get_args(TimeClass)


def test_a_class_that_leaves_something_out_is_refused() -> None:
    """Where it is defined, with the names of what it lacks."""
    with pytest.raises(TypeError, match=r"Lacking says nothing of its card, output_types, work, autograd"):

        class Lacking(Layer):  # pyright: ignore[reportUnusedClass]
            type: Literal["lacking"] = "lacking"
