"""How a locked network is loaded again: the head of its section."""

from __future__ import annotations

import json
import os
import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from archcost.costs import ModelCost, cost
from archcost.errors import SpecError, shorten
from archcost.files.parse import SUFFIXES
from archcost.graph import build
from archcost.importers.networks import STANDARD_INPUT, load
from archcost.spec import ModelSpec
from archcost.spec.changes import NO_CHANGES, Changes


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a locked network is loaded again: `network vgg_d --batch 2 --set depth3=4`.

    `spec NAME` stands for one that a test declares in Python, which only that test can make again.
    """

    network: str
    batch: int = 1
    settings: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    args: str | None = None
    """JSON, what a `module:callable` is called with."""
    kind: Literal["network", "spec"] = "network"
    changes: Changes = NO_CHANGES
    sequence: int | None = None

    def __str__(self) -> str:
        words = [self.kind, self.network, "--batch", str(self.batch)]
        words += [word for setting in self.settings for word in ("--set", setting)]
        words += [word for shape in self.inputs for word in ("--input", shape)]
        words += self.changes.words
        words += [] if self.args is None else ["--args", self.args]
        words += [] if self.sequence is None else ["--sequence", str(self.sequence)]
        return shlex.join(words)

    @property
    def is_file(self) -> bool:
        return self.kind == "network" and self.network.endswith((*SUFFIXES, ".onnx"))

    def load(self) -> ModelSpec:
        """The network as it is now, its path meant from the current folder. `module:callable` runs its Python."""
        if self.kind == "spec":
            raise SpecError(
                f"{self.network} is declared in Python", expected="the test that declares it", hint="run that test"
            )
        if self.network == STANDARD_INPUT:
            raise SpecError(
                "standard input cannot be read again", expected="a network that can be loaded once more", found="-"
            )
        args = json.loads(self.args or "null")
        return load(self.network, self.settings, self.inputs, args, self.changes, self.sequence)

    def at(self, path: Path) -> Recipe:
        """The same of another file."""
        return replace(self, network=str(path))

    def load_from(self, folder: Path) -> ModelSpec:
        """As `load`; a path in the recipe is relative to `folder`."""
        return self.at(folder / self.network).load() if self.is_file else self.load()

    def cost(self, folder: Path) -> ModelCost:
        """The cost of the network; a path in the recipe is relative to `folder`."""
        return cost(build(self.load_from(folder), self.batch))

    def seen_from(self, folder: Path) -> Recipe:
        """The recipe with its path, relative to the current folder, made relative to `folder`."""
        if not self.is_file:
            return self
        return replace(self, network=Path(os.path.relpath(self.network, folder)).as_posix())


def args_text(args: Any) -> str | None:
    """`--args` as a recipe keeps them. Raises SpecError for what JSON has no words for."""
    if args is None:
        return None
    try:
        return json.dumps(args)
    except (TypeError, ValueError):
        raise SpecError(
            "args cannot be kept in a lock", expected="a mapping or a list of JSON's values", found=shorten(args)
        ) from None
