"""What torch and fvcore count, layer by layer. No number of the formula half comes in here."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from archcost.errors import ArchcostError
from archcost.pytorch.build import REFUSALS, said
from archcost.pytorch.flop_counter import flop_counter
from archcost.pytorch.layers.base import values_of
from archcost.pytorch.network import Network, as_tuple, module_at, real_numbers
from archcost.pytorch.shared_weights import used_weight

Shape = tuple[int, ...]

CONTRACTIONS = frozenset({"conv", "linear", "addmm", "mm", "bmm", "matmul"})
"""fvcore's operators whose count is MACs."""


class Weights(NamedTuple):
    parameters: int = 0
    trainable: int = 0
    buffers: int = 0


def count_weights(network: Network) -> dict[str, Weights]:
    """Elements each layer owns. A parameter in two layers counts in the first."""
    seen: set[nn.Parameter] = set()
    counted: dict[str, Weights] = {}
    for step in network.steps:
        module = module_at(network, step.name)
        own = [weight for weight in module.parameters(recurse=False) if weight not in seen]
        seen.update(own)
        counted[step.name] = Weights(
            sum(values_of(weight) for weight in own),
            sum(values_of(weight) for weight in own if weight.requires_grad),
            sum(buffer.numel() for buffer in module.buffers(recurse=False)),
        )
    return counted


def count_all_weights(network: Network) -> Weights:
    """The weights of the whole module, as torch lists them."""
    parameters = list(network.parameters())
    return Weights(
        sum(values_of(weight) for weight in parameters),
        sum(values_of(weight) for weight in parameters if weight.requires_grad),
        sum(buffer.numel() for buffer in network.buffers()),
    )


class Pass(NamedTuple):
    """What was counted of one layer in a forward and a backward pass."""

    inputs: tuple[Tensor, ...]
    """Meta tensors like those that arrived, requiring a gradient as they did."""
    shapes: tuple[Shape, ...]
    forward: int
    backward: int
    trains_weight: bool


class FlopCounts(NamedTuple):
    layers: Mapping[str, Pass]
    forward: int
    backward: int


class _Meter:
    """Gives what FlopCounterMode counts to the layer that is at work, and notes what arrives there and leaves."""

    def __init__(self) -> None:
        self.counter = flop_counter()
        self.layer: str | None = None
        self.counted: Counter[str | None] = Counter()
        self.arrived: dict[str, tuple[Tensor, ...]] = {}
        self.trains: dict[str, bool] = {}
        self.left: dict[str, tuple[Shape, ...]] = {}
        self.owners: dict[Any, str] = {}

    def enter(self, layer: str | None, *_: Any) -> None:
        self.counted[self.layer] += self.counter.get_total_flops() - self.counted.total()
        self.layer = layer

    def before(self, name: str, module: nn.Module, given: tuple[Tensor, ...]) -> None:
        self.arrived[name] = tuple(
            torch.empty_like(tensor, device="meta", requires_grad=tensor.requires_grad) for tensor in given
        )
        weight = used_weight(module, given)
        self.trains[name] = weight is not None and weight.requires_grad
        self.enter(name)

    def after(
        self, name: str, module: nn.Module, given: tuple[Tensor, ...], result: Tensor | tuple[Tensor, ...]
    ) -> None:
        self.enter(None)
        self.left[name] = tuple(tuple(tensor.shape) for tensor in as_tuple(result))
        for node in _new_nodes([tensor.grad_fn for tensor in as_tuple(result)], self.owners):
            self.owners[node] = name
            node.register_prehook(partial(self.enter, name))


def count_flops(network: Network, inputs: Sequence[Tensor], backward: bool = True) -> FlopCounts:
    """FLOPs by FlopCounterMode: forward in evaluation mode, and `backward` from the sum of the floating outputs.

    Only contractions are counted, and they are the same in training; evaluation also takes a batch of 1, which
    batch norm refuses to train on. Raises ArchcostError when torch cannot run the network.
    """
    meter = _Meter()
    network.eval()
    with _hooks(network, meter.before, meter.after), meter.counter:
        try:
            results = as_tuple(network(*inputs))
            meter.enter(None)
            forward = Counter(meter.counted)
            losses = [real_numbers(result).sum() for result in results if result.requires_grad and backward]
            if losses:
                torch.autograd.backward(losses)
            meter.enter(None)
        except REFUSALS as error:
            raise ArchcostError("torch cannot run this layer", found=said(error), layer=meter.layer) from None
    after_forward = meter.counted - forward
    names = [step.name for step in network.steps]
    layers = {
        name: Pass(meter.arrived[name], meter.left[name], forward[name], after_forward[name], meter.trains[name])
        for name in names
    }
    network.zero_grad()
    return FlopCounts(layers, forward.total(), after_forward.total())


def _new_nodes(roots: Sequence[Any], known: Mapping[Any, str]) -> Iterator[Any]:
    """Nodes of autograd's graph that are reached from `roots` and not from an earlier layer."""
    stack = [node for node in roots if node is not None]
    seen: set[Any] = set()
    while stack:
        node = stack.pop()
        if node in known or node in seen:
            continue
        seen.add(node)
        stack.extend(before for before, _ in node.next_functions if before is not None)
        yield node


@contextmanager
def _hooks(network: Network, before: Any, after: Any) -> Generator[None]:
    handles: list[Any] = []
    for step in network.steps:
        module = module_at(network, step.name)
        handles.append(module.register_forward_pre_hook(partial(before, step.name)))
        handles.append(module.register_forward_hook(partial(after, step.name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def real_size(network: Network, counted: FlopCounts) -> int:
    """Bytes that weights and all the tensors between layers would take, were they real."""
    passing = (tensor for layer in counted.layers.values() for tensor in layer.inputs)
    return sum(tensor.nbytes for tensor in (*network.state_dict().values(), *passing))


def materialise(network: Network, device: str) -> Network:
    """A meta network on a real device, all zeros: counters ask for real tensors, not for their values."""
    network.to_empty(device=device)  # unlike new tensors in the state, it also tells modules that make tensors
    for tensor in network.state_dict().values():
        tensor.zero_()
    return network


class Counted(NamedTuple):
    """What fvcore counts in one layer: `failure` says why it cannot, `unknown` names operators it has no rule for."""

    macs: int = 0
    total: int = 0
    unknown: tuple[str, ...] = ()
    failure: str | None = None


class FvcoreCounts(NamedTuple):
    """`whole` is None where fvcore cannot trace the whole network; the layers were then traced one by one."""

    layers: Mapping[str, Counted]
    whole: Counted | None


class _Analysis(Protocol):
    """The part of fvcore's FlopCountAnalysis used here; fvcore has no types."""

    def by_module_and_operator(self) -> dict[str, Counter[str]]: ...
    def unsupported_ops(self, module_name: str = "") -> Counter[str]: ...


def count_by_fvcore(
    network: Network, inputs: Sequence[Tensor], arrived: Mapping[str, Sequence[Tensor]]
) -> FvcoreCounts:
    """fvcore's counts in evaluation mode, on real tensors, since it cannot trace the meta device.

    `arrived` are tensors like those each layer is given.
    """
    names = [step.name for step in network.steps]
    network.eval()
    try:
        analysis = _analyse(network, inputs)
    except REFUSALS:
        return FvcoreCounts({name: _alone(module_at(network, name), arrived[name]) for name in names}, None)
    return FvcoreCounts({name: _counted(analysis, name) for name in names}, _counted(analysis, ""))


def silent(counted: FlopCounts, reason: str) -> FvcoreCounts:
    """What fvcore says of a network that it is not given."""
    return FvcoreCounts({name: Counted(failure=reason) for name in counted.layers}, None)


def _alone(module: nn.Module, arrived: Sequence[Tensor]) -> Counted:
    device = next(module.parameters(), torch.empty(0)).device
    inputs = [torch.zeros(tensor.shape, dtype=tensor.dtype, device=device) for tensor in arrived]
    try:
        return _counted(_analyse(module, inputs), "")
    except REFUSALS as error:
        return Counted(failure=f"fvcore cannot trace it: {said(error)}")


def _analyse(module: nn.Module, inputs: Sequence[Tensor]) -> _Analysis:
    from fvcore.nn import FlopCountAnalysis  # pyright: ignore[reportMissingTypeStubs]

    made: Any = FlopCountAnalysis(module, tuple(inputs))
    made.set_op_handle("aten::_convolution_mode", _convolution_mode)
    made._op_handles.pop("aten::einsum", None)  # its rule reads four digits off a text of numpy's: no witness
    made.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none").ancestor_mode(
        "caller"
    )
    analysis = cast("_Analysis", made)
    with warnings.catch_warnings(), torch.no_grad(), _hooks_as_before(module):
        warnings.simplefilter("ignore")
        analysis.by_module_and_operator()
    return analysis


@contextmanager
def _hooks_as_before(module: nn.Module) -> Generator[None]:
    """Where a trace fails, fvcore leaves its hooks on the modules, whose names the next trace would then find."""
    parts: list[Any] = list(module.modules())
    hooks: list[tuple[Any, dict[Any, Any]]] = [
        (held, dict(held)) for part in parts for held in (part._forward_pre_hooks, part._forward_hooks)
    ]
    try:
        yield
    except BaseException:
        for held, before in hooks:
            held.clear()
            held.update(before)
        raise


def _convolution_mode(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
    """fvcore's own count of a convolution, for the operator of `padding="same"`, to which fvcore does not apply it."""
    from fvcore.nn import jit_handles  # pyright: ignore[reportMissingTypeStubs]

    handles: Any = jit_handles
    shapes = [handles.get_shape(value) for value in (*inputs[:2], outputs[0])]
    return Counter({"conv": handles.conv_flop_count(*shapes)})


def _counted(analysis: _Analysis, name: str) -> Counted:
    operators = analysis.by_module_and_operator()[name]
    macs = sum(count for operator, count in operators.items() if operator in CONTRACTIONS)
    return Counted(int(macs), int(operators.total()), tuple(sorted(analysis.unsupported_ops(name))))
