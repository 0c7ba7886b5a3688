"""Any NETWORK → `ModelSpec`: a shipped name, a file, or Python that makes a module."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import isfile
from pathlib import Path
from typing import Any

from archcost.errors import SpecError
from archcost.spec.changes import NO_CHANGES, Changes
from archcost.spec.model import ModelSpec


def load(
    network: str | Path,
    settings: Sequence[str] = (),
    inputs: Sequence[str] = (),
    args: Any = None,
    changes: Changes = NO_CHANGES,
    sequence: int | None = None,
) -> ModelSpec:
    """The spec of a shipped network by its name, of a `.yaml`, `.yml`, `.json` or `.onnx` file, of a
    `config.json` of Hugging Face, or of `module:callable`.

    `settings` and `inputs` are those of `--set` and `--input`, `args` those of `--args`: what the callable is given, a
    mapping or a list, `changes` those of `--freeze` and its like. `sequence` is the length of `--sequence`: a parameter
    of a spec, the sizes of the inputs of tokens that a callable's module is run with, the axis that an ONNX file leaves
    open. `module:callable` imports and runs the caller's own Python; a file never runs any. Raises ArchcostError.
    """
    return changes.apply_to(_as_declared(network, settings, inputs, args, sequence))


def _as_declared(
    network: str | Path, settings: Sequence[str], inputs: Sequence[str], args: Any, sequence: int | None
) -> ModelSpec:
    from archcost.spec.overrides import override

    text = str(network)
    if is_callable(text):
        from archcost.importers.python_callable import load_callable

        return override(load_callable(text, args, inputs, sequence), settings)
    if args is not None:
        raise SpecError("--args belongs to a callable", expected="module:callable as NETWORK", found=text[:100])
    if text.endswith(".onnx"):
        from archcost.importers import from_onnx

        return override(from_onnx(network, inputs, sequence=sequence), settings)
    if text.endswith(".json"):
        from archcost.importers.huggingface import from_config, is_config

        if is_config(text):
            return override(from_config(network, sequence), settings, inputs)
    from archcost.spec.load import load as load_spec

    return override(load_spec(network), settings, inputs, sequence)


def is_callable(network: str) -> bool:
    """Whether it reads as `package.module:callable`, and is no file."""
    module, colon, name = network.partition(":")
    words = [*module.split("."), *name.split(".")]
    return bool(colon) and all(word.isidentifier() for word in words) and not isfile(network)
