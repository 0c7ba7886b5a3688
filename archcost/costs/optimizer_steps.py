"""What one step of an optimizer makes and drops, name by name of torch's own code (torch/optim)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from archcost.costs.optimizer_locals import Burst, Locals, Options, all_of, count_up, decay, groups
from archcost.passes.optimizer import Optimizer
from archcost.passes.run import OptimizerImpl
from archcost.tensors import TensorType
from archcost.terms.autograd import Device, Own

Play = Callable[[Sequence[TensorType], Device, Options], Iterable[Burst]]

Made = Callable[[Locals, Sequence[TensorType], Options], None]
"""What is made of parameters that are worked on together, when the name `grad` has their gradients, with decay or as
they came."""


def _one_by_one(made: Made) -> Play:
    def play(parameters: Sequence[TensorType], device: Device, options: Options) -> Iterable[Burst]:
        local = Locals()
        for index, parameter in enumerate(parameters):
            decay(local, options, [parameter])
            made(local, [parameter], options)
            yield local.burst(index)

    return play


def _by_dtype(made: Made, counts: bool = True) -> Play:
    """In lists; `counts` says that there is a number of steps."""

    def play(parameters: Sequence[TensorType], device: Device, options: Options) -> Iterable[Burst]:
        local = Locals()
        for group in groups(parameters):
            local.drop("grad")
            if counts:
                count_up(local, device)
            decay(local, options, group)
            made(local, group, options)
        yield local.burst(None)

    return play


def _sgd(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """`grad = grad.add(buf, alpha=momentum)`: Nesterov's, while the one with decay is there."""
    if "nesterov" in options:
        local.bind("grad", all_of("gradient looking ahead", alike))


def _sgd_in_place(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """Of lists Nesterov's is added to the gradients in place."""


def _divided_root(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """`denom = (exp_avg_sq.sqrt() / bias_correction2_sqrt).add_(eps)`: two, and the divisor of the one before."""
    divisors = all_of("divisor", alike)
    local.moment(*all_of("root of the second moment", alike), *divisors)
    local.bind("denom", divisors)


def _root(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """`exp_avg_sq_sqrt = torch._foreach_sqrt(device_exp_avg_sqs)`: of all of a dtype, and two dtypes together."""
    local.bind("exp_avg_sq_sqrt", all_of("root of the second moment", alike))


def _root_alone(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """Gradients with decay are deleted before."""
    local.drop("grad")
    _root(local, alike, options)


def _divisor(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """`avg = square_avg.sqrt()` of RMSprop, `std = state_sum.sqrt()` of Adagrad: one, and that of the one before."""
    local.bind("std", all_of("divisor", alike))


def _rectified(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """`bias_corrected_exp_avg * lr * _compute_adaptive_lr() * _compute_rect()`, where c / √v is a reciprocal and a
    product. So it is from the sixth step on; before, there is no second moment in it.
    """
    local.bind("bias_corrected_exp_avg", all_of("corrected first moment", alike))
    names = ("first moment times the rate", "root of the second moment", "its reciprocal", "adaptive rate")
    local.moment(*(own for name in names for own in all_of(name, alike)))


def _divisor_and_update(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """`std` and `delta` of Adadelta, both of which live on."""
    _divisor(local, alike, options)
    local.bind("delta", all_of("update", alike))


def _magnitudes(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """`grad.abs().add_(eps)` of Adamax, for a moment."""
    local.moment(*all_of("magnitudes", alike))


def _magnitudes_kept(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """Of lists they are in the name of the gradients, and with decay in their place."""
    if "weight_decay" not in options:
        local.bind("grad", all_of("magnitudes", alike))


def _divisor_and_numerator(local: Locals, alike: Sequence[TensorType], options: Options) -> None:
    """`numerator` of Adagrad's lists are the gradients with decay themselves, or a product; like `std` it lives on."""
    _divisor(local, alike, options)
    if "weight_decay" in options:
        local.rename("grad", "numerator")
    else:
        local.bind("numerator", all_of("gradient times the rate", alike))


def _rprop_loop(parameters: Sequence[TensorType], device: Device, options: Options) -> Iterable[Burst]:
    """`sign = grad.mul(prev).sign()`, masks of it, and a copy of the gradient with what comes of its sign."""
    local = Locals()
    for index, parameter in enumerate(parameters):
        local.drop("grad")
        sign = Own("sign", parameter)
        local.moment(Own("product with the gradient before", parameter), sign)
        local.bind("sign", [sign])
        masked = _masked(parameter)
        local.moment(*masked)
        local.bind("grad", all_of("gradient that is kept", [parameter]))
        local.moment(*masked)
        local.moment(Own("sign of the gradient", parameter))
        yield local.burst(index)


def _masked(parameter: TensorType) -> tuple[Own, ...]:
    """A mask, and the number that is written where it holds."""
    return Own("mask", parameter._replace(dtype="bool")), Own("number", TensorType((), "float64"))


def _zero(parameter: TensorType) -> TensorType:
    """What torch.where takes for a 0, beside a tensor of axes and beside a single value."""
    return parameter._replace(shape=()) if parameter.rank else TensorType((), "int64")


def _rprop_foreach(parameters: Sequence[TensorType], device: Device, options: Options) -> Iterable[Burst]:
    """Of `signs` the last one outlives them, as the variable of a loop; the signs of gradients come afterwards."""
    local = Locals()
    for group in groups(parameters):
        count_up(local, device)
        local.bind("signs", all_of("sign", group))
        local.drop("sign")
        for parameter in group:
            local.moment(*_masked(parameter))
        for parameter in group:
            mask, zero = _masked(parameter)[0], Own("zero", _zero(parameter))
            local.moment(mask, zero, Own("gradient that is kept", parameter))
        local.drop("signs")
        local.bind("sign", all_of("sign", group[-1:]))
        local.bind("grad_signs", all_of("sign of the gradient", group))
    yield local.burst(None)


def _muon(parameters: Sequence[TensorType], device: Device, options: Options, others: OptimizerImpl) -> Iterable[Burst]:
    """Torch's Muon over the matrices, then its AdamW over the rest.

    Newton and Schulz's iteration is in bfloat16: `gram_matrix` and `gram_update` are square, of the shorter side.
    """
    local = Locals()
    for index, parameter in enumerate(parameters):
        if parameter.rank == 2:
            _orthogonalize(local, parameter)
            yield local.burst(index)
    rest = [index for index, parameter in enumerate(parameters) if parameter.rank != 2]
    for burst in step_of("adamw", others, [parameters[index] for index in rest], device):
        yield burst if burst.parameter is None else burst._replace(parameter=rest[burst.parameter])


MUON_STEPS = 5


def _orthogonalize(local: Locals, parameter: TensorType) -> None:
    """The function's own names go when it returns; `update`, which it is given, is the caller's until then."""
    narrow = parameter._replace(dtype="bfloat16")
    shorter = min(parameter.shape)
    square = narrow._replace(shape=(shorter, shorter))
    local.bind("update", all_of("gradient looking ahead", [parameter]))
    if parameter.dtype != "bfloat16":  # else it is that very tensor
        local.bind("ortho_grad", all_of("update in bfloat16", [narrow]))
    scalar = narrow._replace(shape=())
    local.moment(Own("norm", scalar), Own("norm, at least ε", scalar))
    for _ in range(MUON_STEPS):
        local.bind("gram_matrix", all_of("Gram matrix", [square]))
        local.bind("gram_update", all_of("polynomial of the Gram matrix", [square]))
        local.bind("ortho_grad", all_of("update in bfloat16", [narrow]))
    local.drop("gram_matrix")
    local.drop("gram_update")
    local.rename("ortho_grad", "update")


def _adafactor_loop(parameters: Sequence[TensorType], device: Device, options: Options) -> Iterable[Burst]:
    """Names are torch's. All of them hold on into the next parameter, those of vectors and of matrices alike."""
    local = Locals()
    for index, parameter in enumerate(parameters):
        if parameter.rank > 1:
            local.bind("row_mean", [Own("mean square by rows", rows(parameter))])
            local.bind("col_mean", [Own("mean square by columns", columns(parameter))])
            local.bind("var_estimate", [Own("update", parameter)])
            local.moment(_row_factor_mean(parameter))
        else:
            local.bind("grad_squared", [Own("squared gradient", parameter)])
            local.bind("var_estimate", [Own("update", parameter)])
        local.rename("var_estimate", "update")
        local.moment(_norm(parameter))
        yield local.burst(index)


def _adafactor_foreach(parameters: Sequence[TensorType], device: Device, options: Options) -> Iterable[Burst]:
    """Matrices and vectors of one dtype are two groups; a group's updates live on while the next one's are made."""
    local = Locals()
    for group in groups(parameters):
        matrices = [parameter for parameter in group if parameter.rank > 1]
        vectors = [parameter for parameter in group if parameter.rank < 2]
        for alike in (matrices, vectors) if group[0].rank > 1 else (vectors, matrices):
            if alike:
                _adafactor_group(alike, local, device)
    yield local.burst(None)


def _adafactor_group(alike: Sequence[TensorType], local: Locals, device: Device) -> None:
    """Squared gradients and their means are dropped before the updates, which are no smaller, are made."""
    count_up(local, device)
    local.bind("var_estimates", [Own("update", parameter) for parameter in alike])
    if alike[0].rank > 1:
        local.moment(*[_row_factor_mean(parameter) for parameter in alike])
    local.rename("var_estimates", "updates")
    for parameter in alike:
        local.moment(_norm(parameter))


def _lion_loop(parameters: Sequence[TensorType], device: Device, options: Options) -> Iterable[Burst]:
    """`exp_avg.clone().mul_(beta1).add(grad, …)`: a copy and a sum, both gone when the function returns."""
    for index, parameter in enumerate(parameters):
        yield Burst(index, (Own("momentum's copy", parameter), Own("update", parameter)))


def _lion_foreach(parameters: Sequence[TensorType], device: Device, options: Options) -> Iterable[Burst]:
    """`updates = [t.clone() for t in exp_avgs]`, whatever their dtypes."""
    yield Burst(None, tuple([Own("update", parameter) for parameter in parameters]))


SGD, SGD_IN_LISTS = _one_by_one(_sgd), _by_dtype(_sgd_in_place, counts=False)
ADAM, ADAM_IN_LISTS = _one_by_one(_divided_root), _by_dtype(_root_alone)
BY_ROOT, BY_ROOT_IN_LISTS = _one_by_one(_divisor), _by_dtype(_root)

PLAYS: Mapping[tuple[Optimizer, OptimizerImpl], Play] = {
    ("sgd", "loop"): SGD,
    ("sgd", "foreach"): SGD_IN_LISTS,
    ("sgd-momentum", "loop"): SGD,
    ("sgd-momentum", "foreach"): SGD_IN_LISTS,
    ("adam", "loop"): ADAM,
    ("adam", "foreach"): ADAM_IN_LISTS,
    ("adamw", "loop"): ADAM,
    ("adamw", "foreach"): ADAM_IN_LISTS,
    ("nadam", "loop"): ADAM,
    ("nadam", "foreach"): BY_ROOT_IN_LISTS,
    ("radam", "loop"): _one_by_one(_rectified),
    ("radam", "foreach"): ADAM_IN_LISTS,
    ("rmsprop", "loop"): BY_ROOT,
    ("rmsprop", "foreach"): BY_ROOT_IN_LISTS,
    ("adagrad", "loop"): BY_ROOT,
    ("adagrad", "foreach"): _by_dtype(_divisor_and_numerator),
    ("adadelta", "loop"): _one_by_one(_divisor_and_update),
    ("adadelta", "foreach"): _by_dtype(_divisor_and_update),
    ("adamax", "loop"): _one_by_one(_magnitudes),
    ("adamax", "foreach"): _by_dtype(_magnitudes_kept),
    ("rprop", "loop"): _rprop_loop,
    ("rprop", "foreach"): _rprop_foreach,
    ("muon", "loop"): partial(_muon, others="loop"),
    ("muon", "foreach"): partial(_muon, others="foreach"),
    ("muon", "fused"): partial(_muon, others="fused"),
    ("lion", "loop"): _lion_loop,
    ("lion", "foreach"): _lion_foreach,
    ("adafactor", "loop"): _adafactor_loop,
    ("adafactor", "foreach"): _adafactor_foreach,
}


def step_of(
    name: Optimizer,
    impl: OptimizerImpl,
    parameters: Sequence[TensorType],
    device: Device,
    options: Options = frozenset(),
) -> tuple[Burst, ...]:
    """The temporaries of one step over these parameters, in their order; none where all is done in place.

    Those that gradients were computed for, that is: torch passes over the others. Decoupled weight decay is in place.
    """
    play = PLAYS.get((name, impl))
    bursts = tuple(play(parameters, device, options)) if play else ()
    return bursts if any(burst.tensors for burst in bursts) else ()


def rows(parameter: TensorType) -> TensorType:
    return parameter._replace(shape=(*parameter.shape[:-1], 1))


def columns(parameter: TensorType) -> TensorType:
    return parameter._replace(shape=(*parameter.shape[:-2], 1, parameter.shape[-1]))


def _row_factor_mean(parameter: TensorType) -> Own:
    return Own("mean of the row factor", parameter._replace(shape=(*parameter.shape[:-2], 1, 1)))


def _norm(parameter: TensorType) -> Own:
    return Own("norm", parameter._replace(shape=()))
