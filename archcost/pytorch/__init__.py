"""The witness: builds a declared network in torch, or runs a given module, and holds archcost's numbers against both.

    module = archcost.pytorch.build(spec)
    archcost.pytorch.verify(spec).ok
    archcost.pytorch.verify(module, inputs).ok
    archcost.pytorch.verify(spec, batch=8, run=run).ok
    archcost.pytorch.measure(graph, run).peak

It takes from the formula half what a layer says (its fields and its inputs),
never what it works out.
"""

from importlib.util import find_spec

from archcost.errors import ArchcostError

if find_spec("torch") is None:
    raise ArchcostError("this needs torch, which is not installed", hint="pip install archcost[torch]")

from archcost.pytorch.build import Network, build
from archcost.pytorch.checks import Verification
from archcost.pytorch.crosscheck import verify
from archcost.pytorch.measure import Measured, measure

__all__ = ["Measured", "Network", "Verification", "build", "measure", "verify"]
