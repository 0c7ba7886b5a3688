"""What a layer says of its memory in one setting: where its results lie, what it keeps, which gradients it gives.

Equal layers on equal inputs say the same, so it is asked once. What differs from place to place, the numbers of
storages, is looked up by whoever walks the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from archcost.graph import Node
from archcost.layers.base import Layer, Weight, is_view
from archcost.layers.rules import Call, NewView, without_gradients
from archcost.passes.gradients import NOTHING, Needs
from archcost.tensors import Tensors, TensorType, part_of
from archcost.terms.autograd import (
    FORWARD,
    NO_SCRATCH,
    Gradient,
    Handed,
    Input,
    Output,
    Own,
    Saved,
    Scratch,
    Stage,
    Stored,
    excess,
)
from archcost.terms.memory_format import Layout
from archcost.work import Operand


class Passing(NamedTuple):
    """What backward gives the inputs of a layer, and what lives only while the layer runs."""

    gradients: tuple[Gradient, ...]
    scratch: Scratch
    viewed: tuple[bool, ...]
    """Whether the new gradient of each input is a view."""
    turned: bool
    """Whether the gradient of `weight` lies in another order than the weight."""
    stages: tuple[Stage, ...]
    outlives: tuple[int | Own, ...]
    zeros: tuple[TensorType | None, ...]
    ready: Mapping[Operand, Own]
    """Gradients that forward has worked out, by operand."""


class Answers(NamedTuple):
    """What a layer says of one call. Equal layers on equal inputs share it."""

    saved: tuple[Saved, ...]
    aliases: tuple[int | str | None, ...]
    layouts: tuple[Layout, ...]
    overwrites: bool
    is_view: bool
    allocated: Tensors
    hides_writes: bool
    passing: Passing


def ask(layer: Layer, call: Call) -> Answers:
    """A layer's own values, as the storages of a network want them."""
    setting = call.setting
    autograd, placement = layer.autograd(call), layer.placement(call)
    gradients = tuple([given.tensor if isinstance(given, NewView) else given for given in autograd.gradients])
    forward = autograd.forward if setting.needs else autograd.where_nobody_needs()
    return Answers(
        autograd.saved if setting.needs else (),
        placement.aliases,
        placement.layouts,
        layer.overwrites(setting),
        is_view(layer, call, placement, autograd),
        placement.allocated or call.outputs,
        placement.hides_writes,
        Passing(
            gradients,
            Scratch(forward, autograd.backward),
            tuple([isinstance(given, NewView) for given in autograd.gradients]),
            autograd.turns_weight_gradient,
            autograd.stages if setting.needs else (),
            autograd.outlives,
            autograd.zeros,
            autograd.ready,
        ),
    )


NO_CALL = Call((), (), FORWARD)


class New(NamedTuple):
    """A storage that the layer makes."""

    what: str
    tensor: TensorType


Reference = int
"""One of the tensors around a layer, counted through: its inputs, its weights, what it makes, its outputs."""


class Give(NamedTuple):
    """A gradient that an operation gives, and what it is made of."""

    gradient: Handed | TensorType
    like: TensorType
    """What it is the gradient of."""
    is_view: bool = False
    """Whether a new one is a view of what was computed, to which nothing is added in place."""
    is_summed: bool = False
    """Whether autograd's engine sums it up, after the operation's own function (validate_outputs in engine.cpp)."""
    is_turned: bool = False
    """Whether it lies in another order than what it is the gradient of."""
    is_whole: bool = True
    """Whether a new one is no view, and has as many values as what it is the gradient of."""
    ready: int | None = None
    """The number, among the operation's own tensors, of the one that it is: forward has worked it out."""

    @property
    def is_new(self) -> bool:
        """Whether backward makes a tensor for it."""
        return self.ready is None and not isinstance(self.gradient, Handed)


class Part(NamedTuple):
    """A part of an operation's backward: by index which of its `gives` it makes, and which of its own tensors go."""

    gives: tuple[int, ...]
    frees: tuple[int, ...]
    scratch: tuple[Own, ...]


class LayerRules(NamedTuple):
    """The answers of a layer to one call, counted through."""

    layer: Layer
    call: Call
    makes: tuple[New, ...]
    """Outputs in storages of their own, then what lives for backward alone."""
    own: int
    """How many of these live for backward alone."""
    outputs: tuple[Reference, ...]
    saved: tuple[Reference, ...]
    layouts: tuple[Layout, ...]
    """Of the outputs."""
    arriving: tuple[Layout, ...]
    """In which order the values of each input lie."""
    operands: tuple[Operand, ...]
    """Those whose gradient backward computes, where the loss is reached."""
    gives: tuple[Give, ...]
    summed: int
    """How many of them, the last ones, autograd's engine sums up after the operation's own function."""
    given_to: tuple[Reference, ...]
    """Of which tensor each of them is the gradient."""
    scratch: Scratch
    parts: tuple[Part, ...]
    """Of its backward, where that is more than one operation."""
    outlives: tuple[Reference, ...]
    """Of what it keeps, what backward does not let go of: it goes with the loss."""
    zeros: tuple[TensorType | None, ...]
    """By output, what backward makes in place of a gradient that does not arrive."""
    overwrites: bool
    is_view: bool
    hides_writes: bool

    @property
    def dropped(self) -> tuple[Own, ...]:
        """In place of the scratch of forward, what lives then under a checkpoint, which drops at once what is kept."""
        layer, call = self.layer, self.call
        if call.setting.needs and "composed" in layer.quirks:
            call = replace(call, setting=without_gradients(call.setting))
        autograd = layer.autograd(call)
        return (*autograd.own(), *autograd.forward) if call.setting.needs else autograd.where_nobody_needs()


def layer_rules(node: Node, needs: Needs, arriving: tuple[Layout, ...], call: Call, answers: Answers) -> LayerRules:
    """`needs` are the operands whose gradient is computed."""
    passing, weights = answers.passing, [weight.name for weight in node.weights]
    first_weight = len(node.inputs)
    first_made = first_weight + len(weights)
    makes: list[New] = []
    outputs: list[Reference] = []
    for index, alias in enumerate(answers.aliases):
        if alias is None:
            outputs.append(first_made + len(makes))
            makes.append(New(f"output {index}" if index else "output", answers.allocated[index]))
        else:
            outputs.append(alias if isinstance(alias, int) else first_weight + weights.index(alias))
    own = list(dict.fromkeys([kept for kept in answers.saved if isinstance(kept, Own)]))
    first_own, first_output = len(makes), first_made + len(makes) + len(own)
    saved: list[Reference] = []
    for kept in answers.saved:
        if isinstance(kept, Input):
            saved.append(kept.index)
        elif isinstance(kept, Output):
            saved.append(first_output + kept.index)
        elif isinstance(kept, Stored):
            saved.append(first_weight + weights.index(kept.name))
        else:
            saved.append(first_made + first_own + own.index(kept))
    makes += [New(kept.what, kept.tensor) for kept in own]
    gives = _gives(node, needs, answers) if needs is not NOTHING else []
    if passing.ready:
        gives = [(each, _made_before(each, give, passing.ready, own)) for each, give in gives]
    return LayerRules(
        layer=node.layer,
        call=call,
        makes=tuple(makes),
        own=len(own),
        outputs=tuple(outputs),
        saved=tuple(saved),
        layouts=answers.layouts,
        arriving=arriving,
        operands=needs.operands,
        gives=tuple([give for _, give in gives]),
        summed=sum([give.is_summed for _, give in gives]),
        given_to=tuple([each if isinstance(each, int) else first_weight + weights.index(each) for each, _ in gives]),
        scratch=passing.scratch,
        parts=tuple([_part(stage, makes[first_own:], gives) for stage in passing.stages]) if passing.stages else (),
        outlives=tuple([e if isinstance(e, int) else first_made + first_own + own.index(e) for e in passing.outlives]),
        zeros=passing.zeros,
        overwrites=answers.overwrites,
        is_view=answers.is_view,
        hides_writes=answers.hides_writes,
    )


def _part(stage: Stage, own: Sequence[New], gives: Sequence[tuple[Operand, Give]]) -> Part:
    made = [index for index, (operand, _) in enumerate(gives) if operand in stage.operands]
    return Part(tuple(made), tuple([i for i, each in enumerate(own) if each.what in stage.frees]), stage.scratch)


def _gives(node: Node, needs: Needs, answers: Answers) -> list[tuple[Operand, Give]]:
    passing = answers.passing
    gives: list[tuple[Operand, Give]] = []
    for index in needs.inputs:
        gradient, tensor = passing.gradients[index], node.input_types[index]
        if gradient is None:
            continue
        if not isinstance(gradient, Handed):
            if not gradient.is_complex or tensor.is_complex:  # else a real part, of which all is held
                gradient = tensor if gradient.shape == tensor.shape else TensorType(gradient.shape, tensor.dtype)
        elif part_of(node.output_types[gradient.output].dtype) != part_of(tensor.dtype):  # autograd's engine casts it
            gradient = tensor
        is_view = passing.viewed[index]
        is_whole = not is_view and (isinstance(gradient, Handed) or gradient.numel == tensor.numel)
        gives.append((index, Give(gradient, tensor, is_view, is_whole=is_whole)))
    if not needs.weights:
        return gives
    transposed = node.shared is not None and node.shared.transposed
    for weight in node.weights:
        if weight.name not in needs.weights or is_the_output(weight, node, answers.aliases[0]):
            continue
        tensor = weight_type(weight, node)
        if weight.cast is not None and weight.name not in node.given:
            tensor = TensorType(tensor.shape, weight.cast)
        is_main = weight.name == "weight"
        is_view = is_main and (transposed or "weight gradient is view" in node.layer.quirks)
        is_summed = weight.name == "bias" and "sums bias gradient" in node.layer.quirks
        give = Give(tensor, tensor, is_view, is_summed, is_main and passing.turned, not is_view)
        gives.append((weight.name, give))
    return sorted(gives, key=_is_summed) if "sums bias gradient" in node.layer.quirks else gives


def _made_before(operand: Operand, give: Give, ready: Mapping[Operand, Own], own: Sequence[Own]) -> Give:
    return give._replace(ready=own.index(ready[operand]), is_view=False, is_whole=True) if operand in ready else give


def _is_summed(given: tuple[Operand, Give]) -> bool:
    return given[1].is_summed


def is_the_output(weight: Weight, node: Node, alias: int | str | None) -> bool:
    """Whether what comes out is that parameter of the layer's own itself, whose gradient is then the weight's."""
    return alias == weight.name and not weight.is_buffer and weight.cast is None and weight in node.own_weights


def weight_type(weight: Weight, node: Node) -> TensorType:
    """A weight as it is kept between steps: in the dtype of what arrives, unless it has its own; a transposed one as
    its owner has it.
    """
    shape, dtype = weight.shape, weight.dtype or node.input_types[0].dtype
    if weight.name == "weight" and node.shared is not None and node.shared.transposed:
        shape = (shape[1], shape[0], *shape[2:])
    return TensorType(shape, dtype)


def through_view(answers: Answers, view: TensorType, whole: TensorType) -> Answers:
    """The rules of a layer that overwrites a view.

    What arrived is put into zeros like the whole (as_strided_backward in torch/csrc/autograd/FunctionsManual.cpp); of
    those a copy is made, and of the view's part in it a second one, which takes the place of what arrived. The layer's
    own gradient is then put into the first (CopySlices in torch/csrc/autograd/functions/tensor.cpp).
    """
    first, *rest = answers.passing.gradients
    handed, scratch = isinstance(first, Handed), answers.passing.scratch
    extra = excess("gradient of the whole, twice", 2 * whole.numel - (view.numel if handed else 0), view.dtype)
    passing = answers.passing._replace(
        gradients=(view if handed else first, *rest), scratch=replace(scratch, backward=(*scratch.backward, *extra))
    )
    return answers._replace(passing=passing)


def copying(layer: Layer, made: New, gives: tuple[Give, ...]) -> LayerRules:
    """The rules of a copy that autocast makes of a weight."""
    return LayerRules(
        layer=layer,
        call=NO_CALL,
        makes=(made,),
        own=0,
        outputs=(0,),
        saved=(),
        layouts=(None,),
        arriving=(),
        operands=(),
        gives=gives,
        summed=0,
        given_to=(),
        scratch=NO_SCRATCH,
        parts=(),
        outlives=(),
        zeros=(),
        overwrites=False,
        is_view=False,
        hides_writes=False,
    )
