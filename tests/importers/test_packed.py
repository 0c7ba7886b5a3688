"""Packed sequences, and transformers that would take a way of their own for padding: read as all of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import archcost
from tests.importers.held import Holder, held

LENGTHS = torch.tensor([6, 4])


def padded(m: Any, x: Tensor, lengths: Tensor) -> Tensor:
    packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
    states, _ = pad_packed_sequence(m.r(packed)[0], batch_first=True)
    return m.f(states)


def time_first(m: Any, x: Tensor, lengths: Tensor) -> Tensor:
    packed = pack_padded_sequence(x.transpose(0, 1), lengths)
    states, _ = pad_packed_sequence(m.r(packed)[0], total_length=6)
    return m.f(states.transpose(0, 1))


def last(m: Any, x: Tensor, lengths: Tensor) -> Tensor:
    _, state = m.r(pack_padded_sequence(x, lengths.tolist(), batch_first=True))
    return m.f((state[0] if isinstance(state, tuple) else state)[-1])


@pytest.mark.parametrize(
    ("forward", "recurrent"),
    [
        (padded, nn.LSTM(5, 4, batch_first=True)),
        (padded, nn.LSTM(5, 2, 2, batch_first=True, bidirectional=True)),
        (padded, nn.GRU(5, 4, batch_first=True, bias=False)),
        (padded, nn.RNN(5, 4, batch_first=True)),
        (time_first, nn.LSTM(5, 4)),
        (last, nn.LSTM(5, 4, batch_first=True)),
        (last, nn.GRU(5, 4, batch_first=True)),
    ],
)
def test_a_packed_sequence_is_as_long_as_its_tensor(forward: Any, recurrent: Any) -> None:
    """It costs what it would unpacked, and says that this is assumed."""
    module = Holder(forward, r=recurrent, f=nn.Linear(4, 3))
    spec = archcost.from_torch(module, torch.zeros(2, 6, 5), LENGTHS)
    assert spec.assumptions == ("every packed sequence is as long as its tensor, whatever length it is given",)

    def unpacked(m: Any, x: Tensor) -> Tensor:
        states, state = m.r(x if recurrent.batch_first else x.transpose(0, 1))
        if forward is last:
            return m.f((state[0] if isinstance(state, tuple) else state)[-1])
        return m.f(states)

    whole = archcost.from_torch(Holder(unpacked, r=recurrent, f=module.f), torch.zeros(2, 6, 5))
    plain = archcost.cost(archcost.build(whole, 3))
    cost = archcost.cost(archcost.build(spec, 3))
    assert cost.unknown == ()
    assert (cost.parameters, cost.macs) == (plain.parameters, plain.macs)
    assert cost.flops.backward.contraction == plain.flops.backward.contraction
    graph = archcost.build(spec, 3)
    assert [kind.shape for kind in graph.returned] == [(3, 3) if forward is last else (3, 6, 3)]


MASK = torch.tensor([[False] * 4 + [True] * 2] * 2)


@pytest.mark.parametrize("settings", [{}, {"activation": "gelu"}, {"norm_first": True}])
@pytest.mark.parametrize("training", [True, False])
def test_an_encoder_with_a_padding_mask(settings: dict[str, Any], training: bool) -> None:
    """In evaluation torch would pack what is not padded (a nested tensor); read is the ordinary way."""
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True, **settings)
    ordinary = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    module = nn.TransformerEncoder(layer, 2)
    module.load_state_dict(ordinary.state_dict())
    example = torch.zeros(2, 6, 8)
    spec = held(ordinary.train(training), example, src_key_padding_mask=MASK, peak=False)
    read = archcost.from_torch(module.train(training), example, src_key_padding_mask=MASK)
    asked = () if training or settings.get("norm_first") else ("logical_not",)  # whether padding is at the end
    assert [layer.type for layer in read.layers if layer.type not in asked] == [layer.type for layer in spec.layers]  # pyright: ignore
    costs = [archcost.cost(archcost.build(each, 3)).flops for each in (read, spec)]
    assert costs[0].forward.contraction == costs[1].forward.contraction
    assert costs[0].backward.contraction == costs[1].backward.contraction


def test_a_frozen_encoder_in_evaluation() -> None:
    module = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2).eval()
    spec = archcost.from_torch(module, torch.zeros(2, 6, 8), src_key_padding_mask=MASK)
    frozen = archcost.from_torch(module.requires_grad_(False), torch.zeros(2, 6, 8), src_key_padding_mask=MASK)
    macs = [archcost.cost(archcost.build(each, 3)).macs for each in (spec, frozen)]
    # A layer: four projections of 8 × 8, two products of attention, and 8 × 16 there and back, for 3 × 6 positions.
    assert macs == [2 * (3 * 6 * (4 * 8 * 8 + 2 * 8 * 16) + 3 * 2 * (6 * 8 * 6))] * 2
