"""`ModelSpec` → a trainable `nn.Module`, whose shapes torch works out by itself.

Each layer is made twice: on the meta device, where what comes out tells the next layer what arrives, and on the
device that was asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from archcost.errors import ArchcostError, shorten
from archcost.graph import Port
from archcost.graph.parameter_order import Owned, in_order
from archcost.graph.wiring import WiredLayer, wire
from archcost.pytorch.layers import FACTORIES
from archcost.pytorch.network import Network, Step, as_tuple, place
from archcost.pytorch.shared_weights import lend, own_weight, share
from archcost.spec import ModelSpec

BATCH = 2
"""Of the tensors that shapes are worked out with. The module takes any batch."""

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError)
"""What torch raises when it cannot do what it is asked."""


def build(spec: ModelSpec, device: str = "cpu") -> Network:
    """The network with freshly initialised weights, in training mode.

    Raises ArchcostError when torch refuses a layer or the device.
    """
    require_device(device)
    wiring = wire(spec)
    wired, outputs = wiring.layers, wiring.outputs
    values = {Port(name): tensor for name, tensor in zeros(spec, BATCH, "meta").items()}
    made: dict[str, nn.Module] = {}
    for part in wired:
        with refusals_named(spec, part):
            layer = part.sized(lambda port: tuple(values[port].shape))
            results, module = _make(layer, values, made, device)
        values.update({Port(layer.name, index): tensor for index, tensor in enumerate(results)})
        made[layer.name] = module
    named = [(Owned(name, key), each) for name, module in made.items() for key, each in module.named_parameters()]
    owned = list({id(weight): each for each, weight in reversed(named)}.values())[::-1]  # shared ones by the owner
    order = [f"{each.layer}.{each.weight}" for each in in_order(owned, wiring.parameter_order)]
    network = Network(tuple(spec.inputs), _steps(wired, values, outputs), outputs, order)
    for name, module in made.items():
        place(network, name, module)
    return network


def require_device(device: str) -> None:
    """Raises ArchcostError when torch has no such device here."""
    with refused_at(device):
        torch.empty(0, device=device)


@contextmanager
def refused_at(device: str) -> Generator[None]:
    """What torch says against a device, as an ArchcostError."""
    try:
        yield
    except REFUSALS as error:
        raise ArchcostError(
            f"device {shorten(device)} cannot be used here",
            expected="cpu, or cuda where there is one",
            found=said(error),
        ) from None


def zeros(spec: ModelSpec, batch: int, device: str) -> dict[str, Tensor]:
    """The network's inputs, zeros for `batch` samples. Raises ArchcostError when torch cannot make one."""
    made: dict[str, Tensor] = {}
    for name, given in spec.inputs.items():
        try:
            made[name] = torch.zeros(given.tensor(batch).shape, dtype=getattr(torch, given.dtype), device=device)
        except REFUSALS as error:
            place = spec.source.place(("inputs", name))
            raise ArchcostError("torch cannot make this input", found=said(error), layer=name, place=place) from None
    return made


@contextmanager
def refusals_named(spec: ModelSpec, layer: WiredLayer) -> Generator[None]:
    """What torch says against a layer, as an ArchcostError at its place."""
    place = spec.source.place(layer.path)
    try:
        yield
    except ArchcostError as error:
        raise error.at(layer=layer.name, place=place) from None
    except REFUSALS as error:
        raise ArchcostError(f"torch refuses this {layer.layer.type}", found=said(error)).at(layer.name, place) from None


def said(error: Exception) -> str:
    return shorten(str(error).strip().partition("\n")[0] or type(error).__name__, 200)


def _make(
    layer: WiredLayer, values: Mapping[Port, Tensor], made: Mapping[str, nn.Module], device: str
) -> tuple[tuple[Tensor, ...], nn.Module]:
    """What comes out, on the meta device; and the module. `made` are those of the layers before."""
    for port in layer.reads:
        if port not in values:
            raise ArchcostError(f"{port.producer} has no output {port.output}", found=str(port))
    inputs = tuple(values[port] for port in layer.inputs)
    given = {name: values[port] for name, port in layer.given.items()}
    if layer.shared and layer.shared.transposed:
        given["weight"] = own_weight(made[layer.shared.owner]).to("meta").transpose(0, 1)
    sketch = lend(_module(layer, inputs, "meta"), given)
    with torch.no_grad():
        # Evaluation, because torch refuses to train some norms on a single value a channel.
        results = as_tuple(sketch.eval()(*inputs, *given.values()))
    module = sketch.train() if device == "meta" else lend(_module(layer, inputs, device), given)
    if layer.shared and not layer.shared.transposed:
        module = share(module, made[layer.shared.owner])
    return results, module


def _module(layer: WiredLayer, inputs: tuple[Tensor, ...], device: str) -> nn.Module:
    """The torch module of a layer, with weights in the dtype of its input."""
    with torch.device(device):
        module = FACTORIES[layer.layer.type](layer.layer, inputs)
    if inputs and (inputs[0].is_floating_point() or inputs[0].is_complex()):
        module.to(inputs[0].dtype)
    return module.requires_grad_(layer.trainable)


def _steps(wired: Sequence[WiredLayer], ports: Iterable[Port], outputs: Sequence[Port]) -> tuple[Step, ...]:
    """What nobody reads goes at once, what somebody reads with the last who does."""
    last_reader = {port: port.producer for port in ports}
    last_reader |= {port: layer.name for layer in wired for port in (*layer.reads, *layer.holds)}
    last_reader = {port: reader for port, reader in last_reader.items() if port not in outputs}
    frees: dict[str, list[Port]] = {}
    for port, reader in last_reader.items():
        frees.setdefault(reader, []).append(port)
    return tuple(
        Step(
            layer.name,
            layer.reads,
            layer.shared.owner if layer.shared and layer.shared.transposed else None,
            tuple(frees.get(layer.name, ())),
        )
        for layer in wired
    )
