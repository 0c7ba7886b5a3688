"""How results show themselves: the one door from a result to `archcost.report`, opened when something is shown."""

from __future__ import annotations

from typing import Any


class Presentable:
    """A result with `to_dict()`, which `report` can render."""

    def to_dict(self) -> dict[str, Any]:
        raise NotImplementedError

    def render(self, format: str = "text") -> str:
        from archcost.report import render

        return render(self, format)

    def to_json(self) -> str:
        return self.render("json")

    def to_markdown(self) -> str:
        return self.render("markdown")

    def __str__(self) -> str:
        return self.render("text")

    def _repr_html_(self) -> str:
        return self.render("html")
