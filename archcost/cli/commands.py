"""What each command does: options → one library call → what is printed or written, and the exit code.

What a command does not need, it does not import.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from archcost.cli.options import changed_settings, changes_of, run_of
from archcost.errors import ArchcostError, CheckError

if TYPE_CHECKING:
    from archcost.costs import ModelCost
    from archcost.estimates import Estimate
    from archcost.files.result import Result
    from archcost.hardware.calibration import Calibration
    from archcost.passes.run import Run
    from archcost.spec import ModelSpec


def one_device_each(argv: Sequence[str]) -> list[str]:
    """`--hardware A B` as `--hardware A --hardware B`: a name of a device that follows a device is one more."""
    apart: list[str] = []
    for word in argv:
        if len(apart) > 1 and apart[-2] == "--hardware" and not word.startswith("-"):
            from archcost.hardware import names

            apart += ["--hardware"] * (word in names())
        apart.append(word)
    return apart


def spec_of(network: str, options: argparse.Namespace) -> ModelSpec:
    from archcost.importers.networks import load

    spec = load(network, options.settings, options.inputs, options.args, changes_of(options), options.sequence)
    loss = getattr(options, "loss", None)
    if loss is None:
        return spec
    from archcost.spec.overrides import set_loss

    return set_loss(spec, loss)


def _cost(network: str, options: argparse.Namespace) -> ModelCost:
    return _known(_cost_of(spec_of(network, options), options), options)


def _cost_of(spec: ModelSpec, options: argparse.Namespace) -> ModelCost:
    from archcost.costs import cost
    from archcost.graph import build

    return cost(build(spec, options.batch or 1))


def _known(found: ModelCost, options: argparse.Namespace) -> ModelCost:
    """Under --strict nothing may be unknown."""
    if options.strict and found.unknown:
        layers = f"{len(found.unknown):,} layer" + "s" * (len(found.unknown) > 1)
        problem = f"{found.network}: the operations of {layers} are not known"
        raise CheckError(problem, found=", ".join(found.unknown))
    return found


def rendered(result: Result, options: argparse.Namespace) -> str:
    from archcost.report import render

    return render(result, options.format)


def summarize(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.report.grouping import Folded

    timed = _timed(options) if options.time else None
    if timed is None and (given := [*_changed_engine(options), *changed_settings(run_of(options))]):
        raise ArchcostError("no step is timed", expected="--time with settings of one", found=", ".join(given))
    return rendered(Folded(_cost(options.network, options), options.depth, timed), options), 0


def _timed(options: argparse.Namespace) -> Estimate:
    """A step on the device of the options; under --strict no time may be unknown."""
    found = _estimated(options)
    _refuse_stretched(found.chosen.differs, options)
    unknown = [name for name in found.unknown if name.startswith("time.")]
    if options.strict and unknown:
        raise CheckError(f"{found.network} on {found.hardware.name}: not all is known", found=", ".join(unknown))
    return found


def _changed_engine(options: argparse.Namespace) -> list[str]:
    return [
        f"--{name}"
        for name in ("hardware", "engine", "calibration", "threads", "loss")
        if getattr(options, name) is not None
    ]


def explain(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.report.explain import explain

    return rendered(explain(_cost(options.network, options), options.layer), options), 0


def compare(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison.compare import compare
    from archcost.importers.networks import is_callable

    networks = (options.network, *options.networks)
    called = set(filter(is_callable, networks))
    # --args are for the callables: beside one, another network has none
    without_args = argparse.Namespace(**{**vars(options), "args": None}) if called else options
    costs = [_cost(network, options if network in called else without_args) for network in networks]
    return rendered(compare(costs), options), 0


def estimate(options: argparse.Namespace) -> tuple[str, int]:
    result = _estimated(options)
    _refuse_stretched(result.chosen.differs, options)
    if options.strict and result.unknown:
        raise CheckError(
            f"{result.network} on {result.hardware.name}: not all is known", found=", ".join(result.unknown)
        )
    return rendered(result, options), 0 if result.fits else 1


def _estimated(options: argparse.Namespace) -> Estimate:
    if options.hardware is None:
        raise ArchcostError(
            "no device to estimate for", expected="--hardware with a name or a file", hint="archcost hardware list"
        )
    from archcost.estimates import estimate

    return estimate(
        spec_of(options.network, options),
        options.batch,
        hardware=options.hardware,
        run=run_of(options),
        engine=options.engine,
        calibration=_calibration(options),
        threads=options.threads,
    )


def _calibration(options: argparse.Namespace) -> Calibration | None:
    from archcost.hardware import calibration

    return calibration.read(Path(options.calibration)) if options.calibration else None


def _refuse_stretched(differs: tuple[str, ...], options: argparse.Namespace) -> None:
    """Under --strict no time rests on a calibration of something else."""
    if options.strict and differs:
        raise ArchcostError(
            "the calibration is of something else",
            expected="one of the device, release and threads that the step will have",
            found=f"one {', '.join(differs)}",
            hint="archcost hardware calibrate, or without --strict with a wider band",
        )


def timeline(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.costs.timeline import timeline
    from archcost.estimates.devices import offloading
    from archcost.graph import build
    from archcost.report.timeline import FoldedTimeline

    if options.strict:
        _cost(options.network, options)
    graph = build(spec_of(options.network, options), options.batch)
    if options.hardware is None:
        line = timeline(graph, offloading(run_of(options), options.device), options.device)
    else:
        from archcost import hardware
        from archcost.estimates.auto_recompute import line_on

        line = line_on(graph, run_of(options), hardware.load(options.hardware))
    return rendered(FoldedTimeline(line, options.depth), options), 0


def fit(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.planning import fit

    spec = spec_of(options.network, options)
    if options.strict:
        _cost(options.network, options)
    result = fit(
        spec,
        options.batch,
        hardware=options.hardware,
        vary=options.vary,
        run=run_of(options),
        engine=options.engine,
        calibration=_calibration(options),
        at_length=_at_length(options) if spec.sequence_parameter is None else None,
    )
    if options.strict and result.unknown:
        raise CheckError(f"{result.network}: not all is known", found=", ".join(result.unknown))
    _refuse_stretched(result.differs, options)
    return rendered(result, options), 0 if result.fits else 1


def _at_length(options: argparse.Namespace) -> Callable[[int], ModelSpec] | None:
    """The network, imported again with a sequence of a length; None for a spec, whose sizes are its own."""
    from archcost.importers.networks import is_callable

    if not is_callable(options.network) and not options.network.endswith(".onnx"):
        return None
    return lambda length: spec_of(options.network, argparse.Namespace(**{**vars(options), "sequence": length}))


def plan(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.planning import plan
    from archcost.planning.money import per_device

    spec = spec_of(options.network, options)
    if options.strict:
        _cost(options.network, options)
    result = plan(
        spec,
        options.batch,
        hardware=options.hardware,
        dataset_size=options.dataset_size,
        epochs=options.epochs,
        tokens=options.tokens,
        count=options.count,
        price=per_device(options.price),
        power=per_device(options.power),
        carbon=options.carbon,
        keep=options.keep,
        order=options.order,
        run=run_of(options),
        engine=options.engine,
        calibration=_calibration(options),
    )
    if options.strict and result.unknown:
        raise CheckError(f"{result.network}: not all is known", found=", ".join(result.unknown))
    _refuse_stretched(result.differs, options)
    return rendered(result, options), 0 if result.runs else 1


def serve(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.serving.serve import WEIGHTS, serve

    if options.hardware is None:
        raise ArchcostError("no device to serve on", expected="--hardware with a name or a file")
    dtypes = [word for word in options.weights if word in WEIGHTS]  # of all, which are no formats of few bits
    if dtypes and (len(options.weights) > 1 or options.precision):
        raise ArchcostError("the dtype of all weights stands twice", expected="one", found=", ".join(options.weights))
    options.weights = [word for word in options.weights if word not in WEIGHTS]
    result = serve(
        spec_of(options.network, options),
        hardware=options.hardware,
        prompt=options.prompt,
        new=options.new,
        concurrency=options.concurrency,
        precision=options.precision or (dtypes[-1] if dtypes else None),
        cache=options.cache,
        chunk=options.chunk,
        latent=options.latent,
        remade=_remade(options),
        engine=options.engine,
        calibration=_calibration(options),
    )
    if options.strict and result.unknown:
        raise CheckError(f"{result.network}: not all is known", found=", ".join(result.unknown))
    return rendered(result, options), 0 if result.fits else 1


def _remade(options: argparse.Namespace) -> Callable[[int], ModelSpec] | None:
    """Of a module that is made for one input of tokens: the same for another number of them."""
    from archcost.importers.networks import is_callable

    if not is_callable(options.network) or len(options.inputs) != 1:
        return None
    size, colon, rest = options.inputs[0].rpartition("=")[2].partition(":")
    if not size.isdigit():
        return None

    def made(tokens: int) -> ModelSpec:
        return spec_of(options.network, argparse.Namespace(**{**vars(options), "inputs": [f"{tokens}{colon}{rest}"]}))

    return made


def sweep(options: argparse.Namespace) -> tuple[str, int]:
    from itertools import chain

    from archcost.passes.run import Run
    from archcost.planning.money import per_device
    from archcost.sweeps import sweep

    if not options.hardware:
        raise ArchcostError("no device to sweep over", expected="--hardware, a name or a file, once per device")
    asked = {name: getattr(options, name) for name in Run.__dataclass_fields__}
    result = sweep(
        spec_of(options.network, options),
        list(chain.from_iterable(options.batch or [(1,)])),
        hardware=options.hardware,
        engine=options.engine,
        calibration=_calibration(options),
        allocator=options.allocator,
        price=per_device(options.price) or None,
        **{name: value for name, value in asked.items() if value is not None},
    )
    if options.strict and result.unknown:
        raise CheckError(f"{result.network}: not all is known", found=", ".join(result.unknown))
    _refuse_stretched(result.differs, options)
    shown = result.where(result["verdict"] == "fits") if options.fitting else result
    if options.pareto:
        shown = shown.pareto(*options.pareto.split(","))
    return rendered(shown, options), 0 if result.fits else 1


def verify(options: argparse.Namespace) -> tuple[str, int]:
    given = run_of(options)
    if not options.measure and (changed := changed_settings(given)):
        raise ArchcostError("no step is run", expected="--measure with settings of one", found=", ".join(changed))
    if not options.measure and options.calibration:
        raise ArchcostError("no step is timed", expected="--measure beside --calibration", found="no --measure")
    from archcost.importers.networks import is_callable

    run = given if options.measure else None
    if is_callable(options.network) and not any(changes_of(options)):
        return _verify_callable(options, run)
    spec = spec_of(options.network, options)
    if options.strict:
        _cost(options.network, options)
    from archcost import pytorch

    known = _calibration(options)
    result = pytorch.verify(spec, device=options.device, batch=options.batch, run=run, calibration=known)
    return rendered(result, options), 0 if result.ok else 1


def _verify_callable(options: argparse.Namespace, run: Run | None) -> tuple[str, int]:
    """The module itself beside its spec."""
    from archcost.importers.python_callable import call, printing_to_stderr
    from archcost.spec.overrides import override, set_loss

    called = call(options.network, options.args, options.inputs, options.sequence)
    spec = override(called.spec, options.settings)
    spec = spec if options.loss is None else set_loss(spec, options.loss)
    if options.strict:
        _known(_cost_of(spec, options), options)
    from archcost.pytorch.crosscheck_module import check_module
    from archcost.pytorch.user_module import Subject

    subject = Subject(called.module, called.given, called.named, called.make)
    with printing_to_stderr():
        result = check_module(spec, subject, options.device, options.batch, run, _calibration(options))
    return rendered(result, options), 0 if result.ok else 1


def lock(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison.locks import Section, ordered, section, write
    from archcost.comparison.recipe import Recipe, args_text

    folder = Path(options.output).parent if options.output else Path()
    settings, inputs = tuple(options.settings), tuple(options.inputs)
    args = args_text(options.args)
    changes, sequence = changes_of(options), options.sequence
    sections: list[Section] = []
    for network in dict.fromkeys(options.networks):
        recipe = Recipe(network, options.batch, settings, inputs, args, changes=changes, sequence=sequence)
        sections.append(section(recipe.seen_from(folder), _cost(network, options)))
    return write(ordered(sections)), 0


def check(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.comparison import locks

    outcomes = locks.check(Path(options.file))
    return locks.report(outcomes), 1 if any(outcome.changes for outcome in outcomes) else 0


def export(options: argparse.Namespace) -> tuple[bytes, int]:
    if options.output is None:
        raise ArchcostError("no file to write to", expected="-o FILE.onnx", hint="archcost export NETWORK -o FILE.onnx")
    if options.strict:
        _cost(options.network, options)
    from archcost.exporters import onnx_bytes

    return onnx_bytes(spec_of(options.network, options), options.batch), 0


def import_network(options: argparse.Namespace) -> tuple[str, int]:
    from archcost.costs import cost
    from archcost.graph import build

    spec = spec_of(options.network, options)
    _known(cost(build(spec, options.batch)), options)  # what cannot be built is not written
    if not (options.output or "").endswith(".json"):
        return spec.to_yaml(), 0
    from archcost.cli.outputs import spec_json

    return spec_json(spec.to_dict()), 0
