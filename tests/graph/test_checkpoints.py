"""A spec's checkpoints: layers by name, one run of them after the other."""

from __future__ import annotations

import pytest

import archcost
from archcost.errors import ArchcostError

SPEC = """\
name: net
input: [4]
layers:
  - {{type: linear, name: a, out_features: 4}}
  - {{type: relu, name: b}}
  - {{type: linear, name: c, out_features: 4}}
checkpoints: {checkpoints}
"""


def test_they_stand_in_order_of_execution() -> None:
    text = SPEC.format(checkpoints="[{first: c, last: c, reentrant: true}, {first: a, last: b}]")
    spec = archcost.loads(text)
    assert archcost.loads(spec.to_yaml()) == spec
    assert archcost.build(spec).checkpoints == ((("a", "b"), False), (("c",), True))


@pytest.mark.parametrize(
    ("checkpoints", "told"),
    [
        ("[{first: d, last: a}]", ("no such layer", "the name of a layer", "d", None)),
        (
            "[{first: c, last: a}]",
            ("a checkpoint ends before it begins", "first before last, or the same", "c to a", None),
        ),
        (
            "[{first: a, last: b}, {first: b, last: c}]",
            ("a layer is in two checkpoints", "checkpoints one after the other", "b", None),
        ),
    ],
)
def test_what_is_refused(checkpoints: str, told: tuple[str | None, ...]) -> None:
    with pytest.raises(ArchcostError) as error:
        archcost.build(archcost.loads(SPEC.format(checkpoints=checkpoints)))
    assert (error.value.problem, error.value.expected, error.value.found, error.value.hint) == told
    assert error.value.place is not None
    assert error.value.place.line == 7
