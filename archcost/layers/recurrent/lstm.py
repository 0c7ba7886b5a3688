"""Long short-term memory: on the CPU oneDNN's, or, where the output is projected, step by step as torch composes it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar, Literal

from archcost.errors import ShapeError
from archcost.layers.base import Arity
from archcost.layers.card import Card
from archcost.layers.fields import Count
from archcost.layers.recurrent.cell import Cell, recurrent
from archcost.layers.recurrent.inference import Fused, Made, fused
from archcost.layers.recurrent.rnn import Recurrent
from archcost.layers.rules import Call, Placement
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import INPUT, OUTPUT, Own, Saved, Setting, Stored
from archcost.terms.memory_format import is_row_major
from archcost.work import Contraction, Operand, Shared, Work


class LSTM(Recurrent):
    """i, f, o = σ(·), g = tanh(·), c = f·c + i·g, h = o·tanh(c) (torch.nn.LSTM). First states are h and c, or none.

    On the CPU it is oneDNN's, which keeps a workspace of its own. What CUDA keeps was not measured and is taken to be
    as many bytes. With `proj_size`, h is multiplied with one more matrix to as many values, and torch composes it.
    """

    prefix: ClassVar[str] = "lstm"
    type: Literal["lstm"] = "lstm"
    arity: ClassVar[Arity] = Arity(1, 3)
    card: ClassVar[Card] = recurrent("LSTM", "lstm")
    gates: ClassVar[int] = 4
    cell: ClassVar[tuple[int, int]] = (18, 22)
    states: ClassVar[int] = 2
    proj_size: Count = 0

    @property
    def width(self) -> int:
        return self.proj_size or self.hidden_size

    def placement(self, call: Call) -> Placement:
        return super().placement(call)._replace(is_view=self.batch_first)

    def output_types(self, inputs: Tensors) -> Tensors:
        if self.proj_size >= self.hidden_size:
            expected = f"less than hidden_size, {self.hidden_size}"
            raise ShapeError("proj_size is too large", expected=expected, found=str(self.proj_size))
        return super().output_types(inputs)

    def last(self, inputs: Tensors) -> Tensors:
        (hidden,) = super().last(inputs)
        return (hidden, hidden._replace(shape=(*hidden.shape[:2], self.hidden_size)))

    def names(self, suffix: str) -> tuple[str, ...]:
        return (*super().names(suffix), *([f"weight_hr_{suffix}"] if self.proj_size else []))

    def _shapes(self, rows: int, features: int) -> tuple[tuple[int, ...], ...]:
        projection = [(self.proj_size, self.hidden_size)] if self.proj_size else []
        return (*super()._shapes(rows, features), *projection)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        parts = list(super().work(inputs, outputs))
        if self.proj_size:
            positions, batch = self._sizes(inputs)
            macs = positions * batch * self.hidden_size * self.proj_size
            for cell in self.cells(inputs):
                *others, projection = self.names(cell.suffix)
                parts.append(Contraction(macs, (projection,)))
                through = (*cell.below, *range(1, len(inputs)), *others)
                parts.append(Shared(Contraction(macs), through, f"gradient through the projection of {cell.suffix}"))
        return tuple(parts)

    def _kept_by(self, cell: Cell, inputs: Tensors, setting: Setting) -> Iterator[Saved]:
        """Whatever is wanted: weights, inputs, outputs, states, and oneDNN's workspace (native/mkldnn/RNN.cpp)."""
        if self.proj_size:
            yield from super()._kept_by(cell, inputs, setting)
            if self._sizes(inputs)[0] > 1 or setting.needs - {self.names(cell.suffix)[-1]}:
                yield Stored(self.names(cell.suffix)[-1])
            return
        positions, batch = self._sizes(inputs)
        dtype = inputs[0].dtype
        state = TensorType((batch, self.hidden_size), dtype)
        steps = TensorType((positions, batch, self.hidden_size), dtype)
        yield from (Stored(name) for name in self.names(cell.suffix))
        if not self.bias:  # and biases of zeros beside them, which nobody keeps
            rows = 4 * self.hidden_size
            shapes = ((rows, cell.features), (rows, self.hidden_size))
            copies = zip(self.names(cell.suffix), shapes, strict=False)
            yield from (Own(f"copy of {name}", TensorType(shape, dtype)) for name, shape in copies)
        yield from (Own(f"{cell.suffix}, last {what} state", state) for what in ("hidden", "cell"))
        is_output = cell.suffix == f"l{self.num_layers - 1}" and not self.bidirectional
        yield OUTPUT if is_output else Own(f"{cell.suffix}, states", steps)
        yield from self._masks(cell, inputs, setting)
        yield self._read_whole(cell, inputs, setting)
        workspace = onednn_workspace(positions, batch, cell.features, self.hidden_size, DTYPE_BYTES[inputs[0].dtype])
        yield Own(f"{cell.suffix}, workspace", TensorType((workspace,), "uint8"))

    def _read_whole(self, cell: Cell, inputs: Tensors, setting: Setting) -> Saved:
        """What oneDNN reads: the input, or what the layer below gave."""
        if cell.below == (0,):
            return INPUT if self._as_rows(inputs, setting) else Own("steps of the input", inputs[0])
        positions, batch = self._sizes(inputs)
        layer = cell.suffix.removesuffix("_reverse")
        whole = TensorType((positions, batch, cell.features), inputs[0].dtype)
        if self.bidirectional or (setting.training and self.dropout):
            return Own(f"what {layer} reads", whole)
        return Own(f"l{int(layer[1:]) - 1}, states", whole)

    def _kept_first(self, running: Sequence[Cell], inputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        if self.proj_size:
            cells = [self.first(inputs, 1)] if any(self._begins(cell, setting.needs) for cell in running) else []
            return (*super()._kept_first(running, inputs, setting), *cells)
        copies = ("rows of the first states", "rows of the first cell states")
        return tuple(
            self.first(inputs, index)
            if len(inputs) == 1 or is_row_major(inputs[1 + index].shape, setting.layout(1 + index))
            else Own(copies[index], inputs[1 + index])
            for index in (0, 1)
        )

    def _begins(self, cell: Cell, needs: Collection[Operand]) -> bool:
        """Whether a gradient goes back through the first step's gates: more is trained than the projection."""
        return bool(set(needs) & {1, 2, *cell.below, *self.names(cell.suffix)[:-1]})

    def _kept_of_steps(
        self, positions: int, state: TensorType, cell: Cell, needs: Collection[Operand]
    ) -> Iterator[Saved]:
        """Step by step: the gates, the cell's state and its tanh, and the output before and after its projection."""
        batch, hidden = state.shape
        suffix = cell.suffix
        for step in range(1, positions + 1):
            if step > 1 or self._begins(cell, needs):
                yield Own(f"{suffix}, gates of step {step}", TensorType((batch, 4 * hidden), state.dtype))
                yield Own(f"{suffix}, tanh of step {step}", state)
            if self.names(suffix)[-1] in needs:
                yield Own(f"{suffix}, output {step}", state)
            if step < positions:
                yield Own(f"{suffix}, cell state {step}", state)
                if self.names(suffix)[1] in needs:
                    yield Own(f"{suffix}, state {step}", TensorType((batch, self.proj_size), state.dtype))

    def _made_by_all(self, call: Call) -> tuple[Own, ...]:
        return super()._made_by_all(call) if self.proj_size else ()

    def _without_autograd(self, inputs: Tensors, setting: Setting) -> int:
        """In training autograd is on, and oneDNN makes its workspaces even where nothing of the layer is trained."""
        if self.proj_size:
            return super()._without_autograd(inputs, setting)
        positions, batch = self._sizes(inputs)
        size = DTYPE_BYTES[inputs[0].dtype]
        first = [cell for cell in self.cells(inputs) if not cell.suffix.endswith("_reverse")]
        workspaces = [onednn_workspace(positions, batch, cell.features, self.hidden_size, size) for cell in first]
        turned = [
            index for index in range(1, len(inputs)) if not is_row_major(inputs[index].shape, setting.layout(index))
        ]
        run = self._sequence(inputs, setting)
        return fused(
            run._replace(copied=run.copied + sum(inputs[index].numel for index in turned)),
            Fused(
                positions * batch * self.hidden_size,
                2 * batch * self.hidden_size,
                tuple(0 if self.bias else 4 * self.hidden_size * (cell.features + self.hidden_size) for cell in first),
                tuple(each // size if setting.training else 0 for each in workspaces),
            ),
        )

    def _step(self, batch: int) -> Made:
        """Four gates, the cell's state, its tanh and what is projected; the cell's state is for the next step."""
        state = batch * self.hidden_size
        return Made(7 * state, batch * self.width, state)

    def _unkept_last(self, batch: int) -> int:
        return batch * (self.hidden_size + self.width)

    def _worked(self, cell: Cell, call: Call, kept: int) -> int:
        """oneDNN makes every gradient, wanted or not."""
        if self.proj_size:
            return super()._worked(cell, call, kept)
        inputs = call.inputs
        positions, batch = self._sizes(inputs)
        weights = sum(weight.numel for weight in self.weights(inputs) if weight.name.endswith(f"_{cell.suffix}"))
        weights += 0 if self.bias else 2 * 4 * self.hidden_size
        return weights + positions * batch * cell.features + 2 * batch * self.hidden_size


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
