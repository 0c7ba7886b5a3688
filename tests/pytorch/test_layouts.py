"""The rules of views and orders beside torch's own."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from archcost.terms.memory_format import channels_last, is_channels_last, is_row_major, laid, like, strides_of, view
from tests.pytorch.test_random_networks import stable

quick = settings(stable, max_examples=500)
sizes = st.integers(1, 4)


@st.composite
def tensors(draw: st.DrawFn, least: int = 1) -> Tensor:
    """Axes in any order, some of them a piece of a larger tensor."""
    shape = draw(st.lists(sizes, min_size=least, max_size=4))
    order = draw(st.permutations(range(len(shape))))
    back = [order.index(axis) for axis in range(len(shape))]
    whole = torch.zeros([shape[axis] for axis in order]).permute(back)
    axis = draw(st.integers(0, len(shape) - 1))
    return whole.narrow(axis, 0, draw(st.integers(1, shape[axis])))


def regrouped(draw: st.DrawFn, numel: int) -> tuple[int, ...]:
    """A shape of as many elements."""
    shape: list[int] = []
    while numel > 1:
        size = draw(st.sampled_from([size for size in range(1, numel + 1) if numel % size == 0]))
        shape.append(size)
        numel //= size
    return tuple(shape) or (1,)


def test_views() -> None:
    seen = {True: 0, False: 0}

    @quick
    @given(st.data())
    def check(data: st.DataObject) -> None:
        tensor = data.draw(tensors())
        wanted = regrouped(data.draw, tensor.numel())
        found = view(tuple(tensor.shape), laid(tuple(tensor.shape), tensor.stride()), wanted)
        try:
            real = tensor.view(wanted).stride()
        except RuntimeError:
            real = None
        seen[real is None] += 1
        assert found == real

    check()
    assert min(seen.values()) > 30, seen


@quick
@given(tensors())
def test_row_major(tensor: Tensor) -> None:
    shape = tuple(tensor.shape)
    assert is_row_major(shape, laid(shape, tensor.stride())) == tensor.is_contiguous()
    assert strides_of(shape, None) == torch.zeros(shape).stride()


def test_channels_last() -> None:
    seen = {True: 0, False: 0}

    @quick
    @given(tensors(least=4), st.booleans())
    def check(tensor: Tensor, turned: bool) -> None:
        """A pool of single values leaves the order as it takes it to be."""
        image = tensor.contiguous(memory_format=torch.channels_last)[:, :, 1:] if turned else tensor
        shape = tuple(image.shape)
        if 1 in shape or 0 in shape:
            return
        last = is_channels_last(shape, laid(shape, image.stride()))
        seen[last] += 1
        pooled = torch.nn.functional.avg_pool2d(image, 1)
        assert pooled.stride() == (strides_of(shape, channels_last(shape)) if last else strides_of(shape, None))

    check()
    assert min(seen.values()) > 5, seen


def told(shape: tuple[int, ...], strides: tuple[int, ...]) -> list[int | None]:
    return [stride if size > 1 else None for size, stride in zip(shape, strides, strict=True)]


@quick
@given(tensors(), st.data())
def test_value_by_value(tensor: Tensor, data: st.DataObject) -> None:
    """Of one operand, and of two of which one may be stretched."""
    shape = tuple(tensor.shape)
    operand = (shape, laid(shape, tensor.stride()))
    assert told(shape, strides_of(shape, like(shape, [operand]))) == told(shape, (tensor + 1).stride())
    other = torch.zeros([data.draw(st.sampled_from([1, size])) for size in shape])
    total = tensor + other
    found = like(shape, [operand, (tuple(other.shape), None)])
    assert told(shape, strides_of(shape, found)) == told(shape, total.stride())
