"""Networks written by torch's own exporter, read, and held against the spec they were built of, or against torch."""

from __future__ import annotations

import logging
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import archcost
from archcost.pytorch.network import Network
from tests.collections.torchvision_models import declare_operators

pytest.importorskip("onnxscript")

BATCH = 2


@pytest.fixture(scope="module", autouse=True)
def torchvision_imports() -> None:
    """Torch's exporter imports torchvision where there is one, also one whose compiled operators do not load."""
    if find_spec("torchvision") is None:
        return
    try:
        import torchvision as _  # noqa: F401  # pyright: ignore[reportMissingImports]
    except RuntimeError:
        declare_operators()


SMALL = """
name: small
loss: none
inputs: {ids: {shape: [11], dtype: int64}}
layers:
  - {type: embedding, name: table, num_embeddings: 13, embedding_dim: 12}
  - {type: parameter, name: position, shape: [1, 11, 12]}
  - {type: add, name: placed, inputs: [table, position]}
  - {type: layer_norm, name: norm}
  - {type: multi_head_attention, name: attention, num_heads: 3}
  - {type: add, name: joined, inputs: [attention, placed]}
  - {type: rms_norm, name: scaled}
  - {type: linear, name: wide, out_features: 24}
  - {type: gelu}
  - {type: gru, name: steps, hidden_size: 5, bidirectional: true}
  - {type: linear, name: head, out_features: 13, inputs: [steps], bias: false}
"""


def exported(module: nn.Module, examples: tuple[Tensor, ...], folder: Path, **options: Any) -> Path:
    """By torch.export, with the batch open, as it stands: batch norms are not multiplied into convolutions."""
    path = folder / "net.onnx"
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            examples,
            str(path),
            dynamo=True,
            verbose=False,
            **{
                "optimize": False,
                "dynamic_shapes": open_batch(module, len(examples)),
                **options,
            },
        )
    return path


def open_batch(module: nn.Module, count: int) -> tuple[Any, ...]:
    """The first axis of each input; a network built of a spec takes any number of them as one argument."""
    each = tuple({0: torch.export.Dim("batch")} for _ in range(count))
    return (each,) if isinstance(module, Network) else each


def example(spec: archcost.ModelSpec) -> tuple[Tensor, ...]:
    return tuple(
        torch.zeros((BATCH, *given.shape), dtype=getattr(torch, given.dtype)) for given in spec.inputs.values()
    )


def numbers(spec: archcost.ModelSpec) -> tuple[Any, ...]:
    graph = archcost.build(spec, BATCH)
    cost = archcost.cost(graph)
    return cost.parameters, cost.macs, [tensor.shape for tensor in graph.returned]


SPECS = {
    "lenet5": lambda: archcost.load("lenet5"),
    "dcgan_generator": lambda: archcost.load("dcgan_generator"),
    "sequence": lambda: archcost.loads(SMALL),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_spec_built_in_torch_and_exported(name: str, tmp_path: Path) -> None:
    spec = SPECS[name]()
    path = exported(archcost.pytorch.build(spec).eval(), example(spec), tmp_path)
    assert numbers(archcost.from_onnx(path)) == numbers(spec)


def test_a_file_that_torch_improves_has_other_parameters_and_the_same_macs(tmp_path: Path) -> None:
    """Norms are multiplied into the convolutions before them, of which each then has a bias."""
    spec = archcost.loads(
        "name: n\ninput: [3, 8, 8]\nlayers:\n"
        "  - {type: conv2d, out_channels: 5, kernel_size: 3, bias: false}\n"
        "  - {type: batch_norm2d}\n"
    )
    module = archcost.pytorch.build(spec).eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.rand_like(weight) + 0.5)
    read = archcost.from_onnx(exported(module, example(spec), tmp_path, optimize=True))
    parameters, macs, shapes = numbers(spec)
    assert numbers(read) == (parameters - 5, macs, shapes)  # 135 + 2*5 of the norm, and then 135 + 5


def test_a_file_for_a_batch_of_one(tmp_path: Path) -> None:
    """Every size is written out, with one sample in it."""
    spec = archcost.loads(SMALL)
    one = tuple(tensor[:1] for tensor in example(spec))
    path = exported(archcost.pytorch.build(spec).eval(), one, tmp_path, dynamic_shapes=None)
    assert numbers(archcost.from_onnx(path)) == numbers(spec)


def test_a_file_by_torchscript(tmp_path: Path) -> None:
    spec = archcost.load("lenet5")
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = archcost.pytorch.build(spec).eval()
        torch.onnx.export(
            module, example(spec), str(path), dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}}
        )
    assert numbers(archcost.from_onnx(path)) == numbers(spec)


def counted(module: nn.Module, examples: tuple[Tensor, ...]) -> int:
    """By torch's counter, on the meta device, where it knows attention."""
    module.to("meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*(tensor.to("meta") for tensor in examples))
    return counter.get_total_flops()


def test_a_network_of_torchvision(tmp_path: Path) -> None:
    torchvision = pytest.importorskip("torchvision")
    module = torchvision.models.squeezenet1_1().eval()
    examples = (torch.zeros(BATCH, 3, 64, 64),)
    parameters, macs, _ = numbers(archcost.from_onnx(exported(module, examples, tmp_path)))
    assert parameters == sum(weight.numel() for weight in module.parameters())
    assert 2 * macs == counted(module, examples)
