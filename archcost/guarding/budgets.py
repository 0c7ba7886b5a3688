"""The budgets of a file: what each network may cost, in which setting, with which tolerance."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any, NamedTuple

from archcost.comparison.recipe import Recipe, args_text
from archcost.errors import ArchcostError, Place, SpecError, listing
from archcost.files.values import as_list, as_mapping, spell
from archcost.guarding.amounts import Amount, Kind, Tolerance, read_amount, read_tolerance
from archcost.guarding.config_file import ConfigFile
from archcost.guarding.settings import NAMES as SETTINGS
from archcost.guarding.settings import (
    Mistakes,
    Settings,
    Where,
    located,
    nowhere,
    read_settings,
    require_known,
    run_of,
    told_at,
)
from archcost.passes.run import Run
from archcost.spec.changes import Changes


class Quantity(NamedTuple):
    """What a budget is of. `at_least` is a floor, of everything else the limit is the most."""

    name: str
    words: str
    kind: Kind
    depends_on: str
    """The network, its batch, the run, or the device; a word that is further right depends on those before."""
    at_least: bool = False


ALL = (
    Quantity("parameters", "parameters", "count", "network"),
    Quantity("trainable_parameters", "trainable parameters", "count", "network"),
    Quantity("macs", "MACs", "count", "batch"),
    Quantity("flops", "FLOPs forward", "count", "batch"),
    Quantity("training_flops", "FLOPs of a training step", "count", "batch"),
    Quantity("peak", "peak", "bytes", "run"),
    Quantity("time", "time of a step", "seconds", "device"),
    Quantity("fits", "fits", "verdict", "device"),
    Quantity("max_batch", "largest batch", "batch", "device", at_least=True),
)
QUANTITIES = {quantity.name: quantity for quantity in ALL}

OF_NETWORK = ("network", "set", "input", "args", "sequence", *Changes._fields)
ENTRY = (*OF_NETWORK, *SETTINGS, *QUANTITIES, "tolerance")
LIMIT = ("limit", "tolerance")


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a quantity may be, or the least."""

    quantity: Quantity
    amount: Amount
    tolerance: Tolerance
    place: Place | None = None

    @property
    def allowed(self) -> Amount:
        """The amount with its tolerance."""
        if isinstance(self.amount, str):
            return self.amount
        beyond = self.amount * self.tolerance.share + self.tolerance.amount
        found = self.amount - beyond if self.quantity.at_least else self.amount + beyond
        return float(found) if self.quantity.kind == "seconds" else int(found)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one network is held to. `recipe` says how it is loaded, `hardware` on which device it is looked at."""

    recipe: Recipe
    limits: tuple[Limit, ...]
    run: Run
    loss: str | None = None
    hardware: str | None = None
    engine: str | None = None
    calibration: str | None = None
    threads: int | None = None
    place: Place | None = None


def read_budgets(file: ConfigFile, defaults: Settings) -> tuple[Budget, ...]:
    """Raises ArchcostError with all mistakes at their places."""
    told = file.tree.get("budgets", ())
    entries = as_list(told)
    if entries is None:
        expected = "a list: [[tool.archcost.budgets]], or - network: … under budgets"
        place = file.place(("budgets",))
        raise SpecError("budgets are a list", expected=expected, found=spell(told), place=place)
    found: list[Budget] = []
    mistakes = Mistakes()
    for number, entry in enumerate(entries):

        def where(*keys: str | int, number: int = number) -> Place:
            return file.place(("budgets", number, *keys))

        with mistakes.gathered():
            tree = as_mapping(entry)
            if tree is None or "network" not in tree:
                expected = "network: a name, a file or module:callable"
                raise SpecError("a budget without a network", expected=expected, found=spell(entry), place=where())
            found += read_budget(tree, defaults, file.folder, where)
    mistakes.tell()
    _refuse_twice(found)
    return tuple(found)


def read_budget(
    tree: Mapping[str, Any], defaults: Settings, folder: FilePath, where: Where = nowhere
) -> tuple[Budget, ...]:
    """Of one network: what is the same on all devices, and the rest for each of them. Paths are relative to `folder`.
    Raises ArchcostError.
    """
    settings: Settings = defaults
    limits: tuple[Limit, ...] = ()
    mistakes = Mistakes()
    with mistakes.gathered():
        require_known(tree, ENTRY, "a budget of what nobody knows:", where)
    with mistakes.gathered():
        settings = {**defaults, **located(read_settings(tree, where), folder)}
    with mistakes.gathered():
        limits = _limits(tree, where)
    mistakes.tell()
    if not limits:
        expected, given = ", ".join(QUANTITIES), listing(tree) or "nothing"
        raise SpecError("a budget of nothing", expected=expected, found=given, place=where())
    with told_at(where()):
        recipe = _recipe(tree, settings.get("batch", 1), where)
        return _by_device(recipe, limits, settings, where())


def _by_device(recipe: Recipe, limits: Sequence[Limit], settings: Settings, place: Place | None) -> tuple[Budget, ...]:
    devices: tuple[str, ...] = settings.get("hardware", ())
    wanting = [limit.quantity.name for limit in limits if limit.quantity.depends_on == "device"]
    if wanting and not devices:
        found = f"{wanting[0]} alone"
        raise ArchcostError(f"{wanting[0]} is that of a device", expected="hardware beside it", found=found)
    others = {name: settings.get(name) for name in ("loss", "engine", "calibration", "threads")}
    common = [limit for limit in limits if limit.quantity.depends_on in ("network", "batch") or not devices]
    rest = tuple([limit for limit in limits if limit not in common])
    first = Budget(recipe, tuple(common), run_of(settings), **others, place=place)
    each = [replace(first, limits=rest, hardware=device) for device in devices] if rest else []
    return (*((first,) if common else ()), *each)


def _limits(tree: Mapping[str, Any], where: Where) -> tuple[Limit, ...]:
    """The quantities of an entry, each an amount or `{limit: amount, tolerance: …}`."""
    common = Tolerance()
    found: list[Limit] = []
    mistakes = Mistakes()
    if "tolerance" in tree:
        with mistakes.gathered(), told_at(where("tolerance"), "tolerance"):
            common = read_tolerance(tree["tolerance"])
    for quantity in [quantity for quantity in ALL if quantity.name in tree]:
        place = where(quantity.name)
        with mistakes.gathered(), told_at(place, quantity.name):
            found.append(_limit(quantity, tree[quantity.name], common, place))
    mistakes.tell()
    return tuple(found)


def _limit(quantity: Quantity, value: object, common: Tolerance, place: Place | None) -> Limit:
    told, kind = as_mapping(value), quantity.kind
    if told is None:
        return Limit(quantity, read_amount(kind, value), Tolerance() if kind == "verdict" else common, place)
    if "limit" not in told or told.keys() - set(LIMIT):
        expected = "an amount, or limit and tolerance"
        raise SpecError("no such form", expected=expected, found=", ".join(told) or "an empty mapping")
    tolerance = read_tolerance(told["tolerance"], kind) if "tolerance" in told else Tolerance()
    return Limit(quantity, read_amount(kind, told["limit"]), tolerance, place)


def _recipe(tree: Mapping[str, Any], batch: int, where: Where) -> Recipe:
    """How the network is loaded. A path in it is relative to the folder of the file."""
    network = tree["network"]
    if not isinstance(network, str) or not network:
        expected, place = "a name, a file or module:callable", where("network")
        raise SpecError("network is no text", expected=expected, found=spell(network), place=place)
    length = tree.get("sequence")
    if length is not None and (type(length) is not int or length < 1):
        expected, place = "a number of tokens from 1", where("sequence")
        raise SpecError("sequence is no length", expected=expected, found=spell(length), place=place)
    changes = Changes(*(_texts(tree, name, where) for name in Changes._fields))
    args = args_text(tree.get("args"))
    settings, inputs = _settings_of(tree, where), _texts(tree, "input", where)
    return Recipe(network, batch, settings, inputs, args, "network", changes, length)


def _settings_of(tree: Mapping[str, Any], where: Where) -> tuple[str, ...]:
    """`{depth: 3}` as the texts of `--set`, or these themselves."""
    mapping = as_mapping(tree.get("set"))
    if mapping is None:
        return _texts(tree, "set", where)
    return tuple([f"{key}={json.dumps(value, default=str)}" for key, value in mapping.items()])


def _texts(tree: Mapping[str, Any], name: str, where: Where) -> tuple[str, ...]:
    """A text, or a list of some."""
    value = tree.get(name, ())
    several = as_list(value)
    found = tuple(several) if several is not None else (value,)
    if not all(isinstance(each, str) for each in found):
        raise SpecError(
            f"{name} is no text", expected="text, or a list of texts", found=spell(value), place=where(name)
        )
    return found


def _refuse_twice(budgets: Sequence[Budget]) -> None:
    """Raises SpecError for two budgets of one thing."""
    seen: dict[Hashable, Limit] = {}
    for budget in budgets:
        for limit in budget.limits:
            name = limit.quantity.name
            first = seen.setdefault((name, _what(budget, limit.quantity)), limit)
            if first is not limit:
                found = f"the first on line {first.place.line}" if first.place else None
                problem = f"two budgets of {name} for {budget.recipe.network}"
                raise SpecError(problem, expected="one", found=found, place=limit.place)


def _what(budget: Budget, quantity: Quantity) -> Hashable:
    """What the number of that quantity depends on."""
    network = replace(budget.recipe, batch=1)
    if quantity.depends_on == "network":
        return network
    if quantity.depends_on == "batch":
        return budget.recipe
    timed = (budget.engine, budget.calibration, budget.threads) if quantity.name == "time" else ()
    recipe = network if quantity.name == "max_batch" else budget.recipe
    return recipe, budget.run, budget.loss, budget.hardware, timed
