"""One model of a collection, in a process that may be any."""

from __future__ import annotations

import gc
from dataclasses import replace
from importlib import import_module
from typing import Any

from tests.collections.compare import compare
from tests.collections.finding import Finding
from tests.collections.source import source

COLLECTIONS = ("torchvision", "timm", "transformers", "far")


def collection(name: str) -> Any:
    return import_module(f"tests.collections.{name}_models")


def run(task: tuple[str, str]) -> Finding:
    models, name = task
    members = collection(models)
    finding = compare(members.subject(name), members.RUNS, getattr(members, "PRECISIONS", ("fp32",)))
    finding = replace(finding, source=source())
    if hasattr(members, "published"):
        finding = replace(finding, published=members.published(name))
    gc.collect()
    return finding
