"""What the project's file says of a run, where the command line says nothing: `[tool.archcost]`, or archcost.yaml."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archcost.passes.run import Run

SHARED = ("hardware", "batch", "precision", "optimizer")
"""A command that has an option of these takes settings from the file."""

LEFT_ALONE = ("hardware calibrate", "import", "export")
"""Commands that only have options of the same names."""


def declare_config(added: argparse.ArgumentParser, command: str) -> None:
    actions = added._actions  # pyright: ignore[reportPrivateUsage]
    names = {action.dest for action in actions}
    if command in LEFT_ALONE or names.isdisjoint(SHARED):
        return
    added.add_argument(
        "--config",
        metavar="FILE",
        help="the file of the project whose settings hold where none is given, or none; default: the nearest "
        "archcost.yaml, or pyproject.toml with [tool.archcost]",
    )
    appended = [action.dest for action in actions if isinstance(action, argparse._AppendAction)]  # pyright: ignore
    added.set_defaults(command=command, appended=tuple(appended))


def settle_settings(options: argparse.Namespace) -> None:
    """Each setting of the project's file where the command line leaves it open. `taken` are those, `taken_from` is the
    file. Raises ArchcostError where the file cannot be read.
    """
    options.taken, options.taken_from = {}, None
    if not hasattr(options, "appended"):
        return
    from archcost.guarding.config_file import chosen

    path = chosen(options.config)
    if path is None:
        return
    from archcost.guarding.defaults import read_defaults

    _, settings = read_defaults(path)
    asked = {name: value for name, value in settings.items() if _is_open(name, options)}
    for name, value in asked.items():
        setattr(options, name, _as_parsed(name, value, options))
    options.taken, options.taken_from = asked, path


def _is_open(name: str, options: argparse.Namespace) -> bool:
    """Whether the command has the setting, needs it, and was not told it."""
    if not hasattr(options, name) or name not in _needed(name, options):
        return False
    return not getattr(options, name) if name in options.appended else name not in getattr(options, "given", ())


def _needed(name: str, options: argparse.Namespace) -> tuple[str, ...]:
    given = getattr(options, "given", ())
    if options.command == "serve":  # whose precision and cache are those of what is served
        return ("hardware", "engine", "calibration")
    steps = {"summary": ("time", "columns", "sort"), "verify": ("measure",)}.get(options.command, ())
    if steps and not any(getattr(options, each, None) for each in steps):
        return ("batch",)
    others = (
        ("vendor", "kind", "min_memory") if hasattr(options, "vendor") else ("device",)
    )  # which choose devices, too
    if name == "hardware" and any(each in given for each in others):
        return ()
    return (name,)


def _as_parsed(name: str, value: Any, options: argparse.Namespace) -> Any:
    """As the option would have it. A command of one device takes the first."""
    several = name in options.appended
    if name == "hardware":
        return list(value) if several else value[0]
    if name == "batch" and several:
        return [range(value, value + 1)]
    return [value] if several else value


def taken_text(options: argparse.Namespace) -> str:
    """`Settings of pyproject.toml: hardware nvidia-rtx-4090, precision amp-bf16.`, or nothing."""
    taken: dict[str, Any] = getattr(options, "taken", {})
    told = [f"{name.replace('_', ' ')} {_spelled(name, value, options)}" for name, value in taken.items()]
    return f"Settings of {options.taken_from}: {', '.join(told)}." if told else ""


def _spelled(name: str, value: Any, options: argparse.Namespace) -> str:
    if name == "hardware":
        return " and ".join(value if name in options.appended else value[:1])
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


def changed_settings(run: Run, taken: Collection[str] = ()) -> list[str]:
    """The options of `add_settings` that make the run another than by default, but for those that the project's file
    says.
    """
    default = type(run)()
    fields = [name for name in run.__dataclass_fields__ if getattr(run, name) != getattr(default, name)]
    fields = [field for field in fields if field not in taken]
    return [f"--{field.replace('_', '-')}" for field in fields]
