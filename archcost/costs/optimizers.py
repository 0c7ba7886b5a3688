"""What an optimizer keeps for each parameter, and what one step of it needs besides.

Of torch 2.13 (torch/optim: sgd.py, adam.py, adamw.py, _adafactor.py) all is measured on the CPU, and on CUDA as far as
fake tensors go (tests/pytorch/test_optimizers.py). The same Python runs there; what differs is that the step counter
lies on the device only when the form is fused, and that foreach wraps its 1.0 into a tensor of the CPU. Kernels'
own temporaries are not in here. lion is lion-pytorch 0.2.5 (Chen et al. 2023, arXiv 2302.06675), adamw-8bit is
bitsandbytes 0.50 (Dettmers et al. 2021, arXiv 2110.02861): measured once on a CPU, read for CUDA.

All with the libraries' defaults, in the steady state: the first step, which makes the state, is over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from archcost.errors import ArchcostError
from archcost.passes.run import Optimizer, OptimizerImpl, Run
from archcost.tensors import Tensors, TensorType
from archcost.terms.autograd import Device, Own

BLOCK = 256
"""Values that share a scale under 8-bit states (bitsandbytes/optim/optimizer.py, `Optimizer2State.init_state`)."""

LEAST_QUANTISED = 4096
"""A parameter with fewer values keeps its states in 32 bits (`min_8bit_size`, ibid.)."""


class Burst(NamedTuple):
    """Tensors alive together at the worst moment of a part of a step, beyond weights, gradients and state.

    The part is the update of the parameter of that index, or, when `parameter` is None, of all at once.
    """

    parameter: int | None
    tensors: tuple[Own, ...]

    @property
    def nbytes(self) -> int:
        return sum([own.tensor.nbytes for own in self.tensors])


def forms(optimizer: Optimizer, device: Device) -> tuple[OptimizerImpl, ...]:
    """The forms in which an optimizer exists, the library's own choice first.

    On CUDA torch prefers lists (torch/optim/optimizer.py, `_default_to_fused_or_foreach`), but Adafactor does not ask
    and loops everywhere. Of lion-pytorch the loop is `Lion`, foreach `lion_pytorch.foreach`, fused its Triton kernel;
    bitsandbytes has one form, a kernel a parameter.
    """
    match optimizer:
        case "none":
            return ("loop",)
        case "adafactor":
            return ("loop", "foreach")
        case "lion":
            return ("loop", "foreach", "fused") if device == "cuda" else ("loop", "foreach")
        case "adamw-8bit":
            return ("fused",)
        case _:
            return ("foreach", "loop", "fused") if device == "cuda" else ("loop", "foreach", "fused")


def implementation(run: Run, device: Device) -> OptimizerImpl:
    """The form in which the run's optimizer works. Raises ArchcostError when it has no such form there."""
    known = forms(run.optimizer, device)
    if run.optimizer_impl is None:
        return known[0]
    if run.optimizer_impl not in known:
        raise ArchcostError(
            f"{run.optimizer} has no such implementation on {device}",
            expected=", ".join(known),
            found=run.optimizer_impl,
        )
    return run.optimizer_impl


def state(optimizer: Optimizer, parameter: TensorType, impl: OptimizerImpl, device: Device) -> tuple[Own, ...]:
    """What stays on the device from step to step for one parameter, in its dtype where nothing else is said.

    A step counter is a float32 scalar. Off the device it costs none of its memory and is left out: loop and foreach
    keep it on the CPU, fused keeps it beside the parameter. lion-pytorch has none; bitsandbytes' is no tensor.
    """
    counter = (Own("step", SCALAR),) if device == "cpu" or impl == "fused" else ()
    match optimizer:
        case "none" | "sgd":
            return ()
        case "sgd-momentum" | "lion":
            return (Own("momentum", parameter),)
        case "adam" | "adamw":
            return (*counter, Own("first moment", parameter), Own("second moment", parameter))
        case "adafactor" if parameter.rank < 2:
            return (*counter, Own("second moment", parameter))
        case "adafactor":
            return (*counter, Own("row factor", _rows(parameter)), Own("column factor", _columns(parameter)))
        case "adamw-8bit" if parameter.numel < LEAST_QUANTISED:
            wide = parameter._replace(dtype="float32")
            return Own("first moment", wide), Own("second moment", wide)
        case "adamw-8bit":
            codes = parameter._replace(dtype="uint8")
            scales = TensorType((-(-parameter.numel // BLOCK),))
            return (
                Own("first moment", codes),
                Own("second moment", codes),
                Own("scales of the first moment", scales),
                Own("scales of the second moment", scales),
            )


def shared_state(optimizer: Optimizer, parameters: Sequence[TensorType]) -> tuple[Own, ...]:
    """What stays on the device once, for all parameters: the two tables of 8-bit codes, if anything is quantised."""
    if optimizer != "adamw-8bit" or all(parameter.numel < LEAST_QUANTISED for parameter in parameters):
        return ()
    table = TensorType((256,))
    return Own("codes of the first moment", table), Own("codes of the second moment", table)


def operations(optimizer: Optimizer, parameter: TensorType) -> int:
    """Arithmetic operations of one step for one parameter, by the convention of docs/conventions.md: every addition,
    product, division, comparison, root or sign a value; what is done once for a tensor or a row is not counted.

    - sgd: p - lr·g, 2. Momentum: b = μ·b + g, p - lr·b, 4.
    - adam: m + (1 - β1)·(g - m), 3; β2·v + (1 - β2)·g·g, 4; p - α·m / (√v / c + ε), 6. In all 13. adamw: one product
      more, p·(1 - lr·λ).
    - adafactor: ‖p‖ 2; ‖update‖ 2; its limit, inverse root and product with g 3; p + α·update 2. A matrix adds g² by
      rows and by columns 4, the outer product and its division 2, in all 15; a vector g² 1, its average 3, in all 13.
    - lion: β1·m + (1 - β1)·g and its sign 4; p·(1 - lr·λ) 1; p - lr·update 2; β2·m + (1 - β2)·g 3. In all 10.
    - adamw-8bit (bitsandbytes' CUDA kernel): m and v 7; p + α·m / (√v + ε) 5; decay 1: 13. A quantised moment adds the
      product with its scale 1, its magnitude and the block's maximum 2, the division by it 1, and the search of the
      nearest code 11 (8 comparisons, the midpoint 2, a comparison): 15 a moment, in all 43.
    """
    match optimizer:
        case "none":
            each = 0
        case "sgd":
            each = 2
        case "sgd-momentum":
            each = 4
        case "adam":
            each = 13
        case "adamw":
            each = 14
        case "adafactor":
            each = 15 if parameter.rank > 1 else 13
        case "lion":
            each = 10
        case "adamw-8bit":
            each = 13 if parameter.numel < LEAST_QUANTISED else 43
    return each * parameter.numel


SCALAR = TensorType(())


def step(
    optimizer: Optimizer, impl: OptimizerImpl, parameters: Sequence[TensorType], device: Device
) -> tuple[Burst, ...]:
    """The temporaries of one step over these parameters, in their order; none where all is done in place.

    Those that gradients were computed for, that is: torch passes over the others. Decoupled weight decay is in place.
    """
    play = PLAYS.get((optimizer, impl))
    return tuple(play(parameters, device)) if play else ()


class _Locals:
    """The local variables of a step, which hold its temporaries.

    A name that is bound again lets go of its old tensors only when the new ones are there; one that is never
    dropped holds its tensors while the next parameter, or group of parameters, is worked on.
    """

    def __init__(self) -> None:
        self.bound: dict[str, tuple[Own, ...]] = {}
        self.worst: tuple[Own, ...] = ()
        self.most = 0
        self.live = 0

    def moment(self, *passing: Own) -> None:
        """These live for a moment beside what is bound."""
        nbytes = self.live + _nbytes(passing)
        if nbytes > self.most:
            self.most = nbytes
            self.worst = (*(own for held in self.bound.values() for own in held), *passing)

    def bind(self, name: str, tensors: Iterable[Own]) -> None:
        new = tuple(tensors)
        self.moment(*new)
        self.drop(name)
        self.bound[name] = new
        self.live += _nbytes(new)

    def drop(self, name: str) -> None:
        self.live -= _nbytes(self.bound.pop(name, ()))

    def rename(self, name: str, new: str) -> None:
        """What `new` held goes."""
        self.drop(new)
        self.bound[new] = self.bound.pop(name)

    def burst(self, parameter: int | None) -> Burst:
        """The worst since the burst before."""
        worst, self.worst, self.most = self.worst, (), 0
        return Burst(parameter, worst)


def _nbytes(tensors: Iterable[Own]) -> int:
    return sum([own.tensor.nbytes for own in tensors])


def _groups(parameters: Sequence[TensorType]) -> list[list[TensorType]]:
    """The parameters by dtype, as foreach processes them, the dtype seen last first.

    That is the order of libstdc++'s unordered_map, which torch collects them in (aten/src/ATen/native/ForeachUtils.h);
    it matters only where there are several.
    """
    groups: dict[str, list[TensorType]] = {}
    for parameter in parameters:
        groups.setdefault(parameter.dtype, []).append(parameter)
    return list(reversed(groups.values()))


def _adam_loop(parameters: Sequence[TensorType], device: Device) -> Iterable[Burst]:
    """`denom = (exp_avg_sq.sqrt() / bias_correction2_sqrt).add_(eps)`: two, and the divisor of the one before."""
    local = _Locals()
    for index, parameter in enumerate(parameters):
        divisor = Own("divisor", parameter)
        local.moment(Own("root of the second moment", parameter), divisor)
        local.bind("denom", [divisor])
        yield local.burst(index)


def _adam_foreach(parameters: Sequence[TensorType], device: Device) -> Iterable[Burst]:
    """`exp_avg_sq_sqrt = torch._foreach_sqrt(device_exp_avg_sqs)`: one of all, dtype by dtype, two dtypes together."""
    local = _Locals()
    for group in _groups(parameters):
        _count_up(local, device)
        local.bind("exp_avg_sq_sqrt", [Own("root of the second moment", parameter) for parameter in group])
    yield local.burst(None)


def _adafactor_loop(parameters: Sequence[TensorType], device: Device) -> Iterable[Burst]:
    """Names are torch's. All of them hold on into the next parameter, those of vectors and of matrices alike."""
    local = _Locals()
    for index, parameter in enumerate(parameters):
        if parameter.rank > 1:
            local.bind("row_mean", [Own("mean square by rows", _rows(parameter))])
            local.bind("col_mean", [Own("mean square by columns", _columns(parameter))])
            local.bind("var_estimate", [Own("update", parameter)])
            local.moment(_row_factor_mean(parameter))
        else:
            local.bind("grad_squared", [Own("squared gradient", parameter)])
            local.bind("var_estimate", [Own("update", parameter)])
        local.rename("var_estimate", "update")
        local.moment(_norm(parameter))
        yield local.burst(index)


def _adafactor_foreach(parameters: Sequence[TensorType], device: Device) -> Iterable[Burst]:
    """Matrices and vectors of one dtype are two groups; a group's updates live on while the next one's are made."""
    local = _Locals()
    for group in _groups(parameters):
        matrices = [parameter for parameter in group if parameter.rank > 1]
        vectors = [parameter for parameter in group if parameter.rank < 2]
        for alike in (matrices, vectors) if group[0].rank > 1 else (vectors, matrices):
            if alike:
                _adafactor_group(alike, local, device)
    yield local.burst(None)


def _adafactor_group(alike: Sequence[TensorType], local: _Locals, device: Device) -> None:
    """Squared gradients and their means are dropped before the updates, which are no smaller, are made."""
    _count_up(local, device)
    local.bind("var_estimates", [Own("update", parameter) for parameter in alike])
    if alike[0].rank > 1:
        local.moment(*[_row_factor_mean(parameter) for parameter in alike])
    local.rename("var_estimates", "updates")
    for parameter in alike:
        local.moment(_norm(parameter))


def _lion_loop(parameters: Sequence[TensorType], device: Device) -> Iterable[Burst]:
    """`exp_avg.clone().mul_(beta1).add(grad, …)`: a copy and a sum, both gone when the function returns."""
    for index, parameter in enumerate(parameters):
        yield Burst(index, (Own("momentum's copy", parameter), Own("update", parameter)))


def _lion_foreach(parameters: Sequence[TensorType], device: Device) -> Iterable[Burst]:
    """`updates = [t.clone() for t in exp_avgs]`, whatever their dtypes."""
    yield Burst(None, tuple([Own("update", parameter) for parameter in parameters]))


def _eight_bit(parameters: Sequence[TensorType], device: Device) -> Iterable[Burst]:
    """Nothing on CUDA, where a kernel does it all. On a CPU (bitsandbytes/backends/cpu/ops.py) float32 copies, which
    a dispatch mode does not see, since they are made inside one operator; the profiler's memory events do.
    """
    if device == "cuda":
        return
    for index, parameter in enumerate(parameters):
        wide = parameter._replace(dtype="float32")
        names = ["gradient in float32", "divisor"]
        if parameter.dtype != "float32":
            names.append("weight in float32")
        if parameter.numel < LEAST_QUANTISED:
            names.append("update")
        else:
            names += ["first moment in float32", "second moment in float32", "root of the second moment"]
        yield Burst(index, tuple([Own(name, wide) for name in names]))


def _count_up(local: _Locals, device: Device) -> None:
    if device == "cpu":
        local.moment(Own("one", SCALAR))


PLAYS: dict[tuple[Optimizer, OptimizerImpl], Callable[[Sequence[TensorType], Device], Iterable[Burst]]] = {
    ("adam", "loop"): _adam_loop,
    ("adamw", "loop"): _adam_loop,
    ("adam", "foreach"): _adam_foreach,
    ("adamw", "foreach"): _adam_foreach,
    ("lion", "loop"): _lion_loop,
    ("lion", "foreach"): _lion_foreach,
    ("adamw-8bit", "fused"): _eight_bit,
    ("adafactor", "loop"): _adafactor_loop,
    ("adafactor", "foreach"): _adafactor_foreach,
}


def _rows(parameter: TensorType) -> TensorType:
    return parameter._replace(shape=(*parameter.shape[:-1], 1))


def _columns(parameter: TensorType) -> TensorType:
    return parameter._replace(shape=(*parameter.shape[:-2], 1, parameter.shape[-1]))


def _row_factor_mean(parameter: TensorType) -> Own:
    return Own("mean of the row factor", parameter._replace(shape=(*parameter.shape[:-2], 1, 1)))


def _norm(parameter: TensorType) -> Own:
    return Own("norm", parameter._replace(shape=()))


def optimized(parameters: Sequence[TensorType], run: Run) -> Tensors:
    """The tensors that the optimizer works on: the parameters, or float32 copies of them under master weights."""
    if not run.master_weights:
        return tuple(parameters)
    return tuple([parameter._replace(dtype="float32") for parameter in parameters])


def master_weights(parameters: Sequence[TensorType], run: Run) -> tuple[Own, ...]:
    """The float32 copy of each parameter that is kept from step to step; none without master weights."""
    return tuple([Own("master weight", copy) for copy in optimized(parameters, run)]) if run.master_weights else ()


def master_gradients(parameters: Sequence[TensorType], run: Run) -> tuple[Own, ...]:
    """One for each parameter, cast before a step and alive until its end; none without master weights.

    `master.grad = parameter.grad.float()` for each, one after the other, beside the gradients that are cast. What the
    step makes lies on top of all of them.
    """
    return tuple([Own("master gradient", copy) for copy in optimized(parameters, run)]) if run.master_weights else ()
