"""A config that is none of our families, by transformers' own module on meta tensors: nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from archcost.errors import ArchcostError, first_line
from archcost.importers.huggingface.errors import unknown_kind
from archcost.spec import ModelSpec

LENGTH = 512
"""Tokens, where nothing is said and the config takes as many."""


def spec_of_config(kind: str, tree: Mapping[str, Any], file: Path, name: str, sequence: int | None) -> ModelSpec:
    """The module that transformers makes of a config, followed on an example. Raises ArchcostError."""
    from archcost.importers import from_torch
    from archcost.importers.python_callable import printing_to_stderr

    try:
        library: Any = import_module("transformers")
    except ImportError:
        raise unknown_kind(kind, file) from None
    with printing_to_stderr():
        config = _config(library, kind, tree, file)
        module = _module(library, config, tree, file)
        examples = _examples(config, module, file, sequence)
        title = f"{kind} of {file}, by transformers {library.__version__}"
        return from_torch(module, name=name, title=title, **examples)


def _config(library: Any, kind: str, tree: Mapping[str, Any], file: Path) -> Any:
    """As transformers reads it; code that a config names is never run."""
    if kind not in library.models.auto.configuration_auto.CONFIG_MAPPING_NAMES:
        raise unknown_kind(kind, file)
    fields = {key: value for key, value in tree.items() if key not in ("model_type", "auto_map", "quantization_config")}
    try:
        return library.AutoConfig.for_model(kind, **{**fields, "use_cache": False})
    except Exception as error:
        raise _refused(library, file, "a config that transformers takes", error) from error


def _module(library: Any, config: Any, tree: Mapping[str, Any], file: Path) -> Any:
    """Of the architecture that the config names, else the model without a head."""
    import torch

    named = tree.get("architectures")
    heads = [str(head) for head in named] if isinstance(named, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    kind = getattr(library, heads[0], None) if heads else None
    is_model = isinstance(kind, type) and issubclass(kind, library.PreTrainedModel)
    try:
        with torch.device("meta"):
            return kind(config) if is_model else library.AutoModel.from_config(config)  # pyright: ignore[reportOptionalCall]
    except Exception as error:
        raise _refused(library, file, "a config that transformers makes a module of", error) from error


def _examples(config: Any, module: Any, file: Path, sequence: int | None) -> dict[str, Any]:
    """What the module reads, one sample of it."""
    import torch

    most = getattr(config, "max_position_embeddings", None)
    length = sequence or (min(LENGTH, most) if isinstance(most, int) else LENGTH)
    tokens = torch.zeros(1, length, dtype=torch.int64)
    name = module.main_input_name
    if name == "input_ids":
        is_pair = getattr(config, "is_encoder_decoder", False)
        return {"input_ids": tokens, **({"decoder_input_ids": tokens.clone()} if is_pair else {})}
    side = getattr(config, "image_size", None)
    sides = (side, side) if isinstance(side, int) else side
    if name == "pixel_values" and isinstance(sides, (list, tuple)) and sequence is None:
        return {"pixel_values": torch.zeros(1, getattr(config, "num_channels", 3), *map(int, sides))}  # pyright: ignore
    raise ArchcostError(
        f"{file}: what this network reads is not told by its config",
        expected="input_ids, or pixel_values with an image_size" + (", without --sequence" if sequence else ""),
        found=str(name),
        hint="module:callable as NETWORK, with --input",
    )


def _refused(library: Any, file: Path, expected: str, error: Exception) -> ArchcostError:
    return ArchcostError(
        f"{file}: transformers {library.__version__} refuses it",
        expected=expected,
        found=f"{type(error).__name__}: {first_line(error)}"[:300],
    )
