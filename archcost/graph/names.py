"""The full (dotted) names of layers and blocks: each is given once; a layer without a name gets one with a number."""

from __future__ import annotations

from typing import Unpack

from archcost.errors import Details, SpecError
from archcost.files.values import Path
from archcost.spec.model import ModelSpec

LONGEST_NAME = 400


class Names:
    """The full names that are in use so far, each with its place in the spec."""

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.given: dict[str, Path] = {}
        self.layers: set[str] = set()
        self.prefixes: dict[str, str] = {}
        self.counters: dict[str, int] = {}

    def claim(self, name: str, path: Path) -> str:
        """Claim a full name for an input of the network, a block, or what goes into one."""
        if len(name) > LONGEST_NAME:
            raise self.refuse(
                path,
                "a name is too long",
                name[:60] + "…",
                expected=f"at most {LONGEST_NAME} characters with the blocks around it",
                found=f"{len(name):,} characters",
            )
        if name in self.given:
            first = self.spec.source.place(self.given[name])
            raise self.refuse(
                path,
                f"the name {name!r} stands twice",
                name,
                expected="each name once",
                found=f"first at {first}" if first else "an earlier one",
                hint="another name: in a block, input is what goes into it"
                if name.endswith(".input")
                else "another name for one of them, or a name for the repeat around them",
            )
        self.given[name] = path
        return name

    def claim_layer(self, name: str, path: Path) -> str:
        """Claim a layer's full name, which cannot also be the beginning of other layers' names."""
        self.claim(name, path)
        self.layers.add(name)
        clash = self.prefixes.get(name)
        beginning = name.rpartition(".")[0]
        while beginning and beginning not in self.prefixes:
            clash = beginning if beginning in self.layers else clash
            self.prefixes[beginning] = name
            beginning = beginning.rpartition(".")[0]
        if clash is not None:
            raise self.refuse(
                path,
                "a layer's name is the beginning of another's",
                name,
                expected="names that can be nested",
                found=f"{clash} and {name}",
                hint="another name for one of them",
            )
        return name

    def number(self, scope: str, prefix: str) -> str:
        """The next free name of the form `conv1`, `conv2`, … in a scope."""
        key = f"{scope}.{prefix}" if scope else prefix
        number = self.counters.get(key, 0) + 1
        while f"{key}{number}" in self.given:
            number += 1
        self.counters[key] = number
        return f"{prefix}{number}"

    def refuse(self, path: Path, problem: str, layer: str, **details: Unpack[Details]) -> SpecError:
        return SpecError(problem, **details).at(layer=layer, place=self.spec.source.place(path))
