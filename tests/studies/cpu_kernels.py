"""Every convolution of whole networks: what its kernels allocated for themselves, beside the rule.

    python -m tests.studies.cpu_kernels [--threads 2] [--batch 8] [--dtype bfloat16] [--input 3x64x64] [NETWORK …]

For each network: how much all its convolutions allocated for themselves and what was predicted, in MiB, and the layer
that is furthest off.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor

import archcost
from archcost.costs.cpu_call import Call, Direction
from archcost.costs.cpu_kernels import own_memory
from archcost.passes.gradients import gradients_needed
from archcost.pytorch.network import as_tuple
from archcost.spec.overrides import override
from archcost.tensors import Tensors, TensorType
from tests.pytorch.kernel_memory import own

OPERATORS: dict[str, Direction] = {
    "aten.convolution.default": "forward",
    "aten.convolution_backward.default": "backward",
}
NETWORKS = ("lenet5", "alexnet", "vgg_a", "resnet18", "resnet50", "densenet121", "conv_autoencoder_transposed")


def main() -> None:
    parser = argparse.ArgumentParser(description="convolutions' own memory on the CPU, measured and predicted")
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--input", help="another input's shape")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    print(f"{'network':<30}{'measured':>10}{'predicted':>10}{'off':>8}  furthest off")
    for name in given.networks:
        spec = archcost.load(f"specs/{name}.yaml")
        print(
            line(override(spec, (), (given.input,)) if given.input else spec, given.batch, given.dtype, given.threads)
        )


def line(spec: archcost.ModelSpec, batch: int, dtype: str, threads: int) -> str:
    graph = archcost.build(spec, batch)
    needs = gradients_needed(graph)
    convolutions = [node for node in graph.nodes if node.layer.type.startswith("conv")]
    expected: list[tuple[str, int]] = []
    directions: tuple[Direction, ...] = ("forward", "backward")
    for direction in directions:
        for node in convolutions if direction == "forward" else reversed(convolutions):
            inputs, outputs = retyped(node.input_types, dtype), retyped(node.output_types, dtype)
            readers = [
                reader.layer.type for reader in graph.nodes for port in reader.inputs if port.producer == node.name
            ]
            call = Call(node.layer, inputs, outputs, needs[node.name].operands, threads, readers == ["concat"])
            expected.append((f"{node.name} {direction}", own_memory(call, direction)))
    found = measured(spec, batch, dtype)
    off = [(abs(nbytes - rule), name) for nbytes, (name, rule) in zip(found, expected, strict=True)]
    total, predicted = sum(found), sum(rule for _, rule in expected)
    furthest, where = max(off)
    share = sum(nbytes for nbytes, _ in off) / total
    return f"{spec.name:<30}{mib(total):>10}{mib(predicted):>10}{share:>8.1%}  {where}: {mib(furthest)}"


def measured(spec: archcost.ModelSpec, batch: int, dtype: str) -> list[int]:
    """Of each convolution forward, then of each backward, in the order in which they ran."""
    module = archcost.pytorch.build(spec).train()
    shapes = archcost.build(spec, batch).inputs.values()
    inputs = [torch.zeros(tensor.shape, dtype=getattr(torch, tensor.dtype)) for tensor in shapes]

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == "bfloat16"):
            results: tuple[Tensor, ...] = as_tuple(module(*inputs))
        torch.autograd.backward([result.float().sum() for result in results if result.requires_grad])

    return [nbytes for operator, nbytes in own(step) if operator in OPERATORS]


def retyped(tensors: Tensors, dtype: str) -> Tensors:
    return tuple(TensorType(tensor.shape, dtype) for tensor in tensors)


def mib(nbytes: int) -> str:
    return f"{nbytes / 2**20:.2f}"


if __name__ == "__main__":
    main()
