"""A network as a question is given it: a spec, its name or its file."""

from __future__ import annotations

from pathlib import Path

from archcost.errors import ArchcostError, shorten
from archcost.spec import zoo
from archcost.spec.load import load
from archcost.spec.model import ModelSpec

Network = ModelSpec | str | Path


def spec_of(network: object) -> ModelSpec:
    """Raises ArchcostError for what is no network, with what makes a spec of it."""
    if isinstance(network, ModelSpec):
        return network
    if not isinstance(network, str | Path):
        raise no_network(network, "a name, a path or a spec")
    text = str(network)
    if text not in zoo.names() and (text.endswith(".onnx") or ":" in text):
        raise ArchcostError(
            "only a spec is read here",
            expected="a shipped name, or a path to .yaml, .yml or .json",
            found=shorten(text),
            hint="archcost.load(network) first",
        )
    return load(network)


def no_network(found: object, expected: str) -> ArchcostError:
    hint = "archcost.load(name), archcost.loads(text) or archcost.ModelSpec(…)"
    if isinstance(getattr(found, "spec", None), ModelSpec):
        hint = f"graph.spec, and batch={getattr(found, 'batch', 1)}"
    elif hasattr(found, "named_parameters"):
        hint = "archcost.from_torch(module, *inputs)"
    return ArchcostError("no network", expected=expected, found=f"a {type(found).__name__}", hint=hint)
