"""Why peaks are further off than they may be, where it is known."""

from __future__ import annotations

EXPLAINED: dict[tuple[str, str], str] = {}
"""By collection and model, and where precisions differ with the precision behind the model."""


def explained(collection: str, model: str, precision: str) -> str:
    return EXPLAINED.get((collection, f"{model} ({precision})")) or EXPLAINED.get((collection, model), "")
