"""Recurrent layers: the same weights at every step of a sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal, NamedTuple

from archcost.formulas import Step
from archcost.keeping import INPUT, OUTPUT, Own, Saved, Setting, Stored
from archcost.layers.base import Flag, Size, Weight, WeightedLayer, require_floating, require_rank
from archcost.layers.dtypes import IN_16_BITS, Autocast, Outcome
from archcost.layouts import Layout, laid, strides_of, view
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.work import Contraction, Elementwise, Operand, Shared, Work


class Cell(NamedTuple):
    """One layer in one direction."""

    suffix: str
    features: int
    """Of its input at a step."""
    below: tuple[Operand, ...]
    """What its input's gradient is needed for."""


class Recurrent(WeightedLayer):
    """A sequence (B, T, features) → hidden states (B, T, H·directions), and the last ones (layers·directions, B, H).

    `batch_first` is true by default, unlike torch's: a declaration's first axis is the batch. The first hidden state is
    zero, and gets no gradient. What torch's operators make and drop while the layer runs is not modelled.
    """

    comes_out: ClassVar[Outcome] = "first"
    gates: ClassVar[int]
    cell: ClassVar[tuple[int, int]]
    """Operations of a hidden value beyond the gates' sums, forward and backward."""
    states: ClassVar[int] = 1

    hidden_size: Size
    num_layers: Size = 1
    bias: Flag = True
    batch_first: Flag = True
    bidirectional: Flag = False

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    def output_types(self, inputs: Tensors) -> Tensors:
        source = inputs[0]
        require_floating(inputs)
        require_rank(source, 3, "(batch, positions, features)" if self.batch_first else "(positions, batch, features)")
        hidden = TensorType((*source.shape[:2], self.directions * self.hidden_size), source.dtype)
        return (hidden, *[self._last(inputs)] * self.states)

    def _last(self, inputs: Tensors) -> TensorType:
        shape = (self.num_layers * self.directions, self._sizes(inputs)[1], self.hidden_size)
        return TensorType(shape, inputs[0].dtype)

    def _sizes(self, inputs: Tensors) -> tuple[int, int]:
        """Positions and samples."""
        first, second, _ = inputs[0].shape
        return (second, first) if self.batch_first else (first, second)

    def cells(self, inputs: Tensors) -> Iterator[Cell]:
        """In torch's order: layer by layer, each forwards and backwards."""
        before: list[Operand] = [0]
        features = inputs[0].shape[-1]
        for number in range(self.num_layers):
            suffixes = [f"l{number}", f"l{number}_reverse"][: self.directions]
            for suffix in suffixes:
                yield Cell(suffix, features, tuple(before))
            before += [name for suffix in suffixes for name in self.names(suffix)]
            features = self.directions * self.hidden_size

    def names(self, suffix: str) -> tuple[str, ...]:
        biases = (f"bias_ih_{suffix}", f"bias_hh_{suffix}") if self.bias else ()
        return (f"weight_ih_{suffix}", f"weight_hh_{suffix}", *biases)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        rows = self.gates * self.hidden_size
        made: list[Weight] = []
        for cell in self.cells(inputs):
            shapes = ((rows, cell.features), (rows, self.hidden_size), (rows,), (rows,))
            made += [Weight(name, shape) for name, shape in zip(self.names(cell.suffix), shapes, strict=False)]
        return tuple(made)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A gate: a product with the input, one with the state before, two biases, a sum; then the cell's own formula.

        Every gradient needs those of all later steps, once.
        """
        positions, batch = self._sizes(inputs)
        hidden = positions * batch * self.hidden_size
        forward, backward = self.cell
        parts: list[Work] = []
        for cell in self.cells(inputs):
            names = self.names(cell.suffix)
            all_of = (*cell.below, *names)
            read = hidden * self.gates * cell.features
            again = hidden * self.gates * self.hidden_size
            first = cell.below == (0,)
            parts.append(Contraction(read, (0, names[0]) if first else (names[0],)))
            if not first:
                parts.append(Shared(Contraction(read), cell.below, f"gradient of what {cell.suffix} reads"))
            parts.append(Contraction(again, (names[1],)))
            earlier = again // positions * (positions - 1)
            parts.append(Shared(Contraction(earlier), all_of, f"gradients of earlier steps of {cell.suffix}"))
            sums = 3 if self.bias else 1
            biases: dict[Operand, int] = dict.fromkeys(names[2:], 1)
            parts.append(Elementwise(hidden * self.gates, sums, biases, f"gates of {cell.suffix} summed"))
            parts.append(Elementwise(hidden, forward, {}, f"cell {cell.suffix}"))
            parts.append(Shared(Elementwise(hidden, backward, {}), all_of, f"cell {cell.suffix} backward"))
        return tuple(parts)

    def layouts(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Layout, ...]:
        """Steps are computed one after the other, and lie so."""
        if not self.batch_first:
            return (None,) * len(outputs)
        batch, _, features = outputs[0].shape
        return (laid(outputs[0].shape, (features, batch * features, 1)), *[None] * self.states)

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Of each step the states and what the cell's formula needs; and each cell's input, as rows of all steps."""
        positions, batch = self._sizes(inputs)
        dtype, needs = inputs[0].dtype, setting.needs
        state = TensorType((batch, self.hidden_size), dtype)
        kept: list[Saved] = []
        trains_state = False
        for cell in self.cells(inputs):
            ih, hh = self.names(cell.suffix)[:2]
            if not needs & {*cell.below, *self.names(cell.suffix)}:
                continue
            if needs & set(cell.below):
                kept.append(Stored(ih))
            if positions > 1:
                kept.append(Stored(hh))
            kept += self._kept_of_steps(positions, state, cell.suffix, hh in needs)
            trains_state |= hh in needs
            if ih in needs:
                kept.append(self._read(inputs, setting, cell))
        if trains_state:
            kept.append(Own("first states", self._last(inputs)))
        return tuple(kept)

    def _kept_of_steps(self, positions: int, state: TensorType, suffix: str, trains_state: bool) -> Iterator[Saved]:
        raise NotImplementedError

    def _read(self, inputs: Tensors, setting: Setting, cell: Cell) -> Saved:
        """A cell's input as rows: a copy where the positions do not come first."""
        positions, batch = self._sizes(inputs)
        layer = cell.suffix.removesuffix("_reverse")
        if cell.below != (0,):
            rows = TensorType((positions * batch, cell.features), inputs[0].dtype)
            return Own(f"what {layer} reads", rows)
        if self._as_rows(inputs, setting):
            return INPUT
        return Own(f"steps of the input for {cell.suffix}", inputs[0])

    def _as_rows(self, inputs: Tensors, setting: Setting) -> bool:
        """Whether the steps of the input lie one after the other."""
        source = inputs[0]
        shape, strides = source.shape, strides_of(source.shape, setting.layout(0))
        if self.batch_first:
            shape, strides = (shape[1], shape[0], shape[2]), (strides[1], strides[0], strides[2])
        return view(shape, strides, (shape[0] * shape[1], shape[2])) is not None

    def windows(self, inputs: Tensors, outputs: Tensors) -> None:
        """A state sees all steps before it."""
        return

    def working(self, inputs: Tensors, outputs: Tensors) -> tuple[Step, ...]:
        positions, batch = self._sizes(inputs)
        values = {"T": positions, "B": batch, "G": self.gates, "H": self.hidden_size, "directions": self.directions}
        cells = list(self.cells(inputs))
        values |= {f"n_{cell.suffix}": cell.features for cell in cells}
        rows = " + ".join(f"G*H*(n_{cell.suffix} + H{' + 2' * self.bias})" for cell in cells[:MOST_CELLS])
        macs = " + ".join(f"T*B*G*H*(n_{cell.suffix} + H)" for cell in cells[:MOST_CELLS])
        axis = Step("output axis 2", "directions*H", values, "a hidden state for each direction")
        if len(cells) > MOST_CELLS:
            return (axis,)
        return (axis, Step("parameters", rows, values, "weights and biases of G gates"), Step("MACs", macs, values))


MOST_CELLS = 6
"""A longer sum explains nothing."""


class RNN(Recurrent):
    """tanh or relu of W·x + b + U·h + c (torch.nn.RNN). Backward is counted as that of tanh."""

    prefix: ClassVar[str] = "rnn"
    type: Literal["rnn"] = "rnn"
    autocast: ClassVar[Autocast] = IN_16_BITS
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    gates: ClassVar[int] = 1
    cell: ClassVar[tuple[int, int]] = (1, 3)

    def _kept_of_steps(self, positions: int, state: TensorType, suffix: str, trains_state: bool) -> Iterator[Saved]:
        yield from (Own(f"{suffix}, state {step}", state) for step in range(1, positions + 1))


class GRU(Recurrent):
    """r, z = σ(·), n = tanh(W·x + b + r·(U·h + c)), h = n + z·(h − n) (torch.nn.GRU)."""

    prefix: ClassVar[str] = "gru"
    type: Literal["gru"] = "gru"
    autocast: ClassVar[Autocast] = Autocast("as given", "16 bits")
    gates: ClassVar[int] = 3
    cell: ClassVar[tuple[int, int]] = (13, 15)

    def _kept_of_steps(self, positions: int, state: TensorType, suffix: str, trains_state: bool) -> Iterator[Saved]:
        for step in range(1, positions + 1):
            yield from (Own(f"{suffix}, gate {gate} of step {step}", state) for gate in "rzn")
            yield Own(
                f"{suffix}, products of step {step}", TensorType((state.shape[0], 3 * state.shape[1]), state.dtype)
            )
        if trains_state:
            yield from (Own(f"{suffix}, state {step}", state) for step in range(1, positions))


class LSTM(Recurrent):
    """i, f, o = σ(·), g = tanh(·), c = f·c + i·g, h = o·tanh(c) (torch.nn.LSTM).

    On the CPU it is oneDNN's, which keeps a workspace of its own. What CUDA keeps was not measured and is taken to be
    as many bytes.
    """

    prefix: ClassVar[str] = "lstm"
    type: Literal["lstm"] = "lstm"
    autocast: ClassVar[Autocast] = IN_16_BITS
    ends_in_view: ClassVar[bool] = True
    gates: ClassVar[int] = 4
    cell: ClassVar[tuple[int, int]] = (18, 22)
    states: ClassVar[int] = 2

    def keeps(self, inputs: Tensors, outputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """Whatever is wanted: weights, inputs, outputs, states, and oneDNN's workspace (native/mkldnn/RNN.cpp)."""
        positions, batch = self._sizes(inputs)
        dtype = inputs[0].dtype
        state = TensorType((batch, self.hidden_size), dtype)
        steps = TensorType((positions, batch, self.hidden_size), dtype)
        kept: list[Saved] = [
            Own("first hidden states", self._last(inputs)),
            Own("first cell states", self._last(inputs)),
        ]
        cells = [cell for cell in self.cells(inputs) if setting.needs & {*cell.below, *self.names(cell.suffix)}]
        for index, cell in enumerate(cells):
            kept += [Stored(name) for name in self.names(cell.suffix)]
            if not self.bias:  # and biases of zeros beside them, which nobody keeps
                rows = 4 * self.hidden_size
                shapes = ((rows, cell.features), (rows, self.hidden_size))
                copies = zip(self.names(cell.suffix), shapes, strict=False)
                kept += [Own(f"copy of {name}", TensorType(shape, dtype)) for name, shape in copies]
            kept += [Own(f"{cell.suffix}, last {what} state", state) for what in ("hidden", "cell")]
            is_output = index == len(cells) - 1 and not self.bidirectional
            kept.append(OUTPUT if is_output else Own(f"{cell.suffix}, states", steps))
            if cell.below == (0,):
                if index == 0:
                    kept.append(INPUT if self._as_rows(inputs, setting) else Own("steps of the input", inputs[0]))
            elif self.bidirectional and not cell.suffix.endswith("_reverse"):
                both = TensorType((*steps.shape[:2], cell.features), dtype)
                kept.append(Own(f"what {cell.suffix} reads", both))
            workspace = onednn_workspace(positions, batch, cell.features, self.hidden_size, DTYPE_BYTES[dtype])
            kept.append(Own(f"{cell.suffix}, workspace", TensorType((workspace,), "uint8")))
        return tuple(kept)


PAGE = 4096


def onednn_workspace(positions: int, batch: int, features: int, hidden: int, itemsize: int = 4) -> int:
    """Bytes that oneDNN 3.12 keeps of one cell: gates, states and their gradients, each in whole pages.

    Read off 264 sizes in float32 and bfloat16, all exactly. Rows that are multiplied are padded to 64 B, and once more
    where they would meet in the cache; gradients are in float32.
    """
    steps, states = positions * batch, 2 * (positions + 1) * batch
    widest = max(features, hidden)
    gates = steps * _padded(4 * hidden, itemsize)
    wide = states * _padded(widest, itemsize), states * _padded(widest, 4), states * _padded(widest, 4)
    narrow = states * hidden * itemsize, states * hidden * 4
    cells = steps * _padded(hidden, itemsize)
    return sum(_up(nbytes, PAGE) for nbytes in (gates, *wide, *narrow, cells))


def _up(value: int, unit: int) -> int:
    return -(-value // unit) * unit


def _padded(columns: int, itemsize: int) -> int:
    """Bytes of a row."""
    line = 64 // itemsize
    whole = _up(columns, line)
    return itemsize * (whole + line if whole % 256 == 0 else whole)
