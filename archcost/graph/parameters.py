"""`$parameters` of a spec and their values: those of the network, those of each use of a block, and expressions."""

from __future__ import annotations

from archcost.errors import listing, nearest, shorten
from archcost.files.values import Path, spell
from archcost.spec.evaluation import Evaluation, Values
from archcost.spec.model import BlockUse, ModelSpec, Repeat


class Parameters(Evaluation):
    """Of one spec, while it is expanded.

    Uses of blocks and values are known by their identity, as both live as long: equal values of one block's parameters
    are made one object.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec.source)
        self._spec = spec
        self._bound: dict[tuple[int, int], Values] = {}
        self._equal: dict[tuple[str, str], Values] = {}
        self.outermost = self.with_defaults(spec.parameters, {}, {}, spec.name, ("parameters",))
        """Those of the network itself."""

    def bind(self, use: BlockUse, values: Values, name: str, path: Path) -> Values:
        """The values of all parameters inside a use of a block: the network's and the block's own."""
        key = (id(use), id(values))
        if key in self._bound:
            return self._bound[key]
        block = self._spec.blocks.get(use.block)
        if block is None:
            raise self.refuse(
                (*path, "block"),
                f"unknown block {shorten(use.block)}",
                name,
                expected=listing(self._spec.blocks) or "no blocks are declared",
                found=shorten(use.block),
                hint=nearest(use.block, self._spec.blocks),
            )
        for parameter in use.parameters:
            if parameter not in block.parameters:
                raise self.refuse(
                    (*path, parameter),
                    f"block {use.block!r} has no parameter {shorten(parameter)}",
                    name,
                    expected=listing(block.parameters) or "no parameters",
                    found=shorten(parameter),
                    hint=nearest(parameter, block.parameters),
                )
        given = {key: self.fill(value, values, name, (*path, key)) for key, value in use.parameters.items()}
        open_ = [key for key, default in block.parameters.items() if default is None and key not in given]
        if open_:
            raise self.refuse(
                path,
                f"block {use.block!r} needs {listing(open_)}",
                name,
                expected=f"{open_[0]}: …",
                found=f"only {listing(given)}" if given else "no parameters",
            )
        inside = ("blocks", use.block, "parameters")
        bound = self.with_defaults(block.parameters, given, self.outermost, name, inside)
        self._bound[key] = self._equal.setdefault((use.block, repr(bound)), bound)
        return self._bound[key]

    def repeat_count(self, entry: Repeat, name: str, values: Values, path: Path) -> int:
        rounds = self.fill(entry.repeat, values, name, (*path, "repeat"))
        if type(rounds) is not int or rounds < 0:
            raise self.refuse(
                (*path, "repeat"),
                "wrong value for 'repeat'",
                name,
                expected="an integer from 0",
                found=f"{spell(rounds)}, from {shorten(entry.repeat)}",
            )
        return rounds
