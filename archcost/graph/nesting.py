"""How deep blocks and repeats of a spec are nested. It depends on no parameter, so it is checked before expansion."""

from __future__ import annotations

from typing import Unpack

from archcost.errors import Details, SpecError
from archcost.files.values import Path
from archcost.spec.model import BlockUse, Entry, ModelSpec, Repeat

DEEPEST_NESTING = 64


def check_nesting(spec: ModelSpec) -> None:
    """Raises SpecError for a block that contains itself, and for too many levels; also in blocks that nothing uses."""
    nesting = _Nesting(spec)
    nesting.depth(spec.layers, ("layers",), 0, ())
    for name in spec.blocks:
        nesting.depth_of_block(name, 0, ())


class _Nesting:
    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.depths: dict[str, int] = {}

    def depth(self, entries: tuple[Entry, ...], path: Path, level: int, around: tuple[str, ...]) -> int:
        """How many levels are below these entries, which are at `level`, inside the blocks `around`."""
        deepest = 0
        for index, entry in enumerate(entries):
            at = (*path, index)
            if isinstance(entry, Repeat):
                below = 1 + self.depth(entry.layers, (*at, "layers"), level + 1, around)
            elif isinstance(entry, BlockUse) and entry.block in self.spec.blocks:
                if entry.block in around:
                    circle = " → ".join((*around[around.index(entry.block) :], entry.block))
                    raise self.refuse(entry, at, "a block cannot contain itself", expected="no circle", found=circle)
                below = 1 + self.depth_of_block(entry.block, level + 1, around)
            else:
                continue
            if level + below > DEEPEST_NESTING:
                raise self.refuse(
                    entry,
                    at,
                    "blocks and repeats are nested too deeply",
                    expected=f"at most {DEEPEST_NESTING} levels",
                    found="more",
                )
            deepest = max(deepest, below)
        return deepest

    def depth_of_block(self, name: str, level: int, around: tuple[str, ...]) -> int:
        if level > DEEPEST_NESTING:
            return 0  # too deep already, which the use of this block will say
        if name not in self.depths:
            path = ("blocks", name, "layers")
            self.depths[name] = self.depth(self.spec.blocks[name].layers, path, level, (*around, name))
        return self.depths[name]

    def refuse(self, entry: Repeat | BlockUse, path: Path, problem: str, **details: Unpack[Details]) -> SpecError:
        name = entry.name or (entry.block if isinstance(entry, BlockUse) else "repeat")
        return SpecError(problem, **details).at(layer=name, place=self.spec.source.place(path))
