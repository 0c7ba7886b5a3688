"""The witness: builds a declared network in torch, and holds archcost's numbers against torch and fvcore.

    module = archcost.pytorch.build(spec)
    archcost.pytorch.verify(spec).ok
    archcost.pytorch.verify(spec, batch=8, run=run).ok
    archcost.pytorch.measure(graph, run).peak

The only part that imports torch. It takes from the formula half what a layer says (its fields and its inputs),
never what it works out.
"""

from importlib.util import find_spec

from archcost.errors import ArchcostError

for _package in ("torch", "fvcore"):
    if find_spec(_package) is None:
        raise ArchcostError(f"this needs {_package}, which is not installed", hint="pip install archcost[torch]")

from archcost.pytorch.build import Network, build  # noqa: E402
from archcost.pytorch.checks import Verification  # noqa: E402
from archcost.pytorch.crosscheck import verify  # noqa: E402
from archcost.pytorch.measure import Measured, measure  # noqa: E402

__all__ = ["Measured", "Network", "Verification", "build", "measure", "verify"]
