"""In which dtype values of two dtypes meet, beside torch, for every pair of dtypes."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from archcost.tensors import COMPUTED_BYTES, TensorType, can_hold, complex_of, part_of, promoted, result_dtype

PAIRS = list(product(COMPUTED_BYTES, repeat=2))
SHAPES: tuple[tuple[int, ...], ...] = ((), (2,))


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_pairs(one: str, other: str) -> None:
    first, second = getattr(torch, one), getattr(torch, other)
    assert promoted(one, other) == name_of(torch.promote_types(first, second))
    assert can_hold(one, other) == torch.can_cast(second, first)


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_single_value_counts_where_its_kind_is_higher(one: str, other: str) -> None:
    for shapes in product(SHAPES, repeat=2):
        types = tuple(TensorType(shape, dtype) for shape, dtype in zip(shapes, (one, other), strict=True))
        first, second = (torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype)) for tensor in types)
        assert result_dtype(types) == name_of(torch.result_type(first, second)), types


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_parts(dtype: str) -> None:
    whole = getattr(torch, dtype).to_complex()
    assert complex_of(dtype) == name_of(whole)
    assert part_of(complex_of(dtype)) == name_of(whole.to_real())


@pytest.mark.parametrize("dtype", COMPUTED_BYTES)
def test_bytes(dtype: str) -> None:
    assert COMPUTED_BYTES[dtype] == getattr(torch, dtype).itemsize
