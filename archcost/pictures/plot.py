"""`plot`: a network and the kind of a picture → the picture. What it shows is what the other parts answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from archcost.errors import ArchcostError, nearest, shorten
from archcost.graph import ModelGraph, build
from archcost.graph.given import graph_of
from archcost.hardware.calibration import Calibration
from archcost.hardware.profile import HardwareProfile
from archcost.passes.run import Run
from archcost.pictures.picture import Kind, Picture, no_data, require_ending
from archcost.planning.money import Given
from archcost.spec.given import Network, spec_of
from archcost.spec.model import ModelSpec

if TYPE_CHECKING:
    from archcost.estimates import Estimate

KINDS: tuple[Kind, ...] = get_args(Kind)

Device = str | HardwareProfile

_STEP = frozenset(["batch", "hardware", "run"])
_TIMED = _STEP | {"engine", "calibration"}

USES: Mapping[Kind, frozenset[str]] = {
    "timeline": _STEP,
    "roofline": _TIMED,
    "layers": _TIMED | {"depth"},
    "volumes": frozenset(["depth"]),
    "graph": frozenset(["batch", "depth"]),
    "pareto": _TIMED | {"columns", "price"},
    "error": frozenset(),
}
"""What a picture depends on beside the network. Anything else is refused, since it would change nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a picture is asked of. `settings` are fields of a run; those of a sweep may have several values."""

    networks: tuple[Network | ModelGraph, ...]
    batch: Any = None
    hardware: tuple[Device, ...] = ()
    depth: int | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    engine: Any = None
    calibration: Calibration | None = None
    columns: tuple[str, ...] | None = None
    price: Given = None

    @property
    def run(self) -> Run:
        return Run(**self.settings)

    @property
    def graph(self) -> ModelGraph:
        network = self.networks[0]
        if isinstance(network, ModelGraph):
            return network
        return graph_of(network) if self.batch is None else build(network, self.batch)


def plot(
    network: Network | ModelGraph | Sequence[Network],
    kind: str,
    *,
    batch: Any = None,
    hardware: Device | Sequence[Device] | None = None,
    depth: int | None = None,
    run: Run | None = None,
    engine: Any = None,
    calibration: Calibration | None = None,
    columns: Sequence[str] | None = None,
    price: Given = None,
    output: str | Path | None = None,
    **settings: Any,
) -> Picture:
    """A picture of a network: `timeline`, `roofline`, `layers`, `volumes`, `graph`, `pareto` or `error`.

    It is drawn when somebody asks for its `figure`, saves it, or shows it in a notebook; with an `output` it is saved
    at once, in the format of the path's ending. What is chosen of a step is either a `run` or its fields; of `pareto`,
    whose axes are two `columns` of a sweep, batches, devices and fields may have several values. `error` takes several
    networks. Without `hardware` memory is that of a GPU, and there is no time. Raises ArchcostError for what is wrong
    in these, for what the kind shows nothing of, and where there is no data.
    """
    chosen = require_kind(kind)
    if output is not None:
        require_ending(output, chosen)
    given = {
        "batch": batch,
        "hardware": hardware,
        "depth": depth,
        "run": run or settings or None,
        "engine": engine,
        "calibration": calibration,
        "columns": columns,
        "price": price,
    }
    refuse_unused(chosen, [name for name, value in given.items() if value is not None])
    if run is not None and settings:
        raise ArchcostError("settings stand twice", expected="a run, or its fields", found="both")
    if isinstance(network, ModelGraph) and batch is not None:
        raise ArchcostError("a graph has its batch", expected="a graph, or a network and a batch", found="both")
    fields = settings if run is None else {name: getattr(run, name) for name in Run.__dataclass_fields__}
    asked = Asked(
        _networks(network),
        batch,
        _devices(hardware),
        depth,
        fields,
        engine,
        calibration,
        None if columns is None else tuple(columns),
        price,
    )
    made = picture(chosen, asked)
    if output is not None:
        made.save(output)
    return made


def require_kind(kind: str) -> Kind:
    for known in KINDS:
        if kind == known:
            return known
    raise ArchcostError(
        "no such kind of picture",
        expected=f"one of {', '.join(KINDS)}",
        found=shorten(kind),
        hint=nearest(str(kind), KINDS, count=1),
    )


def refuse_unused(kind: Kind, given: Sequence[str]) -> None:
    """Raises ArchcostError for what a picture of that kind shows nothing of."""
    unused = [name for name in given if name not in USES[kind]]
    if unused:
        raise ArchcostError(
            f"a picture of kind {kind} shows nothing of it",
            expected=f"nothing but {', '.join(sorted(USES[kind]))}" if USES[kind] else "the network alone",
            found=", ".join("settings of a run" if name == "run" else name for name in unused),
        )


def _networks(network: Network | ModelGraph | Sequence[Network]) -> tuple[Network | ModelGraph, ...]:
    return (network,) if isinstance(network, str | Path | ModelSpec | ModelGraph) else tuple(network)


def _devices(hardware: Any) -> tuple[Device, ...]:
    if hardware is None:
        return ()
    return (hardware,) if isinstance(hardware, str | HardwareProfile) else tuple(hardware)


def picture(kind: Kind, asked: Asked) -> Picture:
    """The picture of what was asked, which suits the kind. Raises ArchcostError."""
    if len(asked.networks) != 1 and not (kind == "error" and asked.networks):
        raise ArchcostError(
            f"a picture of kind {kind} is of one network",
            expected="one network",
            found=f"{len(asked.networks):,}",
            hint="archcost compare" if asked.networks else None,
        )
    return _MADE[kind](asked)


def _one_device(asked: Asked, kind: Kind) -> HardwareProfile | None:
    from archcost import hardware

    if len(asked.hardware) > 1:
        raise ArchcostError(
            f"a picture of kind {kind} is on one device", expected="one", found=f"{len(asked.hardware):,}"
        )
    return hardware.profile_of(asked.hardware[0]) if asked.hardware else None


def _timeline(asked: Asked) -> Picture:
    from archcost.costs.timeline import timeline
    from archcost.estimates.auto_recompute import line_on
    from archcost.pictures import timeline as drawing

    device = _one_device(asked, "timeline")
    if device is None:
        return drawing.picture(timeline(asked.graph, asked.run, "cuda"), None)
    line = line_on(asked.graph, asked.run, device)
    return drawing.picture(line, drawing.Capacity(device.name, device.memory.capacity))


def _roofline(asked: Asked) -> Picture:
    from archcost.pictures import roofline as drawing

    device = _one_device(asked, "roofline")
    if device is None:
        raise no_data("roofline", asked.graph.name, "a device", "a device by name or file", "archcost hardware list")
    return drawing.picture(_estimate(asked, asked.graph, device))


def _layers(asked: Asked) -> Picture:
    from archcost.costs import cost
    from archcost.costs.timeline import timeline
    from archcost.pictures import layers as drawing

    graph, device = asked.graph, _one_device(asked, "layers")
    if device is None:
        if asked.engine is not None or asked.calibration is not None:
            raise no_data("layers", graph.name, "a device, in whose time an engine counts", "a device")
        return drawing.picture(cost(graph), timeline(graph, asked.run, "cuda"), None, asked.depth)
    found = _estimate(asked, graph, device)
    return drawing.picture(cost(graph), found.line, found, asked.depth)


def _estimate(asked: Asked, graph: ModelGraph, device: HardwareProfile) -> Estimate:
    from archcost.estimates import estimate

    return estimate(
        graph.spec, graph.batch, hardware=device, run=asked.run, engine=asked.engine, calibration=asked.calibration
    )


def _volumes(asked: Asked) -> Picture:
    from archcost.pictures import volumes_drawing as drawing

    return drawing.picture(asked.graph.spec, asked.depth)


def _graph(asked: Asked) -> Picture:
    from archcost.costs import cost
    from archcost.pictures import graph as drawing

    return drawing.picture(cost(asked.graph), asked.depth)


def _pareto(asked: Asked) -> Picture:
    from archcost.pictures import pareto as drawing
    from archcost.sweeps import sweep

    network = asked.networks[0]
    spec = network.spec if isinstance(network, ModelGraph) else spec_of(network)
    if not asked.hardware:
        raise no_data("pareto", spec.label, "a device", "one or several devices", "archcost hardware list")
    found = sweep(
        spec,
        drawing.BATCHES if asked.batch is None else asked.batch,
        hardware=list(asked.hardware),
        engine=asked.engine,
        calibration=asked.calibration,
        price=asked.price,
        **asked.settings,
    )
    return drawing.picture(found, asked.columns)


def _error(asked: Asked) -> Picture:
    from archcost.costs import cost
    from archcost.pictures import error as drawing

    specs = [network.spec if isinstance(network, ModelGraph) else spec_of(network) for network in asked.networks]
    return drawing.picture([cost(build(spec)) for spec in specs])  # of one sample, whatever the batch


_MADE: Mapping[Kind, Callable[[Asked], Picture]] = {
    "timeline": _timeline,
    "roofline": _roofline,
    "layers": _layers,
    "volumes": _volumes,
    "graph": _graph,
    "pareto": _pareto,
    "error": _error,
}
