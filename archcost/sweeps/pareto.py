"""The rows of a table of costs that no other row beats."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def undominated(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows, in their order, of which no other row is as cheap in every column and cheaper in one.

    Rows of equal costs stand or fall together. Rows with a NaN are none of them.
    """
    known = np.flatnonzero(~np.isnan(costs).any(axis=1))
    distinct, members = np.unique(costs[known], axis=0, return_inverse=True)
    kept = _two(distinct) if costs.shape[1] <= 2 else _many(distinct)
    return known[kept[members.ravel()]]


def _two(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Undominated rows of two costs; rows are distinct and sorted, so the second cost must be lower than all before."""
    last = costs[:, -1]
    least_before = np.concatenate([[np.inf], np.minimum.accumulate(last)[:-1]]) if len(last) else last
    return last < least_before


def _many(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Undominated rows of several costs; rows are distinct and sorted, so only an earlier one can dominate."""
    left: NDArray[Any] = np.arange(len(costs))
    kept = np.zeros(len(costs), np.bool_)
    while len(left):
        best, left = left[0], left[1:]
        kept[best] = True
        left = left[(costs[left] < costs[best]).any(axis=1)]
    return kept
