"""The networks that are compared, all of them."""

from __future__ import annotations

from tests.large_programs import expert_rows, image_rows, state_rows

ROWS = (*expert_rows.ROWS, *state_rows.ROWS, *image_rows.ROWS)
