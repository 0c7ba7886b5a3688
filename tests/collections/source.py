"""What a finding was made with: the state of archcost's code, and versions of libraries."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import version

from tests.documents import ROOT


@cache
def source() -> str:
    """What git calls the files of the package, a `+` behind it where they are not as committed."""
    tree = _git("rev-parse", "--short=10", "HEAD:archcost")
    return tree + ("+" if _git("status", "--porcelain", "archcost") else "")


LIBRARIES = {
    "torchvision": ("torchvision",),
    "timm": ("timm",),
    "transformers": ("transformers",),
    "far": (
        "diffusers",
        "segmentation_models_pytorch",
        "torchaudio",
        "ultralytics",
        "open_clip_torch",
        "kornia",
        "torch_geometric",
        "peft",
        "transformers",
    ),
}


def versions(collection: str) -> dict[str, str]:
    return {library: version(library) for library in ("torch", *LIBRARIES[collection])}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
