"""What each kind of work costs, forward and for each gradient."""

from __future__ import annotations

import pytest

from archcost.work import NO_FLOPS, Contraction, Copy, Elementwise, Flops, Gather, Reduction


def test_flops_add_column_by_column() -> None:
    assert Flops(2, 3) + Flops(5, 7) == Flops(7, 10)
    assert Flops(2, 3) + NO_FLOPS == Flops(2, 3)
    assert Flops(2, 3).to_dict() == {"contraction": 2, "elementwise": 3}


def test_a_contraction_is_two_flops_a_mac_in_each_direction() -> None:
    work = Contraction(210)  # a linear of 7 to 5 on 2*3 rows
    assert work.forward == Flops(contraction=420)
    assert work.gradient(0) == Flops(contraction=420)
    assert work.gradient("weight") == Flops(contraction=420)


def test_a_contraction_has_no_gradient_of_what_it_does_not_read() -> None:
    work = Contraction(210)
    assert work.gradient("bias") == NO_FLOPS
    assert work.gradient(1) == NO_FLOPS


def test_a_product_of_two_inputs() -> None:
    work = Contraction(2 * 3 * 5, operands=(0, 1))
    assert (work.gradient(1), work.gradient("weight")) == (Flops(contraction=60), NO_FLOPS)


@pytest.mark.parametrize("kind", [Elementwise, Reduction, Gather, Copy])
def test_the_other_kinds_count_operations_a_value(kind: type[Elementwise]) -> None:
    work = kind(30, 5, {0: 7, "bias": 1})
    assert work.macs == 0
    assert work.forward == Flops(elementwise=150)  # 30 * 5
    assert work.gradient(0) == Flops(elementwise=210)  # 30 * 7
    assert work.gradient("bias") == Flops(elementwise=30)
    assert work.gradient("weight") == NO_FLOPS


def test_work_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Contraction(1).macs = 2  # type: ignore[misc]
