"""Ways to see what a module does, over the same models on the meta device: which get through, and how long they take.

    python -m tests.studies.captures

Times are told against one FlopCounterMode pass over the same model, forward, in the same run; each is the best of
three. Writes captures.json beside this file, from which the table in docs/benchmarks.md is made.
Needs torchvision and timm.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from archcost.importers.torch_module import from_torch
from tests.collections.timm_models import subject as of_timm
from tests.collections.torchvision_models import subject as of_torchvision

RECORD = Path(__file__).with_name("captures.json")
ROUNDS = 3
TORCHVISION = ("resnet50", "densenet121", "mobilenet_v3_large", "vit_b_16", "swin_t")
TIMM = ("convnext_tiny", "efficientnet_b0", "vit_small_patch16_224", "mixer_s16_224", "nfnet_f0", "levit_128")

Capturing = Callable[[nn.Module, Tensor], object]


def counted(module: nn.Module, image: Tensor) -> object:
    with torch.no_grad(), FlopCounterMode(display=False):
        return module(image)


class _Operators(TorchDispatchMode):
    """A bare trace: the operators beneath autograd, with what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs, result))
        return result


def dispatched(module: nn.Module, image: Tensor) -> object:
    operators = _Operators()
    with operators:
        module(image)
    return operators.calls


def exported(module: nn.Module, image: Tensor) -> object:
    batch = {0: torch.export.Dim("batch", min=2)}
    given = image.expand(2, *image.shape[1:])
    return torch.export.export(module, (given,), dynamic_shapes=(batch,), strict=False)


def made_fx(module: nn.Module, image: Tensor) -> object:
    from torch.fx.experimental.proxy_tensor import make_fx

    return make_fx(module)(image)


def symbolic(module: nn.Module, image: Tensor) -> object:
    return torch.fx.symbolic_trace(module)


WAYS: dict[str, Capturing] = {
    "archcost.from_torch": from_torch,
    "TorchDispatchMode, a bare trace": dispatched,
    "torch.fx.symbolic_trace": symbolic,
    "make_fx": made_fx,
    "torch.export, non-strict, dynamic batch": exported,
}


def best(way: Capturing, module: nn.Module, image: Tensor) -> float:
    times: list[float] = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        way(module, image)
        times.append(time.perf_counter() - begin)
    return min(times)


def main() -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    ratios: dict[str, list[float]] = {way: [] for way in WAYS}
    subjects = [*map(of_torchvision, TORCHVISION), *map(of_timm, TIMM)]
    for subject in subjects:
        with torch.device("meta"):
            module = subject.make("meta").eval()
        image = subject.inputs[0].to("meta")
        base = best(counted, module, image)
        for name, way in WAYS.items():
            try:
                ratio = best(way, module, image) / base
            except Exception as error:
                print(f"{subject.name:<28}{name:<42}{type(error).__name__}: {str(error).splitlines()[0][:80]}")
                continue
            ratios[name].append(ratio)
            print(f"{subject.name:<28}{name:<42}{ratio:8.2f} times FlopCounterMode ({base * 1e3:.0f} ms)", flush=True)
    record = {
        "models": len(subjects),
        "torch": torch.__version__,
        "ways": {name: {"captured": len(each), "median": round(median(each), 2)} for name, each in ratios.items()},
    }
    RECORD.write_text(json.dumps(record, indent=2) + "\n")
    print(f"wrote {RECORD}")


if __name__ == "__main__":
    main()
