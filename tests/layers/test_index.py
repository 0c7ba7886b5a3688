"""Layer classes are found by type and by name, listed or not, and only those that are asked for are imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

import archcost.layers
from archcost.layers import INDEX, LAYERS, TYPES, Layer, Place, Types, declared, index
from tests import layer_index


def test_the_index_is_that_of_the_classes() -> None:
    """After a change: python -m tests.generate."""
    assert INDEX.read_text(encoding="utf-8") == layer_index.index()
    assert layer_index.STUB.read_text(encoding="utf-8") == layer_index.stub()


def test_a_name_is_that_of_one_class() -> None:
    names = [kind.__name__ for kind in declared().values()]
    assert len(set(names)) == len(names) == len(TYPES)
    for name in names:
        assert getattr(archcost.layers, name).__name__ == name


def test_what_is_not_listed_is_looked_for() -> None:
    nothing_listed = Types(Layer, {})
    assert nothing_listed["relu"] is LAYERS["relu"]
    assert "linear" in nothing_listed
    assert "multi_head_attention" not in nothing_listed  # which is none, but several
    with pytest.raises(KeyError):
        nothing_listed["relu7"]


@pytest.mark.parametrize("place", [("linear", "Quadrilinear"), ("quadrilinear", "Linear")])
def test_what_lies_elsewhere_is_looked_for(place: tuple[str, str]) -> None:
    moved = Types(Layer, {"linear": Place(*place, is_composite=False)})
    assert moved["linear"] is LAYERS["linear"]


def test_a_name_of_no_class_is_no_attribute() -> None:
    for name in ("Relu7", "relu7"):
        with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
            getattr(archcost.layers, name)


COUNTED = "assert len(LAYERS) > 200 and 'lstm' in [*LAYERS] and LAYERS['linear'].__name__ == 'Linear'"
STEP = "archcost.estimate(archcost.loads(SPEC), hardware='nvidia-rtx-4090', precision='amp-bf16').to_dict()"
SPEC = "SPEC = '{name: n, input: [3], loss: mse, layers: [{type: linear, out_features: 5}, {type: relu}]}'"


@pytest.mark.parametrize(
    ("code", "named"),
    [
        (COUNTED, {"linear"}),
        ("str(archcost.cost(archcost.build(archcost.loads(SPEC))))", {"linear", "activation"}),
        (STEP, {"linear", "activation", "loss", "shape"}),  # autocast's copies are casts
    ],
)
def test_only_families_that_are_named_are_imported(code: str, named: set[str]) -> None:
    show = "print(*{name.split('.')[2] for name in sys.modules if name.startswith('archcost.layers.')})"
    script = "\n".join(["import sys, archcost", "from archcost.layers import LAYERS", SPEC, code, show])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    families = {place.module.split(".")[0] for place in index().values()}
    assert families & {*done.stdout.split()} == named
