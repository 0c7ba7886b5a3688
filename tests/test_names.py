"""The names that scripts rely on are there after `import archcost` alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

import archcost


@pytest.mark.parametrize("name", archcost.__all__)
def test_every_public_name_is_there(name: str) -> None:
    script = f"import archcost; assert archcost.{name} is not None"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = archcost.nonsense  # pyright: ignore[reportAttributeAccessIssue]
