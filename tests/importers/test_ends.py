"""What goes in and what comes out: several inputs, by name; dicts, dataclasses, tuples; and the names in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

import archcost
from archcost.errors import ArchcostError
from archcost.importers.torch.proposal import SAMPLES
from archcost.tensors import TensorType
from tests.importers.held import Holder, held


@dataclass
class Answer:
    scores: Tensor
    states: tuple[Tensor, ...]
    loss: None = None


class Pair(NamedTuple):
    a: Tensor
    b: Tensor


def as_dict(m: Any, x: Tensor) -> Any:
    inner = m.f(x)
    return {"scores": m.g(inner.tanh()), "states": [inner]}


def as_dataclass(m: Any, x: Tensor) -> Any:
    inner = m.f(x)
    return Answer(m.g(inner.tanh()), (inner,))


def as_tuple(m: Any, x: Tensor) -> Any:
    inner = m.f(x)
    return m.g(inner.tanh()), inner


def as_named_tuple(m: Any, x: Tensor) -> Any:
    inner = m.f(x)
    return Pair(m.g(inner.tanh()), inner)


@pytest.mark.parametrize("forward", [as_dict, as_dataclass, as_tuple, as_named_tuple], ids=lambda each: each.__name__)
def test_outputs(forward: Any) -> None:
    module = Holder(forward, f=nn.Linear(3, 5), g=nn.Linear(5, 2))
    assert held(module, torch.zeros(1, 3)).outputs == ("g", "f")


def test_an_input_that_is_returned() -> None:
    spec = archcost.from_torch(Holder(lambda m, x: (x, m.f(x)), f=nn.Linear(3, 5)), torch.zeros(1, 3))
    assert [kind.shape for kind in archcost.build(spec, 2).returned] == [(2, 3), (2, 5)]


class Joining(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image, self.text = nn.Linear(3, 5), nn.Embedding(7, 5)

    def forward(self, image: Tensor, ids: Tensor, *, scale: float = 1.0, extra: dict[str, Tensor]) -> Tensor:
        return self.image(image) * scale + self.text(ids) + extra["a"] + extra["b"]


def test_inputs_by_place_and_by_name() -> None:
    extra = {"a": torch.zeros(1, 5), "b": torch.zeros(1, 1)}
    module = Joining()
    spec = held(module, torch.zeros(1, 3), ids=torch.zeros(1, dtype=torch.int64), scale=2.0, extra=extra)
    assert {name: (given.shape, given.dtype) for name, given in spec.inputs.items()} == {
        "image": ((3,), "float32"),
        "ids": ((), "int64"),
        "extra_0": ((5,), "float32"),
        "extra_1": ((1,), "float32"),
    }


def test_names() -> None:
    """A layer alone in its module has its name, several are numbered in it; the network's own are numbered alone."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            return (self.fc(x) + x).relu()

    class Top(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.Sequential(Block(), Block())
            self.act = nn.ReLU()
            self.parts = nn.ModuleDict({"a-b": nn.Linear(3, 2), "c d": nn.Linear(3, 2)})

        def forward(self, x: Tensor) -> Tensor:
            x = self.act(self.blocks(x))
            return self.parts["a-b"](x) + self.parts["c d"](x)

    spec = held(Top(), torch.zeros(1, 3))
    assert spec.name == "top"
    assert [layer.name for layer in spec.layers] == [  # pyright: ignore
        *("blocks.0.fc", "blocks.0.add1", "blocks.0.relu1"),
        *("blocks.1.fc", "blocks.1.add1", "blocks.1.relu1"),
        *("act", "parts.a_b", "parts.c_d", "add1"),
    ]


def test_names_that_are_cleaned_into_one() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleDict({"a-b": nn.Linear(3, 3), "a_b": nn.Linear(3, 3)})

        def forward(self, x: Tensor) -> Tensor:
            return self.parts["a_b"](self.parts["a-b"](x))

    held(Odd(), torch.zeros(1, 3))


def test_weights_whose_names_are_cleaned_into_one() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ParameterDict({"a-b": nn.Parameter(torch.ones(3)), "a_b": nn.Parameter(torch.ones(3))})

        def forward(self, x: Tensor) -> Tensor:
            return x * self.parts["a_b"] + self.parts["a-b"]

    held(Odd(), torch.zeros(1, 3))


def test_a_name_and_a_title() -> None:
    spec = archcost.from_torch(nn.Linear(3, 5), torch.zeros(1, 3), name="mine", title="A line")
    assert (spec.name, spec.title) == ("mine", "A line")


@pytest.mark.parametrize(
    ("module", "size", "where", "found"),
    [
        (nn.Identity(), 3 * SAMPLES, "input input", "3027"),
        (nn.Linear(3, SAMPLES), 3, "weight", "1009 × 3"),
        (nn.BatchNorm1d(2 * SAMPLES, affine=False), 2, "running_mean", "2018"),
    ],
)
def test_a_size_that_looks_like_the_batch(module: nn.Module, size: int, where: str, found: str) -> None:
    with pytest.raises(ArchcostError) as caught:
        archcost.from_torch(module, torch.zeros(1, size))
    assert str(caught.value) == (
        f"{where} has a size that cannot be told from the batch\n"
        "  expected: no multiple of 1,009, the batch that the module is run with\n"
        f"  found: {found}\n"
        "  try: another size, put right in the spec that is saved"
    )


def test_the_batch_of_the_example_does_not_matter() -> None:
    one, many = (archcost.from_torch(nn.Linear(3, 5), torch.zeros(batch, 3)) for batch in (1, SAMPLES))
    assert one == many


def test_layers_are_trained_through_complex_numbers() -> None:
    """As in FNet."""
    module = Holder(lambda m, x: m.g(torch.fft.fft(m.f(x)).real), f=nn.Linear(5, 7), g=nn.Linear(7, 3))
    graph = archcost.build(archcost.from_torch(module, torch.zeros(1, 5)), batch=2)
    cost = archcost.cost(graph)
    assert cost.unknown == ()
    assert TensorType((2, 7), "complex64") in {node.output_types[0] for node in graph.nodes}
    assert cost.flops.forward.contraction == 2 * (2 * 7 * 5 + 2 * 3 * 7)
    assert cost.flops.backward.contraction == 2 * (2 * 7 * 5 + 2 * 2 * 3 * 7)  # the first layer's input needs none
    assert archcost.loads(graph.spec.to_yaml()) == graph.spec


@pytest.mark.parametrize(
    ("forward", "part", "where", "found"),
    [
        (lambda m, x: m.f(x) * m.w, {"w": torch.zeros(5, dtype=torch.uint32)}, "w", "5 uint32"),
        (lambda m, x: m.f(x) * torch.zeros(5, dtype=torch.uint64), {}, "a constant", "5 uint64"),
    ],
    ids=["buffer", "constant"],
)
def test_values_of_other_kinds_are_refused(forward: Any, part: dict[str, Any], where: str, found: str) -> None:
    with pytest.raises(ArchcostError) as caught:
        archcost.from_torch(Holder(forward, f=nn.Linear(5, 5), **part), torch.zeros(1, 5))
    assert caught.value.problem == f"{where} cannot be declared"
    assert caught.value.expected is not None
    assert caught.value.expected.startswith("float64, float32, ")
    assert caught.value.found == found
