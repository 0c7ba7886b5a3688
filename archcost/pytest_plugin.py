"""Fixtures for pytest that hold a network to a budget, or against a locked table of its layers.

    def test_budget(archcost_budget):
        archcost_budget(Net(), torch.zeros(1, 3, 32, 32), parameters="25.6M", peak="2 GiB", batch=64)

    def test_cost(archcost_lock):
        archcost_lock("vgg_d")

Every run of pytest imports this module, so it imports the rest of archcost only when a test asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from archcost.comparison.recipe import Recipe
    from archcost.spec import ModelSpec

FOLDER = "archcost_locks"


class ArchcostLock(Protocol):
    """The fixture `archcost_lock`, which a test calls."""

    def __call__(
        self,
        network: str | Path | ModelSpec,
        lock: str | Path | None = None,
        *,
        batch: int = 1,
        settings: Sequence[str] = (),
        inputs: Sequence[str] = (),
        args: Any = None,
        sequence: int | None = None,
    ) -> None: ...


class ArchcostBudget(Protocol):
    """The fixture `archcost_budget`, which a test calls."""

    def __call__(self, network: Any, *inputs: Any, **budget: Any) -> None: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("archcost").addoption(
        "--archcost-update", action="store_true", help="write the tables that archcost_lock compares with"
    )


@pytest.fixture
def archcost_lock(request: pytest.FixtureRequest) -> ArchcostLock:
    """A function that fails the test when a network differs from its locked table.

    `network` is a NETWORK (a relative path is looked up beside the test, then in the current folder) or a
    ModelSpec; `settings`, `inputs` and `args` are those of `--set`, `--input` and `--args`. The table is `lock`,
    seen from the test's folder; by default `archcost_locks/<name of the network>.lock` there.
    `pytest --archcost-update` writes it.
    """
    folder = request.path.parent
    update = bool(request.config.getoption("--archcost-update"))

    def compare(
        network: str | Path | ModelSpec,
        lock: str | Path | None = None,
        *,
        batch: int = 1,
        settings: Sequence[str] = (),
        inputs: Sequence[str] = (),
        args: Any = None,
        sequence: int | None = None,
    ) -> None:
        from archcost.comparison.recipe import Recipe, args_text
        from archcost.errors import ArchcostError

        try:
            recipe = Recipe("", batch, tuple(settings), tuple(inputs), args_text(args), sequence=sequence)
            failure = _hold(network, recipe, folder, lock, update)
        except ArchcostError as error:
            failure = str(error)
        if failure:
            pytest.fail(failure, pytrace=False)

    return compare


@pytest.fixture
def archcost_budget(request: pytest.FixtureRequest) -> ArchcostBudget:
    """A function that fails the test when a network costs more than it may.

    `network` is a `torch.nn.Module`, with example `inputs` whose first axis is the batch; or a ModelSpec, a shipped
    name, a file seen from the test's folder, or `module:callable` (with `input="3x32x32"`). The budget and its settings
    have the words of a file of budgets: `parameters`, `trainable_parameters`, `macs`, `flops`, `training_flops`,
    `peak`, `time`, `fits`, `max_batch`, `tolerance`, and `batch`, `hardware`, `precision`, `optimizer` and so on. What
    of the settings is not given, `[tool.archcost]` of the nearest pyproject.toml says, or archcost.yaml.
    """
    folder = request.path.parent

    def hold(network: Any, *inputs: Any, **budget: Any) -> None:
        from archcost.errors import ArchcostError
        from archcost.guarding.in_tests import held_to
        from archcost.report.guarding import told

        try:
            failures = [told(found) for found in held_to(network, inputs, budget, folder) if found.status != "held"]
        except ArchcostError as error:
            failures = [str(error)]
        if failures:
            pytest.fail("\n".join(failures), pytrace=False)

    return hold


def _hold(
    network: str | Path | ModelSpec, recipe: Recipe, folder: Path, lock: str | Path | None, update: bool
) -> str | None:
    """What is wrong, or None. Raises ArchcostError when the network or the table cannot be read."""
    from archcost.comparison.locks import changes, find, read, section, write_section
    from archcost.costs import cost
    from archcost.graph import build

    spec, recipe = _load(network, recipe, folder)
    path = folder / (lock or Path(FOLDER, f"{spec.name}.lock"))
    now = section(recipe.seen_from(path.parent), cost(build(spec, recipe.batch)))
    if update:
        write_section(now, path)
        return None
    locked = find(read(path), now.recipe) if path.is_file() else None
    if locked is None:
        return f"no table of `{now.recipe}` in {path}\n  write it: pytest --archcost-update"
    if lines := changes(locked, now):
        differences = "\n".join(f"  {line}" for line in lines)
        return f"{spec.name} differs from {path}\n{differences}\n  if it is meant: pytest --archcost-update"
    return None


def _load(network: str | Path | ModelSpec, recipe: Recipe, folder: Path) -> tuple[ModelSpec, Recipe]:
    """The spec as its recipe alters it, and the recipe with the network's name."""
    from archcost.spec import ModelSpec
    from archcost.spec.overrides import override

    if isinstance(network, ModelSpec):
        recipe = replace(recipe, network=network.name, kind="spec")
        return override(network, recipe.settings, recipe.inputs, recipe.sequence), recipe
    beside = folder / network
    recipe = replace(recipe, network=str(beside if beside.is_file() else network))
    return recipe.load(), recipe
