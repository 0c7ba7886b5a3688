"""What the rules say is kept for backward, beside what torch saves: the same storages, and extra bytes to the byte."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch

from archcost.graph import Port
from archcost.layers.rules import Call
from archcost.passes.layer_rules import Answers, ask
from archcost.pytorch.network import as_tuple
from archcost.pytorch.saved import NetworkSaved, watch
from archcost.terms.autograd import Input, Output, Own, Setting, Stored
from archcost.terms.memory_format import Layout, Strides, laid, strides_of
from archcost.testing.built import ORDERS, given, module_of, needed
from archcost.testing.by_hand import same
from archcost.testing.rows import Row, Shape

LeftOut = Callable[[Row, str], bool]
"""Whether a row is not run with values in that order."""


def never(row: Row, order: str) -> bool:
    return False


def measure(row: Row, setting: Setting, order: str, dtype: torch.dtype = torch.float32) -> tuple[NetworkSaved, Setting]:
    """What torch keeps, and the setting with the layouts that the inputs really had."""
    inputs = [given(t, order, index in setting.needs) for index, t in enumerate(row.input_types)]
    layouts: tuple[Layout, ...] = tuple(laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs)
    measured = watch(module_of(row, setting.training, setting.needs, dtype), inputs)
    return measured, Setting(setting.needs, setting.training, "cpu", layouts)


def answers_to(row: Row, setting: Setting) -> Answers:
    return ask(row.layer, Call(row.input_types, row.output_types, setting))


def compare(row: Row, measured: NetworkSaved, setting: Setting) -> None:
    """What is kept, of others' storages by name and of its own by bytes."""
    names: set[str] = set()
    own: list[int] = []
    answers = answers_to(row, setting)
    for reference in answers.saved:
        match reference:
            case Input(index):
                names.add(measured.places[str(index)])
            case Output(index):
                names.add(measured.places[str(Port("layer", index))])
            case Stored(name):
                names.add(f"layer.{name}")
            case Own(_, tensor):
                own.append(tensor.nbytes)
    layer = measured.layers["layer"]
    if setting.needs:  # attributes of `ctx`, which no hook sees where they are no saved tensors as well
        outlive = {measured.places[str(index)] for index in answers.passing.outlives}
        names -= outlive.difference(layer.shared)
    where = in_words(setting)
    same(f"kept of others, {where}", sorted(names), sorted(layer.shared), "by torch")
    same(f"bytes kept of its own, {where}", tuple(sorted(own)), layer.own, "by torch")


def in_words(setting: Setting) -> str:
    """What a failure is told of."""
    wanted = ", ".join(map(str, sorted(setting.needs, key=str))) or "no"
    layouts = "" if not any(setting.layouts) else f", layouts {setting.layouts}"
    return f"{'training' if setting.training else 'evaluation'}, {wanted} gradient wanted{layouts}"


def told(shape: Shape, strides: Strides) -> tuple[int | None, ...]:
    """Strides of axes with more than one value; the others mean nothing."""
    return tuple(stride if size > 1 else None for size, stride in zip(shape, strides, strict=True))


def check(row: Row, left_out: LeftOut = never) -> None:
    """Training and evaluation, each operand needing its gradient or not, values in every order: what is kept, in whose
    storage the outputs lie, and in which order their values.
    """
    outputs = row.output_types
    for training, needs, order in product((True, False), needed(row), ORDERS):
        if left_out(row, order):
            continue
        measured, setting = measure(row, Setting(needs, training), order)
        compare(row, measured, setting)
        where, answers = in_words(setting), answers_to(row, setting)
        ports = [str(Port("layer", index)) for index in range(len(outputs))]
        places = [
            port if alias is None else f"layer.{alias}" if isinstance(alias, str) else measured.places[str(alias)]
            for port, alias in zip(ports, answers.aliases, strict=True)
        ]
        same(f"in whose storage outputs lie, {where}", places, [measured.places[port] for port in ports], "by torch")
        for tensor, layout, port in zip(outputs, answers.layouts, ports, strict=True):
            rule = told(tensor.shape, strides_of(tensor.shape, layout))
            same(f"strides of {port}, {where}", rule, told(tensor.shape, measured.strides[port]), "by torch")


def check_views(row: Row, left_out: LeftOut = never) -> None:
    """Whether the first output is a view, of inputs that are none themselves, all operands needing their gradients."""
    needs = next(needed(row))
    for training, order in product((True, False), ORDERS):
        if not needs or left_out(row, order):
            continue
        inputs = [given(tensor, order, index in needs) for index, tensor in enumerate(row.input_types)]
        layouts = tuple([laid(tuple(tensor.shape), tensor.stride()) for tensor in inputs])
        if inputs and inputs[0]._is_view():  # pyright: ignore[reportPrivateUsage]
            continue
        result = as_tuple(module_of(row, training, needs)(*inputs))[0]
        if result.requires_grad:
            is_view = result._is_view()  # pyright: ignore[reportPrivateUsage]
            setting = Setting(needs, training, "cpu", layouts)
            same(
                f"whether the output is a view, {in_words(setting)}",
                answers_to(row, setting).is_view,
                is_view,
                "by torch",
            )
