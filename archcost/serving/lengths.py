"""A network with another number of tokens in the input that is written token by token."""

from __future__ import annotations

from archcost.errors import ArchcostError
from archcost.spec import ModelSpec
from archcost.spec.evaluation import plain_name
from archcost.spec.overrides import set_parameter


def with_tokens(spec: ModelSpec, name: str, count: int) -> ModelSpec:
    """The spec with so many tokens in that input. Raises ArchcostError where their number is no parameter of it."""
    declared = spec.declared_inputs[name].declared_sizes
    if spec.inputs[name].sizes == (count,):
        return spec
    parameter = plain_name(declared[0]) if len(declared) == 1 else None
    if parameter is None:
        raise ArchcostError(
            f"{spec.name}: the number of tokens is no parameter of the network",
            expected=f"one axis of {name} that is a parameter, as in inputs: {{{name}: {{shape: [$tokens]}}}}",
            found="x".join(map(str, declared)) or "a scalar",
        )
    longer = set_parameter(spec, parameter, count)
    chunk = spec.values.get(CHUNK)
    if isinstance(chunk, int) and count < chunk:  # a scan is padded to whole chunks
        longer = set_parameter(longer, CHUNK, count)
    return longer


CHUNK = "chunk"
"""The parameter of state-space networks: positions that are scanned together."""
