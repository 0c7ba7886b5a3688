"""archcost: what does this neural network cost?

    spec = archcost.load("vgg_d")
    graph = archcost.build(spec, batch=32)
    print(archcost.cost(graph))

Names are imported when first used, so that `import archcost` costs nothing where little is needed (the pytest
plugin is imported by every run of pytest). `archcost.hardware` holds the profiles of devices; `archcost.pytorch` (the
witness) needs torch, everything else works without.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from archcost.errors import SpecError, Worded
from archcost.files.result import Result

if TYPE_CHECKING:
    from archcost import extend, hardware, layers, pytorch, testing
    from archcost.comparison.compare import compare
    from archcost.comparison.locks import lock
    from archcost.costs import ModelCost, cost
    from archcost.costs.timeline import Timeline, timeline
    from archcost.errors import ArchcostError
    from archcost.estimates import Estimate, estimate
    from archcost.exporters import to_onnx
    from archcost.graph import ModelGraph, build
    from archcost.graph.adapt import adapt
    from archcost.guarding.check import check
    from archcost.importers import from_onnx, from_torch
    from archcost.importers.networks import load, loads
    from archcost.layers.own import register_layer
    from archcost.lints import lint
    from archcost.page.document import Page, report_page
    from archcost.passes.run import Run
    from archcost.pictures import Picture, plot
    from archcost.planning import Fit, Plan, fit, plan
    from archcost.report.explain import explain
    from archcost.serving import Serving, serve
    from archcost.spec import ModelSpec
    from archcost.spec.overrides import with_sequence
    from archcost.sweeps import Sweep, sweep

__version__ = "0.2.0"

__all__ = [
    "ArchcostError",
    "Estimate",
    "Fit",
    "ModelCost",
    "ModelGraph",
    "ModelSpec",
    "Page",
    "Picture",
    "Plan",
    "Run",
    "Serving",
    "Sweep",
    "Timeline",
    "__version__",
    "adapt",
    "build",
    "check",
    "compare",
    "cost",
    "estimate",
    "explain",
    "extend",
    "fit",
    "from_onnx",
    "from_torch",
    "hardware",
    "layers",
    "lint",
    "load",
    "loads",
    "lock",
    "plan",
    "plot",
    "pytorch",
    "register_layer",
    "report_page",
    "serve",
    "sweep",
    "testing",
    "timeline",
    "to_onnx",
    "with_sequence",
]

_PARTS = ("extend", "hardware", "layers", "pytorch", "testing")
_HOMES = {
    "ArchcostError": "archcost.errors",
    "Estimate": "archcost.estimates",
    "Fit": "archcost.planning",
    "ModelCost": "archcost.costs",
    "ModelGraph": "archcost.graph",
    "ModelSpec": "archcost.spec",
    "Page": "archcost.page.document",
    "Picture": "archcost.pictures",
    "Plan": "archcost.planning",
    "Run": "archcost.passes.run",
    "Serving": "archcost.serving",
    "Sweep": "archcost.sweeps",
    "Timeline": "archcost.costs.timeline",
    "adapt": "archcost.graph.adapt",
    "build": "archcost.graph",
    "check": "archcost.guarding.check",
    "compare": "archcost.comparison.compare",
    "cost": "archcost.costs",
    "estimate": "archcost.estimates",
    "explain": "archcost.report.explain",
    "fit": "archcost.planning",
    "from_onnx": "archcost.importers",
    "from_torch": "archcost.importers",
    "lint": "archcost.lints",
    "load": "archcost.importers.networks",
    "loads": "archcost.importers.networks",
    "lock": "archcost.comparison.locks",
    "plan": "archcost.planning",
    "plot": "archcost.pictures",
    "register_layer": "archcost.layers.own",
    "report_page": "archcost.page.document",
    "serve": "archcost.serving",
    "sweep": "archcost.sweeps",
    "timeline": "archcost.costs.timeline",
    "to_onnx": "archcost.exporters",
    "with_sequence": "archcost.spec.overrides",
}


def _render(result: Any, format: str) -> str:
    from archcost.report import render

    return render(result, format)


def _word(report: Any, fields: Mapping[str, Any], kind: type) -> SpecError:
    from archcost.spec.mistakes import explain_call

    return explain_call(report, fields, kind)


def _rows(result: Any) -> Any:
    from archcost.report import rows

    return rows(result)


Result.shown_by = _render  # results know nothing of how they are shown
Result.tabled_by = _rows
Worded.by = _word  # nor layers of the words of a spec


def __getattr__(name: str) -> Any:
    if name in _PARTS:
        return import_module(f"archcost.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'archcost' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
