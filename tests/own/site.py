"""Packages as an installer leaves them: a folder of modules with the metadata of a distribution beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PACKAGES = Path(__file__).parent / "packages"
ROOT = Path(__file__).parents[2]


def install(folder: Path, name: str, modules: dict[str, str], entry_points: dict[str, str]) -> Path:
    """A package of these modules with entry points of the group `archcost.layers`, in `folder`."""
    (folder / name).mkdir(parents=True)
    for module, text in {"__init__": "", **modules}.items():
        (folder / name / f"{module}.py").write_text(text)
    describe(folder, name, entry_points)
    return folder


def describe(folder: Path, name: str, entry_points: dict[str, str]) -> Path:
    """The metadata alone, of a package that lies elsewhere."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{key} = {value}\n" for key, value in entry_points.items())
    (metadata / "entry_points.txt").write_text(f"[archcost.layers]\n{lines}")
    return folder


def run(*words: str, path: tuple[Path, ...], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Python with these words in a process of its own, in which `path` is importable."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT)))}
    return subprocess.run(
        [sys.executable, "-W", "ignore", *words], capture_output=True, text=True, env=environment, cwd=cwd, check=False
    )
