"""Recurrent layers: steps before samples, both directions in one operator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archcost.errors import shorten
from archcost.importers.onnx_call import Call, Result, Rule
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.tensors import TensorType


def recurrent(type_: str) -> Rule:
    """Of one layer in one direction or two. First states that are constants are as good as none.

    Torch has no lengths of samples: all steps are counted, and said to be.
    """

    def rule(call: Call) -> Result:
        weight, again, bias = call[1], call[2], call.get(3)
        peepholes = call.get(7)
        if peepholes is not None and peepholes.is_own:
            raise UnsupportedError("weights of the cell's state")
        if weight.rank != 3 or again.rank != 3:
            raise UnsupportedError("weights of other than three axes")
        directions, hidden = weight.shape[0], again.shape[2]
        weights = {
            **held_as(call, weight, ("weight_ih_l0", "weight_ih_l0_reverse")),
            **held_as(call, again, ("weight_hh_l0", "weight_hh_l0_reverse")),
        }
        if bias is not None and bias.is_own:
            weights |= held_as(call, bias, BIASES)
        lengths = call.get(4)
        if lengths is not None and not lengths.is_constant:
            call.net.assume(f"each sample of {shorten(str(call.node))} is as long as the longest")
        samples_first = call.flag("layout")
        source = call.layer("transpose", call[0], dim0=0, dim1=1) if samples_first else call[0]
        activations = call.node.attributes.get("activations") or ["Tanh"]
        fields = {"nonlinearity": str(activations[0]).lower()} if type_ == "rnn" else {}
        states, *last = call.weighted(
            type_,
            source,
            weights,
            *_first_states(call, 2 if type_ == "lstm" else 1, (directions, source.shape[1], hidden), samples_first),
            hidden_size=hidden,
            bias="bias_ih_l0" in weights,
            batch_first=False,
            bidirectional=directions == 2,
            **fields,
        )
        every = by_direction(call, states, directions, hidden)
        if not samples_first:
            return every, *last
        return call.layer("permute", every, dims=[2, 0, 1, 3]), *(
            call.layer("transpose", value, dim0=0, dim1=1) for value in last
        )

    return rule


def _first_states(call: Call, count: int, shape: tuple[int, int, int], samples_first: bool) -> list[Value]:
    """All of them where one is computed, with zeros for another; none where all are constants."""
    given = [call.get(index) for index in range(5, 5 + count)]
    if all(value is None or value.is_constant for value in given):
        return []
    return [_first_state(call, value, shape, samples_first) for value in given]


def _first_state(call: Call, value: Value | None, shape: tuple[int, int, int], samples_first: bool) -> Value:
    """In the order of torch, and for any batch where the file has it for its own."""
    if value is None or value.is_constant:
        return Value(TensorType(shape, call[0].tensor.dtype))
    if samples_first:
        value = call.layer("transpose", value, dim0=0, dim1=1)
    if value.shape == shape or value.rank != 3:
        return value
    if value.shape[1] not in (1, call.written_for):
        return value
    one = value if value.shape[1] == 1 else call.layer("slice", value, stop=1, dim=1)
    return call.expanded(one, shape)


BIASES = ("bias_ih_l0", "bias_hh_l0", "bias_ih_l0_reverse", "bias_hh_l0_reverse")


def held_as(call: Call, value: Value, names: Sequence[str]) -> dict[str, Value]:
    """A packed weight as the layer has it: by its first name, or the weights that the file itself packs together."""
    if value.ref is None and value.held in call.net.apart:
        return _cut_apart(call, value, names)
    if value.ref is None:
        return {names[0]: value}
    tensors = [call.net.held[source] for source in value.sources]
    is_whole = sum(tensor.numel for tensor in tensors) == value.tensor.numel
    if not 0 < len(tensors) <= len(names) or not is_whole or not all(tensor.is_floating for tensor in tensors):
        return _cut_apart(call, value, names)
    return {
        name: Value(tensor, held=source, is_weight=True)
        for name, source, tensor in zip(names, value.sources, tensors, strict=False)
    }


def _cut_apart(call: Call, value: Value, names: Sequence[str]) -> dict[str, Value]:
    """A weight of several layers, each piece of it as a view."""
    whole = value if value.ref else replace(value, ref=call.net.reference(replace(value, is_weight=True), call.path))
    directions = [call.layer("select", whole, index=number, dim=0) for number in range(value.shape[0])]
    pieces = directions
    if value.rank == 2:  # of both biases
        pieces = [
            piece for each in directions for piece in call.layers("split", each, split_size=value.shape[1] // 2, dim=0)
        ]
    return dict(zip(names, pieces, strict=False))


def by_direction(call: Call, states: Value, directions: int, hidden: int) -> Value:
    """(T, B, D·H) as ONNX has it: (T, D, B, H)."""
    if directions == 1:
        return call.layer("unsqueeze", states, dim=1)
    apart = call.layer("unflatten", states, dim=2, unflattened_size=[directions, hidden])
    return call.layer("permute", apart, dims=[0, 2, 1, 3])


RULES: dict[str, Rule] = {"RNN": recurrent("rnn"), "GRU": recurrent("gru"), "LSTM": recurrent("lstm")}
