"""All comparisons of rows, one after the other or as cases for pytest."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from archcost.errors import ArchcostError, first_line, line_of
from archcost.layers.base import Layer
from archcost.testing import by_hand
from archcost.testing.rows import Row

if TYPE_CHECKING:
    from archcost.testing.autocast import Answer


@dataclass(frozen=True)
class Case:
    """One comparison of one row. To call it is to make it: AssertionError where rules and witness differ."""

    what: str
    row: Row
    run: Callable[[Row], None]

    def __call__(self) -> None:
        try:
            self.run(self.row)
        except (AssertionError, ArchcostError):
            raise
        except NotImplementedError as error:
            warnings.warn(f"{self}: torch cannot run it here ({first_line(error)})", stacklevel=2)
        except Exception as error:
            place = line_of(error)
            at = f" at {place.file}:{place.line}" if place else ""
            raise AssertionError(f"{self.what} cannot be compared: {type(error).__name__}: {error}{at}") from error

    def __str__(self) -> str:
        return f"{self.what}-{self.row}"


def checks(rows: Iterable[Row]) -> list[Case]:
    """Every comparison of every row, for `pytest.mark.parametrize`."""
    return [Case(what, row, run) for row in rows for what, run in _runs(row)]


def check(kind: type[Layer], rows: Sequence[Row]) -> None:
    """Make all comparisons of these rows, which must be of that class. Raises AssertionError with all that differ."""
    strangers = [str(row) for row in rows if type(row.layer) is not kind]
    if not rows or strangers:
        found = ", ".join(strangers) or "none"
        raise AssertionError(f"rows of {kind.__name__} are needed, and here is {found}")
    failures: list[str] = []
    for case in checks(rows):
        try:
            case()
        except (AssertionError, ArchcostError) as error:
            failures.append(f"{case}\n    " + str(error).replace("\n", "\n    "))
    if failures:
        raise AssertionError("\n".join([f"{len(failures)} comparisons of {kind.__name__} fail", *failures]))


def _runs(row: Row) -> Iterator[tuple[str, Callable[[Row], None]]]:
    yield from by_hand.CHECKS.items()
    if find_spec("torch") is None:
        return
    from archcost.testing import counted

    yield from counted.CHECKS.items()
    yield "what is kept", _kept
    yield "what is a view", _views
    yield "temporaries and gradients", _temporaries
    for device in ("cpu", "cuda"):
        for precision in ("amp-bf16", "amp-fp16"):
            yield f"{precision} on {device}", _autocast(device, precision)


def _kept(row: Row) -> None:
    from archcost.testing import kept

    kept.check(row)


def _views(row: Row) -> None:
    from archcost.testing import kept

    kept.check_views(row)


def _temporaries(row: Row) -> None:
    """Not of what overwrites a slice: backward then copies the gradient of the whole, which no layer knows of."""
    from archcost.terms.autograd import FORWARD
    from archcost.testing import temporaries
    from archcost.testing.built import ORDERS, wanted

    for training in (True, False):
        for needs in wanted(row):
            for order in ORDERS:
                if order != "piece" or not row.layer.overwrites(FORWARD):
                    temporaries.check(row, needs, training, order)


def _autocast(device: Any, precision: Any) -> Callable[[Row], None]:
    def compared(row: Row) -> None:
        from archcost.passes.run import Run
        from archcost.testing import autocast

        dtype = str(Run(precision=precision).autocast)
        for types in autocast.mixtures(row, (dtype, "float32")):
            try:
                found = autocast.answer_of_torch(row, types, device, dtype)
            except (RuntimeError, NotImplementedError) as error:
                refused = f"torch refuses {', '.join(map(str, types))} ({first_line(error)})"
                warnings.warn(f"{precision} on {device}, {row}: {refused}", stacklevel=3)
                continue
            rule = autocast.ask_rule(row, types, device, precision)
            by_hand.same(f"dtypes and copies of {', '.join(map(str, types))}", _words(rule), _words(found), "by torch")

    return compared


def _words(answer: Answer) -> str:
    copies = [f"{numel:,} values from {one} to {other}" for one, other, numel in answer.copies]
    return f"{', '.join(answer.dtypes)}, copying {'; '.join(copies) or 'nothing'}"
