"""The pages of the layers are what the rules say."""

from __future__ import annotations

import pytest

from archcost.costs.layer_types import EXAMPLES, layer_type
from archcost.layers import LAYERS
from archcost.report.layer_types import counted_rows, dropped_rows, kept_rows
from tests import layer_pages, releases


@pytest.mark.usefixtures("only_ours")
def test_pages_are_up_to_date() -> None:
    pages = layer_pages.pages()
    assert {path: path.read_text() for path in layer_pages.FOLDER.glob("*.md")} == pages, (
        "make docs brings them up to date"
    )


def test_examples_are_up_to_date() -> None:
    assert EXAMPLES.read_text() == layer_pages.examples(), "make docs brings them up to date"


def test_the_page_on_what_is_kept_is_up_to_date() -> None:
    text = releases.PAGE.read_text()
    assert releases.renew(text) == text, "make docs brings the page up to date"


@pytest.mark.parametrize("type_", LAYERS)
def test_every_type_has_an_example(type_: str) -> None:
    assert layer_type(type_).examples


def test_counts_by_hand() -> None:
    """A contraction with its bias, a pool over a 2 by 2 window, an activation."""
    lines = [row[2:] for type_ in LAYERS for row in counted_rows(layer_type(type_).examples)]
    assert ("products summed", "MAC", "2", "2", "2") in lines
    assert ("bias added", "output value", "1", "0", "1") in lines
    assert ("maximum of a window", "output value", "4", "1", "0") in lines
    assert ("sigmoid", "output value", "4", "3", "0") in lines


def kept(type_: str, example: str) -> list[str]:
    return next(list(row[2:]) for row in kept_rows(layer_type(type_).examples) if row[0] == example)


def test_what_is_kept_by_hand() -> None:
    """The result, what is kept, and where that differs: in evaluation, frozen, weights alone, on CUDA, permuted."""
    same = [""] * 5
    assert kept("relu", "") == ["new", "output", *same]
    assert kept("silu", "inplace: true") == ["the input's", "**copy of the input** (2×3×5×7 = 210)", *same]
    assert kept("flatten", "") == ["the input's; if permuted new", "nothing", *same]
    assert kept("linear", "out_features: 5") == ["new", "weight, input", "", "weight", "input", "", ""]
    assert kept("dropout", "") == [
        "new; in evaluation the input's",
        "**mask** (2×7 = 14)",
        "nothing",
        "",
        "",
        "**mask** (2×7 = 14 bool)",
        "",
    ]
    assert kept("max_pool2d", "kernel_size: 2") == ["new", "input, **indices** (2×3×3×5 = 90 int64)", *same]


def dropped(type_: str, example: str) -> list[str]:
    return next(list(row[2:]) for row in dropped_rows(layer_type(type_).examples) if row[0] == example)


def test_what_is_made_and_dropped_by_hand() -> None:
    """What backward hands on; made and dropped in forward, in forward where nobody needs a gradient, in backward."""
    assert dropped("add", "") == ["to all itself", "", "", ""]
    assert dropped("flatten", "") == ["a view", "", "", ""]
    assert dropped("max_pool2d", "kernel_size: 2") == ["", "", "indices (2×3×3×5 = 90 int64)", ""]
    assert dropped("l1_penalty", "weight: 0.001") == ["", *["absolute values (2×7 = 14)"] * 2, "signs (2×7 = 14)"]
    assert not list(dropped_rows(layer_type("relu").examples))
