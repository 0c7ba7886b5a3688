"""A network's spec as it is, with what `--set` and `--sequence` can change of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from archcost.files.parse import read_text
from archcost.files.result import Result
from archcost.spec.inputs import InputSpec
from archcost.spec.model import ModelSpec
from archcost.spec.sequence import reaches_input
from archcost.spec.values import Value

_KEY = re.compile(r"""(?P<indent>\s*)(?P<key>\w+):(?P<rest>.*)""")
_COMMENT = re.compile(r"""(?:^|\s)\#\s*(?P<said>\S.*?)\s*$""")


class Told(NamedTuple):
    """A parameter: its value as written, what that comes to, and what the file says beside it."""

    name: str
    value: Value
    comes_to: Value
    meaning: str

    def to_dict(self) -> dict[str, Any]:
        return self._asdict()


@dataclass(frozen=True, repr=False)
class Shown(Result):
    """`to_dict()` is `archcost show --format json`."""

    spec: ModelSpec
    inputs: Mapping[str, InputSpec]
    parameters: tuple[Told, ...]
    blocks: Mapping[str, tuple[Told, ...]]
    lengthened: tuple[str, ...]
    """The inputs whose sizes follow the length of the sequence."""

    @property
    def headline(self) -> str:
        return f"{self.spec.label}, {len(self.parameters):,} parameters"

    def to_dict(self) -> dict[str, Any]:
        spec = self.spec
        return {
            "schema": "archcost.show/1",
            "network": spec.label,
            "title": spec.title,
            "inputs": [
                {
                    "name": name,
                    "shape": list(spec.declared_inputs[name].shape),
                    "sizes": list(given.sizes),
                    "dtype": given.dtype,
                    "batched": given.batched,
                }
                for name, given in self.inputs.items()
            ],
            "parameters": [told.to_dict() for told in self.parameters],
            "blocks": {name: [told.to_dict() for told in block] for name, block in self.blocks.items()},
            "sequence": self._sequence(),
            "spec": spec.to_dict(),
        }

    def _sequence(self) -> dict[str, Any] | None:
        parameter, declared = self.spec.sequence_parameter, self.spec.sequence
        if parameter is None:
            return None
        told = {"most": declared and declared.most, "table": declared and declared.table}
        return {"parameter": parameter, "inputs": list(self.lengthened), **told}


def show(spec: ModelSpec) -> Shown:
    """Raises SpecError where parameters have no value that the inputs need."""
    said = _said(spec)
    values = spec.values
    parameters = tuple(
        Told(name, value, values[name], said.get(("parameters", name), "")) for name, value in spec.parameters.items()
    )
    blocks = {
        name: tuple(
            Told(key, value, value, said.get(("blocks", name, "parameters", key), ""))
            for key, value in block.parameters.items()
        )
        for name, block in spec.blocks.items()
    }
    length = spec.sequence_parameter
    lengthened = [
        name
        for name, given in spec.declared_inputs.items()
        if length is not None and reaches_input(length, spec.parameters, [given])
    ]
    return Shown(spec, spec.inputs, parameters, blocks, tuple(lengthened))


Said = dict[tuple[str, ...], str]


def _said(spec: ModelSpec) -> Said:
    """What the files of a spec say in comments beside its keys; a file that is laid over others comes last in them."""
    said: Said = {}
    files = {mark[0] for mark in spec.source.marks.values()}
    own = spec.source.file
    for file in sorted(files, key=lambda file: file == own):
        if file.endswith((".yaml", ".yml")) and Path(file).is_file():
            said |= comments(read_text(Path(file)))
    return said


def comments(text: str) -> Said:
    """Comments beside the keys of block style, by the keys around them."""
    said: Said = {}
    around: list[tuple[int, str]] = []
    for line in text.splitlines():
        key = _KEY.fullmatch(line)
        if key is None:
            continue
        indent = len(key["indent"])
        while around and around[-1][0] >= indent:
            around.pop()
        around.append((indent, key["key"]))
        comment = _COMMENT.search(key["rest"])
        if comment is not None:
            said[tuple([name for _, name in around])] = comment["said"]
    return said
