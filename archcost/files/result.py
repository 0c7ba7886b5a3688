"""What every result can do: give plain values, and show itself in several forms.

What these look like `archcost.report` knows, which stands on the results: the package gives them its `render`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from archcost.files.frames import frame_of


class Result:
    """Plain values by `to_dict()`, and text by `render`."""

    shown_by: ClassVar[Callable[[Any, str], str]]
    """(result, format) → text. The package sets it to `report.render`."""

    tabled_by: ClassVar[Callable[[Any], tuple[Sequence[str], Sequence[Sequence[Any]]]]]
    """Result → its columns and rows, as csv holds them. The package sets it to `report.rows`."""

    @property
    def headline(self) -> str:
        """Of what it is, and the answer, in a line."""
        raise NotImplementedError

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def render(self, format: str = "text") -> str:
        return type(self).shown_by(self, format)

    def to_json(self) -> str:
        return self.render("json")

    def to_markdown(self) -> str:
        return self.render("markdown")

    def to_frame(self) -> Any:
        """The rows that csv has as a pandas.DataFrame. Raises ArchcostError where pandas is not installed."""
        columns, rows = type(self).tabled_by(self)
        return frame_of(columns, rows)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.headline}>"

    def __str__(self) -> str:
        return self.render("text")

    def _repr_html_(self) -> str:
        return self.render("html")
