"""Recurrent layers: the same weights at every step of a sequence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from archcost.errors import ShapeError
from archcost.layers.base import Arity, Weight, WeightedLayer
from archcost.layers.card import Card
from archcost.layers.checks import require_floating, require_rank
from archcost.layers.fields import Flag, Size
from archcost.layers.recurrent.cell import Cell, recurrent
from archcost.layers.recurrent.inference import Made, Unrecorded, composed
from archcost.layers.rules import Autograd, Call, Placement, own_storage
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import INPUT, Input, Own, Saved, Setting, Stage, Stored, excess
from archcost.terms.expressions import Step
from archcost.terms.memory_format import laid, strides_of, view
from archcost.work import Contraction, Elementwise, Operand, Shared, Work


class Recurrent(WeightedLayer):
    """A sequence (B, T, features) → hidden states (B, T, H·directions), and the last ones (layers·directions, B, H).

    `batch_first` is true by default, unlike torch's: a declaration's first axis is the batch. First states, as the last
    ones in shape, may be given as further inputs; else they are zero, and get no gradient. In training, `dropout` is
    done to what one layer hands to the next.
    """

    arity: ClassVar[Arity] = Arity(1, 2)
    positional: ClassVar[tuple[str, ...]] = ("hidden_size",)

    gates: ClassVar[int]
    cell: ClassVar[tuple[int, int]]
    """Operations of a hidden value beyond the gates' sums, forward and backward."""
    states: ClassVar[int] = 1

    hidden_size: Size
    num_layers: Size = 1
    bias: Flag = True
    batch_first: Flag = True
    bidirectional: Flag = False
    dropout: Annotated[float, Field(strict=True, ge=0, le=1)] = 0.0

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def width(self) -> int:
        """Of a hidden state as it is handed on."""
        return self.hidden_size

    def output_types(self, inputs: Tensors) -> Tensors:
        source = inputs[0]
        require_floating(inputs)
        require_rank(source, 3, "(batch, positions, features)" if self.batch_first else "(positions, batch, features)")
        last = self.last(inputs)
        if len(inputs) > 1 and inputs[1:] != last:
            expected = " and ".join(map(str, last))
            found = " and ".join(map(str, inputs[1:]))
            raise ShapeError("first states do not suit", expected=expected, found=found)
        return (TensorType((*source.shape[:2], self.directions * self.width), source.dtype), *last)

    def last(self, inputs: Tensors) -> Tensors:
        """The last states of all layers, and the first ones, if they are given."""
        shape = (self.num_layers * self.directions, self._sizes(inputs)[1], self.width)
        return (TensorType(shape, inputs[0].dtype),)

    def first(self, inputs: Tensors, index: int = 0) -> Saved:
        """The first states, as somebody keeps them: those that are given, or zeros."""
        return (
            Input(1 + index)
            if len(inputs) > 1
            else Own(("first states", "first cell states")[index], self.last(inputs)[index])
        )

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
            features = self.directions * self.width

    def names(self, suffix: str) -> tuple[str, ...]:
        biases = (f"bias_ih_{suffix}", f"bias_hh_{suffix}") if self.bias else ()
        return (f"weight_ih_{suffix}", f"weight_hh_{suffix}", *biases)

    def weights(self, inputs: Tensors) -> tuple[Weight, ...]:
        rows = self.gates * self.hidden_size
        made: list[Weight] = []
        for cell in self.cells(inputs):
            made += [
                Weight(name, shape)
                for name, shape in zip(self.names(cell.suffix), self._shapes(rows, cell.features), strict=True)
            ]
        return tuple(made)

    def _shapes(self, rows: int, features: int) -> tuple[tuple[int, ...], ...]:
        biases = ((rows,), (rows,)) if self.bias else ()
        return ((rows, features), (rows, self.width), *biases)

    def work(self, inputs: Tensors, outputs: Tensors) -> tuple[Work, ...]:
        """A gate: a product with the input, one with the state before, two biases, a sum; then the cell's own formula.

        Every gradient needs those of all later steps, once. Between layers, dropout is counted as one of itself.
        """
        positions, batch = self._sizes(inputs)
        hidden = positions * batch * self.hidden_size
        forward, backward = self.cell
        parts: list[Work] = []
        for cell in self.cells(inputs):
            names = self.names(cell.suffix)
            states = tuple(range(1, len(inputs)))
            all_of = (*cell.below, *states, *names)
            read = hidden * self.gates * cell.features
            first = cell.below == (0,)
            parts.append(Contraction(read, (0, names[0]) if first else (names[0],)))
            if not first:
                under = (*cell.below, *states)
                parts.append(Shared(Contraction(read), under, f"gradient of what {cell.suffix} reads"))
            again = hidden * self.gates * self.width
            parts.append(Contraction(again, (names[1],)))
            step = again // positions
            parts.append(
                Shared(Contraction(step * (positions - 1)), all_of, f"gradients of earlier steps of {cell.suffix}")
            )
            if states:
                parts.append(Shared(Contraction(step), states, f"gradient of the first state of {cell.suffix}"))
            sums = 3 if self.bias else 1
            biases: dict[Operand, int] = dict.fromkeys(names[2:4] if self.bias else (), 1)
            parts.append(Elementwise(hidden * self.gates, sums, biases, f"gates of {cell.suffix} summed"))
            parts.append(Elementwise(hidden, forward, {}, f"cell {cell.suffix}"))
            parts.append(Shared(Elementwise(hidden, backward, {}), all_of, f"cell {cell.suffix} backward"))
            if self.dropout and not first and not cell.suffix.endswith("_reverse"):
                dropped = positions * batch * cell.features
                parts.append(Elementwise(dropped, 2, {}, f"dropped before {cell.suffix}"))
                under = (*cell.below, *states)
                parts.append(Shared(Elementwise(dropped, 1, {}), under, f"dropped before {cell.suffix}"))
        return tuple(parts)

    def placement(self, call: Call) -> Placement:
        """Steps are computed one after the other, and lie so."""
        if not self.batch_first:
            return own_storage(call)
        batch, _, features = call.result.shape
        return own_storage(call, (laid(call.result.shape, (features, batch * features, 1)), *[None] * self.states))

    def autograd(self, call: Call) -> Autograd:
        """It keeps of each step the states and what the cell's formula needs; and each cell's input, as rows of all
        steps. Backward goes cell by cell.
        """
        running = self._running(call.inputs, call.setting)
        saved = [each for cell in running for each in self._kept_by(cell, call.inputs, call.setting)]
        saved += self._kept_first(running, call.inputs, call.setting) if running else ()
        forward = self._made_by_all(call) if call.setting.needs else self._made_without_autograd(call)
        return Autograd(
            tuple(dict.fromkeys(saved)), call.inputs, forward=forward, stages=tuple(self._stages(running, call))
        )

    def _running(self, inputs: Tensors, setting: Setting) -> list[Cell]:
        """The cells that have a backward."""
        states = range(1, len(inputs))
        return [cell for cell in self.cells(inputs) if setting.needs & {*cell.below, *states, *self.names(cell.suffix)}]

    def _kept_by(self, cell: Cell, inputs: Tensors, setting: Setting) -> Iterator[Saved]:
        """What its own backward, and nobody's before it, lets go of; and what it shares with others."""
        positions, batch = self._sizes(inputs)
        needs = setting.needs
        ih, hh = self.names(cell.suffix)[:2]
        yield from self._masks(cell, inputs, setting)
        if needs & self._under(cell, inputs):
            yield Stored(ih)
        if positions > 1 or needs & {1, 2}:
            yield Stored(hh)
        yield from self._kept_of_steps(positions, TensorType((batch, self.hidden_size), inputs[0].dtype), cell, needs)
        if ih in needs:
            yield self._read(inputs, setting, cell)

    def _under(self, cell: Cell, inputs: Tensors) -> set[Operand]:
        """What the gradient of a cell's input is needed for."""
        return {*cell.below, *(range(1, len(inputs)) if cell.below != (0,) else ())}

    def _masks(self, cell: Cell, inputs: Tensors, setting: Setting) -> Iterator[Saved]:
        """Of the dropout in front of it."""
        if (
            cell.below == (0,)
            or not setting.training
            or not self.dropout
            or not setting.needs & self._under(cell, inputs)
        ):
            return
        positions, batch = self._sizes(inputs)
        layer = cell.suffix.removesuffix("_reverse")
        alone = self.dropout == 1
        shape = () if alone else (positions, batch, cell.features)
        fused = setting.device == "cuda" and not alone
        yield Own(f"mask before {layer}", TensorType(shape, "bool" if fused else inputs[0].dtype))

    def _kept_first(self, running: Sequence[Cell], inputs: Tensors, setting: Setting) -> tuple[Saved, ...]:
        """The first states, where weights that they are multiplied with are trained."""
        trained = any(self.names(cell.suffix)[1] in setting.needs for cell in running)
        return (self.first(inputs),) if trained else ()

    def _kept_of_steps(
        self, positions: int, state: TensorType, cell: Cell, needs: Collection[Operand]
    ) -> Iterator[Saved]:
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

    def _made_without_autograd(self, call: Call) -> tuple[Own, ...]:
        most = self._without_autograd(call.inputs, call.setting) - sum(output.numel for output in call.outputs)
        return excess("products and states", most, call.source.dtype)

    def _made_by_all(self, call: Call) -> tuple[Own, ...]:
        """While all states of the last layer are brought together: its products with the input, and each direction's.

        Its last states come after that.
        """
        inputs = call.inputs
        later = sum(tensor.numel for tensor in call.outputs[1:])
        positions, batch = self._sizes(inputs)
        steps = positions * batch
        made = steps * self.gates * self.hidden_size + self._unkept_last(batch) * self.num_layers * self.directions
        if self.bidirectional:
            made += 2 * steps * self.width
        trained = any(call.needs(self.names(cell.suffix)[1]) for cell in self.cells(inputs))
        if len(inputs) == 1 and not trained:
            made += self.last(inputs)[0].numel  # zeros, which else are kept
        return excess("products with the input", made - later, call.source.dtype)

    def _without_autograd(self, inputs: Tensors, setting: Setting) -> int:
        """Values at the worst moment, all outputs included."""
        return composed(self._sequence(inputs, setting), self._step(self._sizes(inputs)[1]))

    def _sequence(self, inputs: Tensors, setting: Setting) -> Unrecorded:
        positions, batch = self._sizes(inputs)
        return Unrecorded(
            self.num_layers,
            self.directions,
            positions,
            sum(tensor.numel for tensor in self.last(inputs)) if len(inputs) == 1 else 0,
            0 if self._as_rows(inputs, setting) else inputs[0].numel,
            positions * batch * self.gates * self.hidden_size,
            self.bias,
        )

    def _step(self, batch: int) -> Made:
        raise NotImplementedError

    def _unkept_last(self, batch: int) -> int:
        """Values of a cell's last states that no backward asks for."""
        return batch * self.hidden_size

    def _stages(self, running: Sequence[Cell], call: Call) -> Iterator[Stage]:
        """Cell by cell, the last first."""
        inputs, setting = call.inputs, call.setting
        kept = [
            {each.what: each for each in self._kept_by(cell, inputs, setting) if isinstance(each, Own)}
            for cell in running
        ]
        for index in range(len(running) - 1, -1, -1):
            cell = running[index]
            before = {what for names in kept[:index] for what in names}
            frees = {what: own for what, own in kept[index].items() if what not in before}
            operands: set[Operand] = {name for name in self.names(cell.suffix) if name in setting.needs}
            if index == 0:
                operands |= {operand for operand in setting.needs if isinstance(operand, int)}
            given = sum(weight.numel for weight in self.weights(inputs) if weight.name in operands)
            worked = self._worked(cell, call, sum(own.tensor.numel for own in frees.values()))
            if index > 0 or 0 in setting.needs:
                worked += self._beside(cell, running[:index], inputs)
            given += sum(inputs[operand].numel for operand in operands if isinstance(operand, int))
            beyond = excess(f"worked with in {cell.suffix}", worked - given, inputs[0].dtype)
            yield Stage(frozenset(operands), frozenset(frees), beyond)

    def _beside(self, cell: Cell, later: Sequence[Cell], inputs: Tensors) -> int:
        """Of two directions, the gradient that the other one gave what both read."""
        positions, batch = self._sizes(inputs)
        is_second = self.bidirectional and not cell.suffix.endswith("_reverse")
        return positions * batch * cell.features if is_second else 0

    def _worked(self, cell: Cell, call: Call, kept: int) -> int:
        """Values at the worst moment of a cell's backward beyond what is kept, of which it kept so many for itself.

        Torch goes back step by step. The gradients of what all steps read come together at the end; until then those of
        the other weights are added up, each sum beside its two parts.
        """
        positions, batch = self._sizes(call.inputs)
        weights = {weight.name: weight.numel for weight in self.weights(call.inputs)}
        state = batch * self.hidden_size
        gates = self.gates * state
        each = kept // positions
        again = weights[self.names(cell.suffix)[1]]
        begins = gates + 3 * state + again
        goes_on = 2 * gates - each + (3 * again + state if positions > 1 else 0)
        ends = 2 * positions * gates - kept + again
        reads = positions * batch * cell.features
        under = bool(call.setting.needs & self._under(cell, call.inputs))
        last = positions * gates - kept + again + weights[self.names(cell.suffix)[0]] + (reads if under else 0)
        return max(begins, goes_on, ends, last)

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
        out = "H"
        projection = ""
        if self.width != self.hidden_size:
            values["P"], out, projection = self.width, "P", " + P*H"
        rows = " + ".join(
            f"G*H*(n_{cell.suffix} + {out}{' + 2' * self.bias}){projection}" for cell in cells[:MOST_CELLS]
        )
        through = " + T*B*P*H" if projection else ""
        macs = " + ".join(f"T*B*G*H*(n_{cell.suffix} + {out}){through}" for cell in cells[:MOST_CELLS])
        axis = Step("output axis 2", f"directions*{out}", values, "a hidden state for each direction")
        if len(cells) > MOST_CELLS:
            return (axis,)
        return (axis, Step("parameters", rows, values, "weights and biases of G gates"), Step("MACs", macs, values))


MOST_CELLS = 6
"""A longer sum explains nothing."""


class RNN(Recurrent):
    """tanh or relu of W·x + b + U·h + c (torch.nn.RNN). Backward is counted as that of tanh."""

    prefix: ClassVar[str] = "rnn"
    type: Literal["rnn"] = "rnn"
    card: ClassVar[Card] = recurrent("RNN", "rnn_tanh", "rnn_relu")
    nonlinearity: Literal["tanh", "relu"] = "tanh"
    gates: ClassVar[int] = 1
    cell: ClassVar[tuple[int, int]] = (1, 3)

    def _step(self, batch: int) -> Made:
        """The sum, and its tanh."""
        state = batch * self.hidden_size
        return Made(2 * state, state)

    def _unkept_last(self, batch: int) -> int:
        return 0

    def _kept_of_steps(
        self, positions: int, state: TensorType, cell: Cell, needs: Collection[Operand]
    ) -> Iterator[Saved]:
        yield from (Own(f"{cell.suffix}, state {step}", state) for step in range(1, positions + 1))
