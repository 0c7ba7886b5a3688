"""Networks that we quantise and adapt beside the same modules of transformers, quantised by bitsandbytes and adapted by
PEFT: weights, bytes, and memory over a step. `python -m tests.large_programs.quantised` (6 minutes; transformers 5.24,
peft 0.21 and bitsandbytes 0.50 installed, no download) writes quantised.csv.

bitsandbytes' modules and PEFT's around them are real. On a CPU its products are one operator each, within which no
tracker sees the weight that is made; so their forward is made again here of operators, as its kernels' fallback on a
GPU has them (`_dequant_linear_fallback`, `MatMul8bitLt`).
"""

from __future__ import annotations

import csv
import logging
import warnings
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

import archcost
from archcost.costs.timeline import timeline
from tests.collections.compare import Subject, placed
from tests.collections.compiled import declare_operators
from tests.collections.step import peak_of_steps
from tests.large_programs.adapters import BATCH, EVERYWHERE, MODELS, imported

NAMES = ("Llama", "GPT-2", "BERT")
RESULTS = Path(__file__).with_name("quantised.csv")
COLUMNS = [
    *("model", "weights", "precision", "optimizer"),
    *(f"{what} {whose}" for what in ("parameters", "trainable", "bytes", "peak") for whose in ("ours", "theirs")),
]


class Case(NamedTuple):
    model: str
    weights: str
    lora: bool
    precision: str
    optimizer: str = "none"

    @property
    def name(self) -> str:
        adapted = " with LoRA" if self.lora else ""
        return f"{self.model} in {self.weights}{adapted}, {self.precision}, {self.optimizer}"


def cases() -> Iterator[Case]:
    for model in NAMES:
        for weights in ("nf4", "nf4:double", "fp4:group=128", "int8"):
            for precision in ("fp32", "bf16"):
                yield Case(model, weights, True, precision)
                yield Case(model, weights, True, precision, "adamw")


class Product4bit(torch.autograd.Function):
    """The weight made, multiplied and dropped; again in backward."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, state: Any) -> Tensor:
        ctx.held = weight, state
        absmax = state.absmax
        if state.nested:
            around = state.state2
            absmax = (
                torch.ops.bitsandbytes.dequantize_blockwise(absmax, around.absmax, around.code, 256, torch.float32)
                + state.offset
            )
        made = torch.ops.bitsandbytes.dequantize_4bit(
            weight, absmax, state.blocksize, state.quant_type, state.shape, x.dtype
        )
        return functional.linear(x, made, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, state = ctx.held
        made = import_module("bitsandbytes.functional").dequantize_4bit(weight, state)
        return torch.matmul(gradients[0], made.to(gradients[0].dtype)), None, None, None


class Product8bit(torch.autograd.Function):
    """Bytes times bytes; backward makes the weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, scale: Tensor) -> Tensor:
        shape = x.shape
        if len(shape) == 3:
            x = x.reshape(-1, shape[-1])
        codes, rows = quantised(x.to(torch.float16))
        sums = torch.ops.aten._int_mm(codes, weight.t())
        result = scaled(sums, rows, scale, bias, x.dtype)
        ctx.held = x, weight, scale, shape
        return result.reshape(*shape[:-1], len(weight)) if len(shape) == 3 else result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, scale, shape = ctx.held
        gradient = gradients[0]
        if len(gradient.shape) == 3:
            gradient = gradient.reshape(-1, gradient.shape[-1]).contiguous()
        matrix = weight.to(x.dtype, copy=True).mul_(scale.unsqueeze(1).mul(1 / 127))
        return torch.matmul(gradient.to(x.dtype), matrix).view(shape), None, None, None


def quantised(x: Tensor) -> tuple[Tensor, Tensor]:
    rows = torch.empty(len(x), dtype=torch.float32)
    codes = torch.empty(x.shape, dtype=torch.int8)
    large = x.abs() >= 6.0
    del large
    return codes.fill_(1), rows.fill_(1)


def scaled(sums: Tensor, rows: Tensor, columns: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Tensor:
    made = torch.empty_like(sums, dtype=torch.float16).fill_(1)
    if bias is not None and bias.dtype != torch.float16:
        made.add_(bias)
    return made.to(dtype)


def _classes() -> tuple[Any, Any]:
    bnb: Any = import_module("bitsandbytes")

    class Remade4bit(bnb.nn.Linear4bit):
        def forward(self, x: Tensor) -> Tensor:
            if not self.compute_type_is_set:
                self.set_compute_type(x)
                self.compute_type_is_set = True
            arrived = x.dtype
            x = x.to(self.compute_dtype)
            if self.bias is not None:
                self.bias.data = self.bias.data.to(x.dtype)
            return Product4bit.apply(x, self.weight, self.bias, self.weight.quant_state).to(arrived)

    class Remade8bit(bnb.nn.Linear8bitLt):
        def forward(self, x: Tensor) -> Tensor:
            if self.weight.CB is not None:
                self.init_8bit_state()
            return Product8bit.apply(x, self.state.CB, self.bias, self.state.SCB)

    return Remade4bit, Remade8bit


def quantise(model: nn.Module, how: str) -> nn.Module:
    """As transformers does: which layers, and Conv1D turned (integrations/bitsandbytes.py)."""
    turned: Any = import_module("transformers.pytorch_utils").Conv1D
    kind, _, options = how.partition(":")
    four, eight = _classes()
    kept = import_module("transformers.quantizers.base").get_keys_to_not_convert(model)
    modules: list[tuple[str, Any]] = [*model.named_modules()]
    for name, module in modules:
        if type(module) not in (nn.Linear, turned) or name in kept:
            continue
        matrix = module.weight.data.T.contiguous() if isinstance(module, turned) else module.weight.data
        out, features = matrix.shape
        if kind == "int8":
            made = eight(features, out, module.bias is not None, has_fp16_weights=False, threshold=6.0)
        else:
            made = four(
                features, out, module.bias is not None, compress_statistics="double" in options, quant_type=kind
            )
            made.weight.blocksize = int(options.removeprefix("group=")) if options.startswith("group=") else 64
        made.weight.data = matrix.clone()
        made.bias = module.bias
        made = made.to("cpu")
        model.set_submodule(name, made.requires_grad_(False))
    setattr(model, "is_loaded_in_8bit" if kind == "int8" else "is_loaded_in_4bit", True)
    return model


def made(case: Case) -> nn.Module:
    peft = import_module("peft")
    torch.manual_seed(0)
    model = MODELS[case.model].make()
    if case.precision == "bf16":
        model = model.bfloat16()
    model = quantise(model, case.weights)
    if not case.lora:
        return model.requires_grad_(False)
    config = peft.LoraConfig(r=4, lora_alpha=8, lora_dropout=0.1, target_modules=EVERYWHERE[case.model])
    return peft.get_peft_model(model, config)


def ours(case: Case) -> archcost.ModelSpec:
    lora = {"r": 4, "alpha": 8, "dropout": 0.1, "targets": EVERYWHERE[case.model]}
    return archcost.adapt(imported(case.model), weights=case.weights, lora=lora if case.lora else ())


def states(module: nn.Module) -> list[Tensor]:
    """What stands beside quantised weights, which torch lists neither as parameters nor as buffers."""
    found: list[Tensor] = []
    for part in module.modules():
        if (state := getattr(getattr(part, "weight", None), "quant_state", None)) is not None:
            found += [state.absmax, state.code]
            if state.nested:
                found += [state.state2.absmax, state.state2.code, state.offset]
        scale = getattr(getattr(part, "state", None), "SCB", None)
        if scale is None:
            scale = getattr(getattr(part, "weight", None), "SCB", None)
        if scale is not None:
            found.append(scale)
    return found


class Row(NamedTuple):
    case: Case
    parameters: tuple[int, int]
    trainable: tuple[int, int]
    nbytes: tuple[int, int]
    peak: tuple[int, int]


def compare(case: Case) -> Row:
    graph = archcost.build(ours(case), batch=BATCH)
    cost = archcost.cost(graph)
    run = archcost.Run(optimizer=case.optimizer, precision=case.precision)  # pyright: ignore[reportArgumentType]
    line = timeline(graph, run, "cpu", out_of_place=True)
    module = made(case)
    counted: Any = module
    trainable, parameters = counted.get_nb_trainable_parameters()
    weights = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in module.parameters()}
    weights |= {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in states(module)}
    seen = tracked(case, module)
    return Row(
        case,
        (cost.parameters, parameters),
        (cost.trainable_parameters, trainable),
        (line.by_role["weights"], sum(weights.values())),
        (line.peak, seen),
    )


def tracked(case: Case, module: nn.Module) -> int:
    """Bytes of tensors at the worst moment of the third step."""
    subject = Subject(case.name, partial(made, case), (), MODELS[case.model].named)
    return peak_of_steps(module.train(), placed(subject, "cpu"), case.precision, case.optimizer, states(module))


def main() -> None:
    import sys

    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    declare_operators()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for case in cases():
        if not all(word in case.name for word in sys.argv[1:]):
            continue
        row = compare(case)
        rows.append(row)
        counts = {"parameters": row.parameters, "trainable": row.trainable, "bytes": row.nbytes}
        off = [f"{key} {one:,}/{other:,}" for key, (one, other) in counts.items() if one != other]
        a, b = row.peak
        print(case.name, f"peak {a:,}/{b:,} {a / b - 1:+.3%}", *off, flush=True)
    if len(sys.argv) == 1:
        with RESULTS.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for row in rows:
                (*words,) = row.case.model, row.case.weights, row.case.precision, row.case.optimizer
                writer.writerow([*words, *row.parameters, *row.trainable, *row.nbytes, *row.peak])


if __name__ == "__main__":
    main()
