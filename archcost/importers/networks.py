"""Any NETWORK → `ModelSpec`: a shipped name, a file, or Python that makes a module."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from os.path import isfile
from pathlib import Path
from typing import Any, TextIO

from archcost.errors import Place, SpecError
from archcost.files.parse import LARGEST_FILE
from archcost.spec.changes import NO_CHANGES, Changes
from archcost.spec.model import ModelSpec


def load(
    network: str | Path,
    settings: str | Sequence[str] | Mapping[str, Any] = (),
    inputs: str | Sequence[str] = (),
    args: Any = None,
    changes: Changes = NO_CHANGES,
    sequence: int | None = None,
) -> ModelSpec:
    """The spec of a shipped network by its name, of a `.yaml`, `.yml`, `.json` or `.onnx` file, of a
    `config.json` of Hugging Face, or of `module:callable`; `-` is a spec's text on standard input.

    `settings` are those of `--set`, `["classes=10"]` or `{"classes": 10}`, `inputs` those of `--input`, `args` those of
    `--args`: what the callable is given, a mapping or a list, `changes` those of `--freeze` and its like. `sequence` is
    the length of `--sequence`: a parameter of a spec, the sizes of the inputs of tokens that a callable's module is run
    with, the axis that an ONNX file leaves open. `module:callable` imports and runs the caller's own Python; a file
    never runs any. Raises ArchcostError.
    """
    try:
        return changes.apply_to(_as_declared(network, _written(settings), _written(inputs), args, sequence))
    except SpecError as error:
        raise with_those_of_the_graph(error) from None


def loads(text: str, file: str = "<text>") -> ModelSpec:
    """The spec of YAML or JSON text that stands alone (no `extends`). Raises SpecError with every mistake in it."""
    from archcost.spec.load import loads

    try:
        return loads(text, file)
    except SpecError as error:
        raise with_those_of_the_graph(error) from None


def with_those_of_the_graph(error: SpecError) -> SpecError:
    """The mistakes in a file's entries, and those that are found where the others are built."""
    if error.rest is None:
        return error
    from archcost.graph import build

    try:
        build(error.rest)
    except SpecError as found:
        return found if len(found.others) >= len(error.others) else error
    return error


def _written(given: str | Sequence[str] | Mapping[str, Any]) -> Sequence[str]:
    """As on the command line, where values are YAML, of which JSON is a part."""
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, Mapping):
        return given
    import json  # which the command line, all of whose settings are text, has no need of

    values = {key: each if isinstance(each, str) else json.dumps(each, default=str) for key, each in given.items()}
    return [f"{key}={value}" for key, value in values.items()]


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
    if text == STANDARD_INPUT:
        from archcost.spec.load import loads

        return override(loads(standard_input(), "<standard input>"), settings, inputs, sequence)
    if text.endswith(".onnx"):
        from archcost.importers import from_onnx

        return override(from_onnx(network, inputs, sequence=sequence), settings)
    if text.endswith(".json"):
        from archcost.importers.huggingface import from_config, is_config

        if is_config(text):
            return override(from_config(network, sequence), settings, inputs)
    from archcost.spec.load import load as load_spec

    return override(load_spec(network), settings, inputs, sequence)


STANDARD_INPUT = "-"
"""As a NETWORK: a spec, in YAML or JSON, from a pipe."""


def standard_input() -> str:
    """What comes from there, which can be read once and may be asked for again. Raises SpecError for what is no spec's
    text.
    """
    return _text_of(sys.stdin)


@lru_cache(maxsize=1)
def _text_of(stream: TextIO) -> str:
    place = Place("<standard input>", 1, 1)
    data = stream.buffer.read(LARGEST_FILE + 1) if hasattr(stream, "buffer") else stream.read().encode()
    if len(data) > LARGEST_FILE:
        raise SpecError("the text is too large", expected="at most 8 MiB", found="more", place=place)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SpecError("not UTF-8 text", expected="a spec in YAML or JSON", found="bytes", place=place) from None


def is_callable(network: str) -> bool:
    """Whether it reads as `package.module:callable`, and is no file."""
    module, colon, name = network.partition(":")
    words = [*module.split("."), *name.split(".")]
    return bool(colon) and all(word.isidentifier() for word in words) and not isfile(network)
