"""Results as text. `render` is the only door; every writer is a pure function.

How a result is shown is chosen by its type. Types are told by name, so that nothing is imported for those that are
not there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from archcost.errors import ArchcostError
from archcost.files.result import Result
from archcost.report.screen import ANYWHERE, Screen


def render(result: Result, format: str = "text", screen: Screen = ANYWHERE) -> str:
    """`format` is text, markdown, latex, html, csv or json; `screen` is where text is shown. Raises ArchcostError where
    a result has no such form.
    """
    if format == "json":
        import json

        return json.dumps(result.to_dict(), indent=2, ensure_ascii=False) + "\n"
    writers = _writers(result, screen)
    if format not in writers:
        raise ArchcostError(f"no format {format!r} here", expected=", ".join((*writers, "json")), found=format)
    return writers[format]()


def rows(result: Result) -> tuple[list[str], Sequence[Sequence[Any]]]:
    """The columns and rows that csv holds. Raises ArchcostError where a result has none."""
    for name in (kind.__name__ for kind in type(result).__mro__):
        if name in _DOCUMENTS or name in _TABLES:
            module = import_module(f"archcost.report.{_DOCUMENTS.get(name) or _TABLES[name]}")
            table = module.document(result).data if name in _DOCUMENTS else module.data(result)
            return [header or "quantity" for header in table.headers], table.rows
    raise ArchcostError("has no table", expected="to_dict()", found=type(result).__name__)


Writers = dict[str, Callable[[], str]]
"""The forms that a result can take, by name."""


def _writers(result: Result, screen: Screen) -> Writers:
    for kind in type(result).__mro__:
        if kind.__name__ in _DOCUMENTS:
            return _document_writers(result, _DOCUMENTS[kind.__name__], screen)
        if kind.__name__ in _OTHERS:
            return _OTHERS[kind.__name__](result, screen)
    raise ArchcostError(
        "cannot be shown", expected=f"one of {', '.join([*_DOCUMENTS, *_OTHERS])}", found=type(result).__name__
    )


def _document_writers(result: Any, module: str, screen: Screen) -> Writers:
    from archcost.report import text_writer, writers

    document = import_module(f"archcost.report.{module}").document(result)
    return {
        "text": lambda: text_writer.text(document, screen),
        "markdown": lambda: writers.markdown(document),
        "latex": lambda: writers.latex(document),
        "html": lambda: writers.html_fragment(document),
        "csv": lambda: writers.csv_rows(document),
    }


def _sweep_writers(sweep: Any, screen: Screen) -> Writers:
    from archcost.report.sweep import csv_rows

    return {**_document_writers(sweep, "sweep", screen), "csv": lambda: csv_rows(sweep)}


def _explanation_writers(explanation: Any, screen: Screen) -> Writers:
    from archcost.report import explain_text

    return {
        "text": lambda: explain_text.text(explanation, screen),
        "markdown": lambda: explain_text.markdown(explanation),
        "latex": lambda: explain_text.latex(explanation),
        "html": lambda: explain_text.html(explanation),
    }


def _guarded_writers(checked: Any, screen: Screen) -> Writers:
    from archcost.report import ci_formats, guarding

    return {
        "text": lambda: guarding.text(checked, screen),
        "markdown": lambda: guarding.markdown(checked),
        "html": lambda: guarding.html(checked),
        "junit": lambda: ci_formats.junit(checked),
        "github": lambda: ci_formats.github(checked),
    }


def _lint_writers(found: Any, screen: Screen) -> Writers:
    from archcost.report import lints, writers

    return {
        "text": lambda: lints.text(found, screen),
        "markdown": lambda: lints.markdown(found),
        "html": lambda: lints.html(found),
        "csv": lambda: writers.csv_table(lints.data(found)),
    }


def _spec_writers(shown: Any, _: Screen) -> Writers:
    from archcost.report import show

    return {
        "text": lambda: show.text(shown),
        "markdown": lambda: show.markdown(shown),
        "html": lambda: show.html(shown),
    }


def _model_spec_writers(spec: Any, screen: Screen) -> Writers:
    from archcost.spec.shown import show

    return _spec_writers(show(spec), screen)


_DOCUMENTS = {
    "ModelCost": "summary",
    "Folded": "summary",
    "ChosenLayers": "layer_columns",
    "Comparison": "compare",
    "Difference": "difference",
    "Listing": "listing",
    "Timeline": "timeline",
    "FoldedTimeline": "timeline",
    "Estimate": "estimate",
    "Fit": "fit",
    "Plan": "plan",
    "Serving": "serve",
    "StepTime": "times",
    "Checked": "hardware",
    "Devices": "hardware",
    "HardwareProfile": "hardware",
    "Verification": "verification",
    "Graded": "grading",
    "LayerType": "layer_types",
    "LayerTypes": "layer_types",
    "ModelGraph": "graph",
}
"""By type of result, the module of this package whose `document` is what is shown of it."""

_OTHERS: dict[str, Callable[[Any, Screen], Writers]] = {
    "Sweep": _sweep_writers,
    "Explanation": _explanation_writers,
    "Guarded": _guarded_writers,
    "Lints": _lint_writers,
    "Shown": _spec_writers,
    "ModelSpec": _model_spec_writers,
}
"""Types whose forms are not all those of a document."""

_TABLES = {"Explanation": "explain_text", "Shown": "show", "Guarded": "guarding", "Lints": "lints"}
"""Of these, the module whose `data` is their table."""
