"""Work that Python's garbage collector would only be in the way of."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def without_collections() -> Generator[None]:
    """Without the collector: a tensor goes at the moment when its last reference goes, and no time is lost with
    searches through all that is kept.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
