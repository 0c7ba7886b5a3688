"""One model of a collection, in a process that may be any."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from importlib import import_module

from tests.collections.compare import Finding, Subject, compare

COLLECTIONS = ("torchvision", "timm", "transformers")


def subjects(collection: str) -> Iterator[Subject]:
    return import_module(f"tests.collections.{collection}_models").subjects()


def run(task: tuple[str, str]) -> Finding:
    collection, name = task
    subject = next(each for each in subjects(collection) if each.name == name)
    finding = compare(subject)
    gc.collect()
    return finding
