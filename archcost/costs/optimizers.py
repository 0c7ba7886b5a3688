"""What an optimizer keeps for each parameter, and what one step of it needs besides.

Of torch 2.13 (torch/optim) all is measured on the CPU, and on CUDA as far as
fake tensors go (tests/pytorch/test_optimizers.py). The same Python runs there; what differs is that the step counter
lies on the device only when the form is fused, and that foreach wraps its 1.0 into a tensor of the CPU. Kernels'
own temporaries are not in here. lion is lion-pytorch 0.2.5 (Chen et al. 2023, arXiv 2302.06675): measured once on a
CPU, read for CUDA. States of few bits have a module of their own.

All with the libraries' defaults, in the steady state: the first step, which makes the state, is over.
"""

from __future__ import annotations

from collections.abc import Sequence

from archcost.costs.low_bit_states import MOMENTUM, TWO, low_bit, low_bit_state, step_on_cpu, tables
from archcost.costs.optimizer_locals import SCALAR, Burst
from archcost.costs.optimizer_steps import columns, rows, step_of
from archcost.errors import ArchcostError
from archcost.passes.optimizer import method
from archcost.passes.run import OptimizerImpl, Run
from archcost.tensors import DTYPE_BYTES, Tensors, TensorType
from archcost.terms.autograd import Device, Own


def forms(optimizer: str, device: Device) -> tuple[OptimizerImpl, ...]:
    """The forms in which an optimizer exists, the library's own choice first.

    On CUDA torch prefers lists (torch/optim/optimizer.py, `_default_to_fused_or_foreach`), but Adafactor does not ask
    and loops everywhere. Of lion-pytorch the loop is `Lion`, foreach `lion_pytorch.foreach`, fused its Triton kernel;
    bitsandbytes and torchao have one form, a kernel a parameter. Torch's Muon has one, too: of muon it is the form of
    the AdamW that has the parameters which are no matrices.
    """
    asked = method(optimizer)
    if low_bit(asked) is not None or "paged" in asked.options:
        return ("fused",)
    match asked.name:
        case "none":
            return ("loop",)
        case "adafactor":
            return ("loop", "foreach")
        case "rmsprop" | "nadam" | "radam" | "adadelta" | "adamax" | "rprop":
            return ("foreach", "loop") if device == "cuda" else ("loop", "foreach")
        case "lion":
            return ("loop", "foreach", "fused") if device == "cuda" else ("loop", "foreach")
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


def state(optimizer: str, parameter: TensorType, impl: OptimizerImpl, device: Device) -> tuple[Own, ...]:
    """What stays on the device from step to step for one parameter, in its dtype where nothing else is said.

    A step counter is a float32 scalar. Off the device it costs none of its memory and is left out: loop and foreach
    keep it on the CPU, fused keeps it beside the parameter. lion-pytorch has none; bitsandbytes' is no tensor.
    """
    name, options = asked = method(optimizer)
    if (kept := low_bit(asked)) is not None:
        return low_bit_state(kept, parameter, device)
    if "paged" in options:
        wide = parameter._replace(dtype="float32")
        return tuple([Own(moment, wide) for moment in (MOMENTUM if name == "lion" else TWO)])
    counter = (Own("step", SCALAR),) if device == "cpu" or impl == "fused" else ()
    moments = (Own("first moment", parameter), Own("second moment", parameter))
    match name:
        case "none" | "sgd":
            return ()
        case "sgd-momentum" | "lion":
            return (Own("momentum", parameter),)
        case "muon" if parameter.rank == 2:
            return (Own("momentum", parameter),)
        case "adam" | "adamw" if "amsgrad" in options:
            return (*counter, *moments, Own("largest second moment", parameter))
        case "adam" | "adamw" | "radam" | "muon":
            return (*counter, *moments)
        case "nadam":
            return (*counter, *(Own("product of momenta", SCALAR) for _ in counter), *moments)
        case "rmsprop":
            kept = (("momentum", "momentum"), ("centered", "mean gradient"))
            more = [Own(what, parameter) for option, what in kept if option in options]
            return (*counter, Own("second moment", parameter), *more)
        case "adagrad":
            return (*counter, Own("sum of squares", parameter))
        case "adadelta":
            return (*counter, Own("second moment", parameter), Own("squared updates", parameter))
        case "adamax":
            return (*counter, Own("first moment", parameter), Own("largest gradient", parameter))
        case "rprop":
            return (*counter, Own("gradient before", parameter), Own("step sizes", parameter))
        case "adafactor" if parameter.rank < 2:
            return (*counter, Own("second moment", parameter))
        case "adafactor":
            return (*counter, Own("row factor", rows(parameter)), Own("column factor", columns(parameter)))
        case _:
            raise AssertionError(f"{name} keeps its states in few bits")


def shared_state(optimizer: str, parameters: Sequence[TensorType]) -> tuple[Own, ...]:
    """What stays on the device once, for all parameters: the tables of 8-bit codes, if anything is quantised."""
    kept = low_bit(method(optimizer))
    return () if kept is None else tables(kept, parameters)


def step(optimizer: str, impl: OptimizerImpl, parameters: Sequence[TensorType], device: Device) -> tuple[Burst, ...]:
    """What `step_of` says of an optimizer in words."""
    name, options = asked = method(optimizer)
    if low_bit(asked) is not None or "paged" in options:
        return tuple(step_on_cpu(asked, parameters, device))
    return step_of(name, impl, parameters, device, options)


def clipping(gradients: Sequence[TensorType]) -> tuple[Own, ...]:
    """What clip_grad_norm_ has at its worst: a norm for each, these in one tensor, and the norm of that
    (torch/nn/utils/clip_grad.py). Gradients are scaled in place.
    """
    widest = max([gradient.dtype for gradient in gradients], key=lambda dtype: DTYPE_BYTES[dtype])
    norms = [Own("norm of a gradient", gradient._replace(shape=())) for gradient in gradients]
    return (*norms, Own("norms", TensorType((len(gradients),), widest)), Own("norm", TensorType((), widest)))


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
