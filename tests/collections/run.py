"""One model of a collection, in a process that may be any."""

from __future__ import annotations

import gc
from importlib import import_module
from typing import Any

from tests.collections.compare import compare
from tests.collections.finding import Finding

COLLECTIONS = ("torchvision", "timm", "transformers")


def collection(name: str) -> Any:
    return import_module(f"tests.collections.{name}_models")


def run(task: tuple[str, str]) -> Finding:
    models, name = task
    finding = compare(collection(models).subject(name), collection(models).RUNS)
    gc.collect()
    return finding
