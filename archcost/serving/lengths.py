"""A network with another number of tokens in the input that is written token by token."""

from __future__ import annotations

from archcost.errors import ArchcostError
from archcost.spec import ModelSpec
from archcost.spec.overrides import set_parameter


def with_tokens(spec: ModelSpec, name: str, count: int) -> ModelSpec:
    """The spec with so many tokens in that input. Raises ArchcostError where its length is no parameter."""
    given = spec.inputs[name]
    if given.sizes[:1] == (count,):
        return spec
    if name not in spec.parameters or len(given.sizes) != 1:
        raise ArchcostError(
            f"{spec.name}: the length of {name} is no parameter of the network",
            expected=f"a shape such as [$tokens] of {name}",
            found=str(given.sizes),
        )
    longer = set_parameter(spec, name, count)
    return longer.model_copy(update={"inputs": {**longer.inputs, name: given.with_sizes((count,))}})
