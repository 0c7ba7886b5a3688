"""What all tests share: hypothesis draws the same examples on every machine, however slow it is."""

import gc
import os
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")

os.environ["ARCHCOST_CONFIG"] = "none"  # a file in a folder above the checkout would change what commands print

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker for each core. Threads of torch in each of them would only wait for those of the others.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """All tests and all of torch stay until the end, so that no collection of garbage need look at them again.

    Whoever measures memory asks for a whole collection before each step, which else is most of what such a test takes.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture
def only_ours() -> Generator[None]:
    """Our own layers alone: other tests of this process may have registered theirs."""
    from archcost.layers import own

    theirs = own.registered()
    for type_ in theirs:
        own.forget(type_)
    yield
    for each in theirs.values():
        own.register_layer(call=each.call, mirror=each.mirror, onnx=each.onnx, draw=each.draw)(each.kind)
