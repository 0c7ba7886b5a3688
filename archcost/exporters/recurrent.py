"""Recurrent layers in ONNX: an operator for each layer, with both directions in it, and steps before samples."""

from __future__ import annotations

from collections.abc import Sequence

from archcost.errors import ArchcostError
from archcost.exporters.emit import Attribute, Part, draws
from archcost.layers import GRU, LSTM, RNN


@draws(RNN, GRU, LSTM)
def recurrent(part: Part) -> Sequence[str]:
    """ONNX keeps the weights of both directions in one tensor, and both biases, so these have names of their own."""
    layer = part.layer
    if part.given:
        raise ArchcostError(
            "ONNX keeps weights of recurrent layers packed, so that none can be given", found=", ".join(part.given)
        )
    if getattr(layer, "proj_size", 0):
        raise ArchcostError("ONNX has no LSTM with a projection", expected="proj_size: 0", found=str(layer.proj_size))
    steps = part.draw("Transpose", part.inputs[0], perm=(1, 0, 2)) if layer.batch_first else part.inputs[0]
    last: list[tuple[str, ...]] = []
    for number in range(layer.num_layers):
        if number and layer.dropout:
            steps = part.draw("Dropout", steps, part.number(layer.dropout, "float32"))
        states, *ends = _one_layer(part, steps, number)
        steps = _side_by_side(part, states)
        last.append(tuple(ends))
    hidden = part.draw("Transpose", steps, perm=(1, 0, 2)) if layer.batch_first else steps
    return hidden, *(_stacked(part, ends) for ends in zip(*last, strict=True))


def _one_layer(part: Part, steps: str, number: int) -> tuple[str, ...]:
    """States (T, D, B, H) of D directions, and the last ones (D, B, H)."""
    layer = part.layer
    features = part.source.shape[-1] if number == 0 else layer.directions * layer.hidden_size
    rows, hidden = layer.gates * layer.hidden_size, layer.hidden_size
    weights = [
        part.hold(f"weight_ih_l{number}", (layer.directions, rows, features)),
        part.hold(f"weight_hh_l{number}", (layer.directions, rows, hidden)),
    ]
    if layer.bias:
        weights.append(part.hold(f"bias_l{number}", (layer.directions, 2 * rows)))
    given = part.inputs[1:]
    if given and not layer.bias:
        weights.append("")
    if given:
        begin, end = number * layer.directions, (number + 1) * layer.directions
        first = [part.draw("Slice", each, *map(part.integers, (begin, end, 0))) for each in given]
        weights += ["", *first]
    settings: dict[str, Attribute] = {"hidden_size": hidden}
    settings["direction"] = "bidirectional" if layer.bidirectional else "forward"
    if layer.type == "gru":
        settings["linear_before_reset"] = 1
    if layer.type == "rnn":
        settings["activations"] = (layer.nonlinearity.capitalize(),) * layer.directions
    return part.draw_many(part.layer.card.onnx.operator, 1 + layer.states, steps, *weights, **settings)


def _side_by_side(part: Part, states: str) -> str:
    if not part.layer.bidirectional:
        return part.draw("Squeeze", states, part.integers(1))
    turned = part.draw("Transpose", states, perm=(0, 2, 1, 3))
    return part.draw("Reshape", turned, part.integers(0, 0, -1))


def _stacked(part: Part, ends: tuple[str, ...]) -> str:
    return ends[0] if len(ends) == 1 else part.draw("Concat", *ends, axis=0)
