"""Layers as they are called in Python: what may stand without its name, and the messages of a file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import archcost
from archcost import layers
from archcost.layers import BatchNorm2d, Conv2d, Dropout, Flatten, GroupNorm, LeakyReLU, Linear, MaxPool2d, ReLU


def test_what_torch_takes_first_needs_no_name():
    assert Conv2d(16, 3, stride=2) == Conv2d(out_channels=16, kernel_size=3, stride=2)
    assert (Linear(10), MaxPool2d(3, 2)) == (Linear(out_features=10), MaxPool2d(kernel_size=3, stride=2))
    assert (Dropout(0.25), LeakyReLU(0.2)) == (Dropout(p=0.25), LeakyReLU(negative_slope=0.2))


def test_a_network_is_a_list_of_layers():
    spec = archcost.ModelSpec(name="small", input=(3, 32, 32), layers=[Conv2d(16, 3), ReLU(), Flatten(), Linear(10)])
    # 16·(3·3·3 + 1) weights, and (16·30·30 + 1)·10
    assert archcost.cost(archcost.build(spec)).parameters == 448 + 144_010
    assert archcost.loads(spec.to_yaml()) == spec


CONV = """\
Conv2d takes 2 arguments without their names
  expected: Conv2d(out_channels, kernel_size, …), anything else by name
  found: Conv2d(3, 16, 5)
  try: Conv2d(16, 5), if the input has in_channels=3; Conv2d(3, 16, stride=5), if the last is the stride"""
LINEAR = """\
Linear takes one argument without its name
  expected: Linear(out_features, …), anything else by name
  found: Linear(512, 10)
  try: Linear(10), if the input has in_features=512"""
NORM = """\
BatchNorm2d takes no argument without its name
  expected: BatchNorm2d(…), anything else by name
  found: BatchNorm2d(64)
  try: BatchNorm2d(), if the input has num_features=64"""
GROUPS = """\
GroupNorm takes one argument without its name
  expected: GroupNorm(num_groups, …), anything else by name
  found: GroupNorm(8, 64)
  try: GroupNorm(8), if the input has num_channels=64"""
ZERO = """\
first: wrong value for 'kernel_size'
  expected: an integer from 1 to 2,147,483,647 or a list of them
  found: 0"""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Conv2d(3, 16, 5), CONV),
        (lambda: Linear(512, 10), LINEAR),
        (lambda: BatchNorm2d(64), NORM),
        (lambda: GroupNorm(8, 64), GROUPS),
        (lambda: Conv2d(16, 0, name="first"), ZERO),
        (lambda: Conv2d(16, kernel_size=0), ZERO.replace("first", "Conv2d")),
    ],
)
def test_a_call_is_refused_as_a_file_is(call: Callable[[], object], message: str):
    with pytest.raises(archcost.ArchcostError) as raised:
        call()
    assert str(raised.value) == message


def test_all_mistakes_of_a_spec_are_told():
    with pytest.raises(archcost.ArchcostError) as raised:
        archcost.ModelSpec(name="net", layers=[ReLU(), "Dense", {"type": "linear", "units": 3}])
    told = [(each.layer, each.problem, each.hint) for each in (raised.value, *raised.value.others)]
    assert told == [
        ("net", "field 'input' is missing", None),
        ("layers[1]", "not a layer", "{type: linear, out_features: …}"),
        ("fc1", "unknown field 'units'", "'out_features'"),
    ]


def test_a_layer_does_not_change():
    with pytest.raises(archcost.ArchcostError, match=r"try: Conv2d\(…, stride=…\)"):
        Conv2d(16, 3).stride = 2


def test_a_class_by_another_name_is_offered():
    for name, ours in (("Conv2D", "Conv2d"), ("Dense", "Linear"), ("Relu", "ReLU")):
        with pytest.raises(AttributeError, match=f"try {ours}"):
            getattr(layers, name)
    assert not hasattr(layers, "Wobble")
    assert "Conv2d" in dir(layers)


def test_a_layer_shows_what_is_not_default():
    assert repr(Conv2d(16, 3)) == "Conv2d(out_channels=16, kernel_size=3)"
