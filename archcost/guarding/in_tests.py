"""A budget that a test states: of any network, or of the test's own module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from archcost.comparison.recipe import Recipe
from archcost.errors import ArchcostError
from archcost.guarding.budgets import read_budget
from archcost.guarding.config_file import chosen
from archcost.guarding.defaults import read_defaults
from archcost.guarding.findings import Finding, findings, spec_of
from archcost.guarding.settings import Settings
from archcost.spec import ModelSpec
from archcost.spec.overrides import override


def held_to(network: object, inputs: Sequence[Any], budget: Mapping[str, Any], folder: Path) -> list[Finding]:
    """A finding for each quantity of the budget.

    A module is imported with the inputs, of which the first axis is the batch; any other network is loaded as on the
    command line, a file from `folder`, that of the test. What the budget leaves open of how the network is run, the
    project's file says. Raises ArchcostError.
    """
    path = chosen(folder=folder)
    defaults: Settings = {} if path is None else read_defaults(path)[1]
    is_module = hasattr(network, "named_parameters")
    if inputs and not is_module:
        given = f"{len(inputs)} beside a {type(network).__name__}"
        raise ArchcostError("example inputs are for a module", expected="none", found=given, hint='input="3x224x224"')
    made = _made(network, inputs) if is_module or isinstance(network, ModelSpec) else None
    name = str(network) if made is None else made.name
    if (folder / name).is_file():
        name = str(folder / name)
    found: list[Finding] = []
    for each in read_budget({"network": name, **budget}, defaults, folder):
        found += findings(each, spec_of(each, Path()) if made is None else _altered(made, each.recipe))
    return found


def _made(network: Any, inputs: Sequence[Any]) -> ModelSpec:
    if isinstance(network, ModelSpec):
        return network
    from archcost.importers import from_torch

    return from_torch(network, *inputs)


def _altered(made: ModelSpec, recipe: Recipe) -> ModelSpec:
    """As the budget alters it."""
    if recipe.args is not None:
        raise ArchcostError("args are what a module:callable is called with", expected="none", found=recipe.args)
    return recipe.changes.apply_to(override(made, recipe.settings, recipe.inputs, recipe.sequence))
