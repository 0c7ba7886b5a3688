"""What torch counts of the user's own module: FLOPs forward and backward by module, weights, and shapes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.module import register_module_forward_hook
from torch.utils import checkpoint
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import (
    FlopCounterMode,
    conv_backward_flop,  # pyright: ignore[reportUnknownVariableType]
    conv_flop_count,
)

from archcost.errors import ArchcostError
from archcost.graph import ModelGraph
from archcost.pytorch.counters import Shape
from archcost.pytorch.differences import COMPLEX_FORWARD as COMPLEX
from archcost.pytorch.differences import KNOWN_DIFFERENCES, KnownDifference
from archcost.pytorch.flop_counter import UNCOUNTED
from archcost.pytorch.network import real_numbers
from archcost.pytorch.running_module import Whereabouts
from archcost.pytorch.user_module import Path, Subject, inputs_like, lent, modules_of, refusals_told, tensors_of
from archcost.tensors import TensorType

GROUPED = next(known for known in KNOWN_DIFFERENCES if known.name == "grouped_weight_gradient")

RECOMPUTED = KnownDifference(
    name="recomputed",
    quantity="flops_backward",
    what="the module's own checkpoints run their forward again in backward, which is counted there",
    why="what a checkpoint computes twice is work of the run, and no cost of a layer",
    fault_of="torch.utils.checkpoint",
    seen_in="torch 2.13.0",
    excess=lambda layer, counted: 0,
)

NO_RULE = KnownDifference(
    name="no_rule",
    quantity="flops_forward",
    what="products with vectors, of groups of rows and of integers are not counted",
    why="the counter has no rule for these operators",
    fault_of="torch.utils.flop_counter.flop_registry",
    seen_in="torch 2.13.0",
    excess=lambda layer, counted: 0,
)

Excess = dict[KnownDifference, int]


class Weight(NamedTuple):
    """A parameter or a buffer, under its first path."""

    path: Path
    shape: Shape
    dtype: str
    trainable: bool

    @property
    def owner(self) -> Path:
        return self.path.rpartition(".")[0]


class ModuleWeights(NamedTuple):
    parameters: tuple[Weight, ...]
    buffers: tuple[Weight, ...]


@dataclass(frozen=True)
class ModuleCounts:
    """By the path of each module that ran what it does by itself, without the modules in it.

    `excess` is how much too much is counted, by the known differences that can be seen while it is counted.
    `shapes` are those of what a module returned, where it was called once.
    """

    device: str
    ran: tuple[Path, ...]
    forward: Mapping[Path, int]
    backward: Mapping[Path, int]
    excess: Mapping[Literal["forward", "backward"], Mapping[Path, Excess]]
    shapes: Mapping[Path, tuple[Shape, ...]]
    returned: tuple[TensorType, ...]
    weights: ModuleWeights
    """Once it has run: some register buffers as they go."""


def count_module(subject: Subject, graph: ModelGraph, backward: bool = True) -> ModuleCounts:
    """One pass of the module in the mode that it is in, with inputs of the graph's shapes, and back from the sum of its
    floating outputs.

    On the meta device; where its forward looks at values, on the CPU. Raises ArchcostError with the user's line where
    it runs on neither.
    """
    with torch.device("meta"):
        try:
            return _count(subject, graph, backward, "meta")
        except ArchcostError:
            pass  # perhaps for want of values; if not, the CPU says the same
    return _count(subject.with_values(), graph, backward, "cpu")


def _count(subject: Subject, graph: ModelGraph, backward: bool, device: str) -> ModuleCounts:
    modules = modules_of(subject.module)
    meter = _Meter(Whereabouts(modules))
    shapes: dict[Path, list[tuple[Shape, ...]]] = {}

    def left(module: nn.Module, given: Any, result: Any) -> None:
        shapes.setdefault(meter.where.path(), []).append(_shapes(tensors_of(result)))

    with (
        lent(subject.module, device, torch.float32),
        refusals_told(subject, f"on {device}", lambda: meter.where.failed),
    ):
        if graph.batch == 1:
            _keep_norms_from_one_sample(subject.module)
        tensors = inputs_like(subject.tensors, list(graph.inputs.values()), device, torch.float32)
        given, named = subject.call_with(tensors)
        hook = register_module_forward_hook(left)
        try:
            with _composed(device), meter.where.followed(), meter.counter, meter:
                results = tensors_of(subject.module(*given, **named))
                forward, in_forward = meter.take_counts()
                losses = [real_numbers(result).sum() for result in results if result.requires_grad]
                if losses and backward:
                    torch.autograd.backward(losses)
                after, in_backward = meter.take_counts()
        finally:
            hook.remove()
        returned = tuple(_type_of(result) for result in results)
        weights = weights_of(subject.module)
    once = {path: calls[0] for path, calls in shapes.items() if len(calls) == 1}
    excess: Mapping[Any, Any] = {"forward": in_forward, "backward": in_backward}
    return ModuleCounts(device, tuple(meter.where.ran), forward, after, excess, once, returned, weights)


def weights_of(module: nn.Module) -> ModuleWeights:
    """The module's weights, each once, in torch's order."""
    return ModuleWeights(
        tuple(_weight(path, weight) for path, weight in module.named_parameters()),
        tuple(_weight(path, buffer) for path, buffer in module.named_buffers()),
    )


def _weight(path: Path, tensor: Tensor) -> Weight:
    return Weight(path, tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."), tensor.requires_grad)


def _type_of(tensor: Tensor) -> TensorType:
    return TensorType(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


def _shapes(tensors: Sequence[Tensor]) -> tuple[Shape, ...]:
    return tuple(tuple(tensor.shape) for tensor in tensors)


def _keep_norms_from_one_sample(module: nn.Module) -> None:
    """Batch norm refuses to train on a single value a channel; its mode changes no product."""
    for each in module.modules():
        if isinstance(each, nn.modules.batchnorm._BatchNorm):  # pyright: ignore[reportPrivateUsage]
            each.training = False


@contextmanager
def _composed(device: str) -> Generator[None]:
    """On the CPU, attention and recurrent layers of operators that the counter knows, as on the meta device."""
    if device == "meta":
        yield
        return
    with sdpa_kernel(SDPBackend.MATH), torch.backends.mkldnn.flags(enabled=False):  # pyright: ignore
        yield


@dataclass
class _Meter(TorchDispatchMode):
    """Gives what FlopCounterMode counts to the module that is at work."""

    where: Whereabouts
    counted: Counter[Path] = field(default_factory=Counter[Path])
    excess: dict[Path, Excess] = field(default_factory=dict[Path, Excess])

    def __post_init__(self) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType]
        mapping: dict[Any, Any] = {torch.ops.aten.convolution_backward: self._convolution_backward}
        mapping |= {getattr(torch.ops.aten, name): partial(self._uncounted, rule) for name, rule in UNCOUNTED.items()}
        self.counter = FlopCounterMode(display=False, custom_mapping=mapping)
        self._total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        total = self.counter.get_total_flops()
        if total != self._total:
            path, flops = self.where.path(), total - self._total
            self.counted[path] += flops
            self._total = total
            if any(isinstance(given, Tensor) and given.is_complex() for given in args):
                self._note(path, COMPLEX, -3 * flops)
            if torch.is_grad_enabled() and _is_recomputed():
                self._note(path, RECOMPUTED, flops)
        return result

    def take_counts(self) -> tuple[dict[Path, int], dict[Path, Excess]]:
        """What was counted since it was last taken."""
        counts = dict(self.counted), self.excess
        self.counted, self.excess = Counter(), {}
        return counts

    def _convolution_backward(self, gradient: Shape, inputs: Shape, weight: Shape, *settings: Any, **made: Any) -> int:
        """Torch's count from the shapes; notes by how much it is too high."""
        counted: int = cast("Any", conv_backward_flop).__wrapped__(gradient, inputs, weight, *settings, **made)
        transposed, mask = settings[4], settings[7]
        forward = conv_flop_count(list(inputs), list(weight), list(gradient), transposed=transposed)
        excess = counted - forward * (bool(mask[0]) + bool(mask[1]))
        if excess:
            self._note(self.where.path(), GROUPED, excess)
        return counted

    def _uncounted(self, rule: Callable[..., int], *shapes: Any, **made: Any) -> int:
        self._note(self.where.path(), NO_RULE, -rule(*shapes))
        return 0

    def _note(self, path: Path, known: KnownDifference, flops: int) -> None:
        noted = self.excess.setdefault(path, {})
        noted[known] = noted.get(known, 0) + flops


CHECKPOINT = checkpoint.__file__


def _is_recomputed() -> bool:
    """Whether a node of autograd runs, and a checkpoint on its behalf the forward that it stands for."""
    if torch._C._current_autograd_node() is None:  # pyright: ignore
        return False
    frame = sys._getframe()  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        if frame.f_code.co_filename == CHECKPOINT:
            return True
        frame = frame.f_back
    return False


Fold = Callable[[str], Path]


def folded_by(paths: Sequence[Path], clean: Callable[[str], str]) -> Fold:
    """The module in which a layer stands, by the layer's dotted name."""
    known = {clean(path): path for path in paths}

    def fold(name: str) -> Path:
        while name and name not in known:
            name = name.rpartition(".")[0]
        return known[name] if name else ""

    return fold
