"""`make pythons`: the wheel is installed without torch in a new environment of each Python, and tried there.

Where a Python is missing, that is said and the program fails: it is no test of a Python that was not there. What needs
torch is left out by what the tests themselves import.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

COMMANDS = (
    ("list",),
    ("summary", "vgg_d"),
    ("explain", "lenet5", "conv1"),
    ("estimate", "resnet50", "--hardware", "nvidia-rtx-4090", "--batch", "8"),
    ("fit", "lenet5"),
    ("serve", "llama3_8b", "--hardware", "nvidia-rtx-4090"),
    ("sweep", "lenet5", "--hardware", "nvidia-t4", "--batch", "1-64"),
)

TESTING = ("pytest", "hypothesis", "jsonschema", "pandas", "pytest-benchmark")
PARTS = ("spec", "graph", "costs", "estimates", "sweeps", "serving", "schemas")

TORCH = re.compile(r"^\s*(import|from) (torch|fvcore)\b|archcost\.pytorch|archcost\.testing|from_torch", re.MULTILINE)


def main() -> int:
    wheel, *pythons = sys.argv[1:]
    missing = [python for python in pythons if not _answers(python)]
    for python in pythons:
        if python not in missing:
            with tempfile.TemporaryDirectory() as folder:
                _try(python, Path(wheel).resolve(), Path(folder))
    if missing:
        print(f"not tried, for they are not here: {', '.join(missing)}")
    return 1 if missing else 0


def _answers(python: str) -> bool:
    """Whether it is there and starts; a version manager has names for what is not chosen."""
    return shutil.which(python) is not None and not subprocess.run([python, "-V"], capture_output=True).returncode


def _try(python: str, wheel: Path, folder: Path) -> None:
    """Raises CalledProcessError where anything fails."""
    _run([python, "-m", "venv", str(folder / "venv")], folder)
    inside = str(folder / "venv" / "bin" / "python")
    _run([inside, "-m", "pip", "install", "-q", str(wheel)], folder)
    for command in COMMANDS:
        _run([str(folder / "venv" / "bin" / "archcost"), *command], folder)
    _run([inside, "-m", "pip", "install", "-q", *TESTING], folder)
    shutil.copytree(ROOT / "tests", folder / "tests")
    for part in ("specs", "docs"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "pyproject.toml", folder)
    done = _run([inside, "-m", "pytest", "-q", "-k", "not verify", *_without_torch(folder)], folder)
    version = _run([inside, "--version"], folder)
    print(f"{version.strip()}, without torch: {len(COMMANDS)} commands, {done.strip().splitlines()[-1]}", flush=True)


def _without_torch(folder: Path) -> list[str]:
    files = [path for part in PARTS for path in sorted((folder / "tests" / part).glob("test_*.py"))]
    return [str(path) for path in files if not TORCH.search(path.read_text(encoding="utf-8"))]


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-3000:], done.stderr[-3000:], sep="\n")
        done.check_returncode()
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
