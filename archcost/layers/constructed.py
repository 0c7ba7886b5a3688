"""Calling a class that is declared: what may stand without a name, and mistakes told in the words of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel, ValidationError

from archcost.errors import SpecError, Worded, listing, shorten

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)

INFERRED = {
    "out_channels": "in_channels",
    "out_features": "in_features",
    "hidden_size": "input_size",
    "num_heads": "embed_dim",
    "num_groups": "num_channels",
}
"""By what stands first in a call here, what stands first or second in one of torch's, and the input says."""


class Constructed(ModelMetaclass):
    """The class of declared classes. Validation goes past it, so that a file's mistakes are told with their places.

    What stands in `positional` of a class may be given without its name: what torch's module takes first, without what
    the input says. `Conv2d(16, 3)` is `LazyConv2d(16, 3)` there.
    """

    if not TYPE_CHECKING:  # which would no more read the fields as arguments

        def __call__(cls, *args: Any, **fields: Any) -> Any:  # noqa: N805
            """Raises SpecError."""
            if args:
                fields = _named(cls, args, fields)
            try:
                return super().__call__(**fields)
            except ValidationError as error:
                raise Worded.by(error, fields, cls) from None


def refuse_change(self: BaseModel, name: str, value: Any) -> None:
    """`__setattr__` of what does not change."""
    try:
        BaseModel.__setattr__(self, name, value)
    except ValidationError:
        raise SpecError(
            f"a {type(self).__name__} does not change",
            expected="another one with the new value",
            found=f"{name} = {shorten(value)}",
            hint=f"{type(self).__name__}(…, {name}=…)",
        ) from None


def _named(kind: Any, args: tuple[Any, ...], fields: dict[str, Any]) -> dict[str, Any]:
    """All arguments by their names."""
    names: tuple[str, ...] = getattr(kind, "positional", ())
    if len(args) > len(names):
        _refuse(kind.__name__, names, args)
    given = dict(zip(names, args, strict=False))
    twice = [name for name in given if name in fields]
    if twice:
        raise SpecError(
            f"{kind.__name__}: {twice[0]} stands twice",
            expected="each field once",
            found=f"{shorten(given[twice[0]])} and {twice[0]}={shorten(fields[twice[0]])}",
        )
    return {**given, **fields}


def _refuse(name: str, names: tuple[str, ...], args: tuple[Any, ...]) -> NoReturn:
    """Of a call as torch has it, the one that is meant; three sizes of a convolution might also end in its stride."""
    inferred = "num_features" if "Norm" in name and not names else INFERRED.get(names[0]) if names else None
    hint = None
    if inferred is not None and len(args) == len(names) + 1:
        kept = args[:-1] if inferred == "num_channels" else args[1:]
        hint = f"{name}({', '.join(map(shorten, kept))}), if the input has {inferred}={shorten(_left_out(args, kept))}"
    if inferred == "in_channels" and hint:
        hint += f"; {name}({', '.join(map(shorten, args[:2]))}, stride={shorten(args[2])}), if the last is the stride"
    raise SpecError(
        f"{name} takes {_counted(names)}",
        expected=f"{name}({', '.join(names)}{', …' if names else '…'}), anything else by name",
        found=f"{name}({listing([*map(shorten, args)], most=8)})",
        hint=hint,
    )


def _left_out(args: tuple[Any, ...], kept: tuple[Any, ...]) -> Any:
    return args[0] if kept == args[1:] else args[-1]


def _counted(names: tuple[str, ...]) -> str:
    if not names:
        return "no argument without its name"
    return "one argument without its name" if len(names) == 1 else f"{len(names)} arguments without their names"
