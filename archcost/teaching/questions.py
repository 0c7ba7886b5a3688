"""The questions that a network gives, each with its answer, its working and the slips that are known of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from archcost.costs import ModelCost
from archcost.costs.model import LayerCost
from archcost.costs.timeline import timeline
from archcost.errors import ArchcostError
from archcost.passes.run import Run
from archcost.report.explain import (
    FORWARD,
    MACS,
    PARAMETERS,
    LayerWorking,
    Line,
    explain,
)
from archcost.report.explain_text import working
from archcost.teaching import slips
from archcost.teaching.slips import FLOP_FOR_MAC, MAC_FOR_FLOP, NO_BATCH, Answer, Slip
from archcost.tensors import format_shape
from archcost.units import count

Unit = Literal["parameters", "MACs", "FLOPs", "bytes", "extents"]

FLOAT = 4
"""Bytes of a float32."""


@dataclass(frozen=True, slots=True)
class Question:
    """`key` tells it from all others of the network."""

    key: str
    text: str
    unit: Unit
    answer: Answer
    working: str
    slips: tuple[Slip, ...]
    without_biases: int | None = None
    """Of parameters, the answer of those who do not count biases."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A layer with its working, line by line."""

    cost: ModelCost
    layer: LayerCost
    explained: LayerWorking

    def line(self, quantity: str) -> Line | None:
        return next((line for line in self.explained.lines if line.quantity == quantity and line.formula), None)

    @property
    def extents(self) -> list[Line]:
        """Of the axes of its output, where it slides a window."""
        return [line for line in self.explained.lines if line.quantity in ("output D", "output H", "output W")]

    @property
    def described(self) -> str:
        """`conv1`, conv2d(out_channels=6, kernel_size=5), reads 1×32×32."""
        node, batch = self.layer.node, self.cost.batch
        fields = node.layer.model_dump(exclude_defaults=True, exclude={"name", "type", "inputs", "inplace"})
        spelled = ", ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        has_bias = any(weight.name.startswith("bias") for weight in node.own_weights)
        weighs = bool(node.own_weights)
        bias = (" with a bias" if has_bias else " without a bias") if weighs else ""
        reads = ", ".join(_sample(tensor.shape, batch) for tensor in node.input_types[:2])
        source = "the network's input, " * any(port.producer in self.cost.graph.inputs for port in node.inputs)
        return f"`{self.layer.name}` is `{node.layer.type}({spelled})`{bias} and reads {source}{reads}"


def _sample(shape: Sequence[int], batch: int) -> str:
    return format_shape(tuple(shape[1:]) if len(shape) > 1 and shape[0] == batch else tuple(shape))


def _at(batch: int) -> str:
    return f" for a batch of {batch:,}" if batch > 1 else " for one sample"


def chosen(cost: ModelCost, seed: int, number: int) -> tuple[Question, ...]:
    """So many questions, of all kinds in turn. The same seed gives the same, on every machine.

    Raises ArchcostError where the network has not as many.
    """
    found = offered(cost, seed)
    if len(found) < number:
        raise ArchcostError(
            f"{cost.network} has not as many questions",
            expected=f"at most {len(found):,}" if found else "a network with parameters and MACs that are known",
            found=f"{number:,}",
        )
    return found[:number]


def offered(cost: ModelCost, seed: int) -> tuple[Question, ...]:
    """All that a network gives."""
    whole = [_Asked(cost, layer, each) for layer, each in zip(cost.layers, explain(cost).layers, strict=True)]
    distinct = _distinct(whole)
    kinds = [_ranked(list(kind(cost, distinct)), seed) for kind in _KINDS]
    kinds.insert(TOTALS, [_total(cost, whole)] if cost.parameters else [])
    turns = range(max(map(len, kinds)))
    return tuple([each[turn] for turn in turns for each in kinds if turn < len(each)])


TOTALS = 6
"""Where among the kinds the sum over the network comes."""


def _ranked(questions: list[Question], seed: int) -> list[Question]:
    """By a hash and not by Python's random numbers, which may differ from release to release."""
    return sorted(questions, key=lambda each: sha256(f"{seed} {each.key}".encode()).digest())


def _distinct(asked: Sequence[_Asked]) -> list[_Asked]:
    """The first of equal layers on equal inputs: to count another is the same exercise."""
    first: dict[object, _Asked] = {}
    for each in asked:
        first.setdefault((id(each.layer.node.facts), each.layer.needs), each)
    return list(first.values())


def _parameters(cost: ModelCost, asked: Sequence[_Asked]) -> Iterator[Question]:
    for each in asked:
        line = each.line(PARAMETERS)
        if line is None or not each.layer.parameters:
            continue
        text = f"{each.described}. How many parameters has it?"
        without = each.layer.parameters - each.layer.biases
        yield Question(
            f"parameters {each.layer.name}",
            text,
            "parameters",
            each.layer.parameters,
            " = ".join(working(line)),
            tuple(slips.of_parameters(line)),
            without if each.layer.biases else None,
        )


def _sizes(each: _Asked) -> dict[str, int]:
    """`H_in`, `H_out` and so on."""
    found: dict[str, int] = {}
    for line in each.extents:
        axis = line.quantity[-1]
        found[f"{axis}_out"] = int(line.result or 0)
        if f"{axis}_in" in line.values:
            found[f"{axis}_in"] = int(line.values[f"{axis}_in"])
    return found


def _mac_slips(each: _Asked, line: Line) -> list[Slip]:
    found = list(slips.of_macs(line, _sizes(each)))
    rows, batch = line.values.get("rows"), each.cost.batch
    if rows is not None and batch > 1 and rows % batch == 0:
        found += slips.altered(line, NO_BATCH, {"rows": rows // batch})
    if each.layer.biases and each.layer.node.output_types:
        found.append(Slip("adding a bias is no MAC", each.layer.macs + each.layer.node.output_types[0].numel))
    return found


def _macs(cost: ModelCost, asked: Sequence[_Asked]) -> Iterator[Question]:
    for each in asked:
        line = each.line(MACS)
        if line is not None and each.layer.macs:
            known = [*_mac_slips(each, line), Slip(FLOP_FOR_MAC, 2 * each.layer.macs)]
            text = f"{each.described}. How many MACs is it{_at(cost.batch)}, forward?"
            key = f"macs {each.layer.name}"
            yield Question(key, text, "MACs", each.layer.macs, " = ".join(working(line)), tuple(known))


def _flops(cost: ModelCost, asked: Sequence[_Asked]) -> Iterator[Question]:
    for each in asked:
        line, forward = each.line(MACS), each.line(FORWARD)
        if line is None or forward is None or not each.layer.macs:
            continue
        known = [Slip(slip.what, 2 * slip.answer) for slip in _mac_slips(each, line) if isinstance(slip.answer, int)]
        known.append(Slip(MAC_FOR_FLOP, each.layer.macs))
        text = (
            f"{each.described}. How many FLOPs of contractions is it{_at(cost.batch)}, forward? "
            "A MAC is two; adding the bias is not counted."
        )
        answer = each.layer.flops.forward.contraction
        yield Question(f"flops {each.layer.name}", text, "FLOPs", answer, " = ".join(working(forward)), tuple(known))


def _backward(cost: ModelCost, asked: Sequence[_Asked]) -> Iterator[Question]:
    for each in asked:
        flops, macs = each.layer.flops, each.layer.macs
        answer = flops.backward.contraction
        if not macs or not answer or each.layer.is_unknown:
            continue
        by_input, by_weight = flops.backward_input.contraction, flops.backward_weight.contraction
        known = [Slip(MAC_FOR_FLOP, answer // 2)]
        if by_input and by_weight:
            known.append(Slip("the gradient of one operand is left out", flops.forward.contraction))
        elif by_weight:
            known.append(Slip("nobody needs the gradient of this input", 2 * by_weight))
        if cost.batch > 1 and answer % cost.batch == 0:
            known.append(Slip(NO_BATCH, answer // cost.batch))
        why = f"input gradient {count(by_input)} + weight gradient {count(by_weight)} = {count(answer)}"
        text = (
            f"{each.described}. How many FLOPs of contractions does its backward take{_at(cost.batch)}, the gradients "
            "of its input and of its weights together, where each is needed?"
        )
        yield Question(f"backward {each.layer.name}", text, "FLOPs", answer, why, tuple(known))


def _extents(cost: ModelCost, asked: Sequence[_Asked]) -> Iterator[Question]:
    for each in asked:
        lines, shape = each.extents, each.layer.output_shapes[0]
        if not lines or len(shape) != len(lines) + 2 or any(line.result is None for line in lines):
            continue
        channels_in = each.layer.node.input_types[0].shape[1]
        known = tuple(slips.of_extents(lines, shape[1], channels_in))
        text = f"{each.described}. Of which size is its output, as channels × height × width?"
        why = "; ".join(f"{line.quantity} = {' = '.join(working(line))}" for line in lines)
        yield Question(f"extents {each.layer.name}", text, "extents", tuple(shape[1:]), why, known)


def _total(cost: ModelCost, whole: Sequence[_Asked]) -> Question:
    """The lecture's sum of eight convolutions, 27,520, is the second slip, layer by layer."""
    own = [(each.layer.parameters, each.line(PARAMETERS)) for each in whole if each.layer.parameters]
    known = (
        Slip("the biases are forgotten", cost.parameters - cost.biases),
        Slip("the input channels of convolutions are forgotten", sum(_without_channels(*each) for each in own)),
    )
    parts = " + ".join(count(parameters) for parameters, _ in own)
    why = f"{parts if len(parts) < 400 else 'the sum over all layers'} = {count(cost.parameters)}"
    text = f"How many parameters has `{cost.network}` in all?"
    bare = cost.parameters - cost.biases if cost.biases else None
    return Question("total parameters", text, "parameters", cost.parameters, why, known, bare)


def _without_channels(parameters: int, line: Line | None) -> int:
    found = () if line is None else slips.of_parameters(line)
    forgotten = [slip.answer for slip in found if slip.what == slips.CHANNELS and isinstance(slip.answer, int)]
    return forgotten[0] if forgotten else parameters


def _training(cost: ModelCost, asked: Sequence[_Asked]) -> Iterator[Question]:
    flops, forward = cost.flops, cost.flops.forward.contraction
    if cost.unknown or not flops.backward.contraction:
        return
    total = flops.total.contraction
    known = [
        Slip("three times forward: nobody needs the gradient of the network's input", 3 * forward),
        Slip("this is forward alone", forward),
        Slip("this is backward alone", flops.backward.contraction),
        Slip("backward is two contractions, one for the input and one for the weights", 2 * forward),
        Slip(MAC_FOR_FLOP, total // 2),
    ]
    if cost.batch > 1:
        known.append(Slip(NO_BATCH, total // cost.batch))
    why = f"forward {count(forward)} + backward {count(flops.backward.contraction)} = {count(total)}"
    text = (
        f"How many FLOPs of contractions is one step of training of `{cost.network}`{_at(cost.batch)}, forward and "
        "backward? A MAC is two."
    )
    yield Question("training", text, "FLOPs", total, why, tuple(known))


def _memory(cost: ModelCost, asked: Sequence[_Asked]) -> Iterator[Question]:
    """Of weights and of Adam's state, as the timeline has them."""
    if any(weight.dtype not in (None, "float32") for layer in cost.layers for weight in layer.node.own_weights):
        return
    weights = timeline(cost.graph, Run(mode="infer"), "cuda").by_role["weights"]
    if not weights:
        return
    known = (
        Slip("these are values: a float32 has 4 bytes", weights // FLOAT),
        Slip("these are bits", 8 * weights),
        Slip("the biases are forgotten", FLOAT * (cost.parameters - cost.biases)),
    )
    why = f"{count(weights // FLOAT)}·{FLOAT} = {count(weights)}"
    text = f"How many bytes are the weights of `{cost.network}` in float32?"
    yield Question("memory of weights", text, "bytes", weights, why, known)
    state = 2 * weights
    if timeline(cost.graph, Run(optimizer="adam"), "cuda").by_role["optimizer_state"] != state:
        return  # parts of it are frozen, or on the CPU
    known = (
        Slip("these are values: a float32 has 4 bytes", state // FLOAT),
        Slip("Adam keeps two moments of each", weights),
        Slip("the weights themselves are counted, too", state + weights),
    )
    why = f"2·{count(weights // FLOAT)}·{FLOAT} = {count(state)}"
    text = f"How many bytes does Adam keep beside weights and gradients of `{cost.network}`, in float32?"
    yield Question("memory of adam", text, "bytes", state, why, known)


def _output_bytes(cost: ModelCost, asked: Sequence[_Asked]) -> Iterator[Question]:
    for each in asked:
        tensor = each.layer.node.output_types[0]
        if tensor.dtype != "float32" or not each.layer.macs or tensor.shape[0] != cost.batch:
            continue
        known = [
            Slip("these are values: a float32 has 4 bytes", tensor.numel),
            Slip("these are bits", 8 * tensor.nbytes),
        ]
        if cost.batch > 1:
            known.append(Slip(NO_BATCH, tensor.nbytes // cost.batch))
            known.append(Slip("the batch is forgotten, and these are values", tensor.numel // cost.batch))
        why = f"{format_shape(tensor.shape)} values of {FLOAT} bytes = {count(tensor.nbytes)}"
        text = f"{each.described}. How many bytes is its output{_at(cost.batch)} in float32?"
        yield Question(f"bytes {each.layer.name}", text, "bytes", tensor.nbytes, why, tuple(known))


_KINDS: tuple[Callable[[ModelCost, Sequence[_Asked]], Iterator[Question]], ...] = (
    _extents,
    _parameters,
    _macs,
    _flops,
    _backward,
    _output_bytes,
    _memory,
    _training,
)
