"""Results as text. `render` is the only door; every writer is a pure function.

What a result's kind does not need is not imported: `archcost summary` is measured in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from archcost.costs import ModelCost
from archcost.errors import ArchcostError
from archcost.report import summary
from archcost.report.document import Document
from archcost.report.grouping import Folded

if TYPE_CHECKING:
    from archcost.report.explain import Explanation


class Result(Protocol):
    """What can be rendered: a cost, a comparison, an explanation, a timeline, an estimate, a fit, a plan, a device, or
    a check.
    """

    def to_dict(self) -> dict[str, Any]: ...


def render(result: Result, format: str = "text") -> str:
    """`format` is text, markdown, latex, html, csv or json. Raises ArchcostError where a result has no such form."""
    if format == "json":
        import json

        return json.dumps(result.to_dict(), indent=2, ensure_ascii=False) + "\n"
    writers = _writers(result)
    if format not in writers:
        raise ArchcostError(f"no format {format!r} here", expected=", ".join((*writers, "json")), found=format)
    return writers[format]()


Writers = dict[str, Callable[[], str]]


def _writers(result: Result) -> Writers:
    """The forms that a result can take, by name."""
    if isinstance(result, ModelCost):
        return _document_writers(summary.document(Folded(result, None)))
    if isinstance(result, Folded):
        return _document_writers(summary.document(result))

    from archcost.report.explain import Explanation

    if isinstance(result, Explanation):
        return _explanation_writers(result)

    from archcost.comparison.compare import Comparison, Listing

    if isinstance(result, (Comparison, Listing)):
        from archcost.report import compare, listing

        return _document_writers(
            compare.document(result) if isinstance(result, Comparison) else listing.document(result)
        )

    from archcost.costs.timeline import Timeline
    from archcost.report import timeline

    if isinstance(result, (Timeline, timeline.Folded)):
        shown = timeline.Folded(result, None) if isinstance(result, Timeline) else result
        return _document_writers(timeline.document(shown))

    from archcost.estimates import Estimate
    from archcost.report import estimate

    if isinstance(result, Estimate):
        return _document_writers(estimate.document(result))

    from archcost.planning import Fit, Plan
    from archcost.report import fit, plan

    if isinstance(result, (Fit, Plan)):
        return _document_writers(fit.document(result) if isinstance(result, Fit) else plan.document(result))

    from archcost.report import times
    from archcost.times import StepTime

    if isinstance(result, StepTime):
        return _document_writers(times.document(result))

    from archcost.hardware import Checked, Devices, HardwareProfile
    from archcost.report import hardware, verification

    if isinstance(result, (Checked, Devices, HardwareProfile)):
        return _document_writers(hardware.document(result))

    from archcost.sweeps.table import Sweep

    if isinstance(result, Sweep):
        from archcost.report import sweep

        return {**_document_writers(sweep.document(result)), "csv": lambda: sweep.csv_rows(result)}
    return _document_writers(verification.document(result.to_dict()))


def _document_writers(document: Document) -> Writers:
    from archcost.report import writers

    return {
        "text": lambda: writers.text(document),
        "markdown": lambda: writers.markdown(document),
        "latex": lambda: writers.latex(document),
        "html": lambda: writers.html_fragment(document),
        "csv": lambda: writers.csv_rows(document),
    }


def _explanation_writers(explanation: Explanation) -> Writers:
    from archcost.report import explain_text

    return {
        "text": lambda: explain_text.text(explanation),
        "markdown": lambda: explain_text.markdown(explanation),
        "latex": lambda: explain_text.latex(explanation),
    }
