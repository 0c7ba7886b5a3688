"""The settings of a project's file: how its networks are run where nothing else is said."""

from __future__ import annotations

from pathlib import Path as FilePath

from archcost.errors import SpecError
from archcost.guarding.config_file import ConfigFile, read
from archcost.guarding.settings import NAMES as SETTINGS
from archcost.guarding.settings import Mistakes, Settings, located, read_settings, require_known

KEYS = (*SETTINGS, "budgets", "locks")


def read_defaults(path: FilePath) -> tuple[ConfigFile, Settings]:
    """The settings alone, their paths as seen from here. Raises ArchcostError with all mistakes at their places."""
    file = read(path)
    _refuse_a_network(file)
    mistakes = Mistakes()
    settings: Settings = {}
    with mistakes.gathered():
        require_known(file.tree, KEYS, "unknown key", lambda *keys: file.place(keys))
    with mistakes.gathered():
        settings = read_settings(file.tree, lambda *keys: file.place(keys))
    mistakes.tell()
    return file, located(settings, file.folder)


def _refuse_a_network(file: ConfigFile) -> None:
    if "layers" in file.tree and "budgets" not in file.tree:
        raise SpecError(
            "this is a network, and no file of budgets",
            expected="budgets, or hardware, precision, …",
            found="layers",
            hint="budgets: [{network: FILE, parameters: 25.6M}] in archcost.yaml",
            place=file.place(("layers",)),
        )
