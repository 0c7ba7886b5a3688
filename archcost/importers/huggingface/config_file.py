"""Reading a `config.json`, and the network that it tells of: one of our families, or transformers' own module."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archcost.errors import ArchcostError, listing, shorten
from archcost.files.parse import parse, read_text
from archcost.files.values import as_list, as_mapping
from archcost.importers.huggingface.errors import has_transformers, unsuited
from archcost.importers.huggingface.families import FAMILIES, Family
from archcost.importers.huggingface.rules import UnsuitedError, size
from archcost.importers.huggingface.transformers_module import spec_of_config
from archcost.spec import ModelSpec, zoo
from archcost.spec.load import load
from archcost.spec.overrides import with_sequence

NAME = "config.json"
TYPE = "model_type"


def is_config(network: str) -> bool:
    """Whether it is a config of Hugging Face: a file of that name, or JSON with a `model_type` and no layers."""
    path = Path(network)
    if path.suffix != ".json" or not path.is_file():
        return path.name == NAME
    if path.name == NAME:
        return True
    text = read_text(path)
    return f'"{TYPE}"' in text and '"layers"' not in text


def from_config(path: str | Path, sequence: int | None = None) -> ModelSpec:
    """The network of a config, for any batch; no weights are read and nothing is fetched.

    It is one of our families where the config says nothing else, else transformers' own module on meta tensors, where
    transformers is installed. `sequence` is the length of `--sequence`. Raises ArchcostError.
    """
    file = Path(path)
    tree, kind = _read(file)
    family = FAMILIES.get(kind)
    try:
        if family is not None:
            return _of_family(family, kind, tree, file, sequence)
    except UnsuitedError as error:
        if not has_transformers():
            raise unsuited(kind, file, error) from None
    return spec_of_config(kind, tree, file, name_of(file, kind), sequence)


def _read(file: Path) -> tuple[Mapping[str, Any], str]:
    value, _ = parse(read_text(file), str(file))
    tree = as_mapping(value)
    if tree is None:
        raise ArchcostError(f"{file}: no config", expected="a mapping with model_type", found=shorten(value))
    kind = tree.get(TYPE)
    if not isinstance(kind, str):
        raise ArchcostError(
            f"{file} does not say which network it is of",
            expected=f"{TYPE}, as transformers writes it",
            found=f"only {listing([*tree], 6)}" if tree else "nothing",
            hint="a spec has a name and layers" if "layers" in tree else None,
        )
    return tree, kind


def name_of(file: Path, kind: str) -> str:
    """That of the folder, where it is a name."""
    told = file.resolve().parent.name if file.name == NAME else file.stem
    names = [re.sub(r"\W", "_", name, flags=re.ASCII)[:60] for name in (told, kind)]
    return next((name for name in names if name[:1].isalpha()), "network")


def _of_family(family: Family, kind: str, tree: Mapping[str, Any], file: Path, sequence: int | None) -> ModelSpec:
    keys = {**family.defaults, **tree}
    for key, values in family.fixed.items():
        if key in keys and keys[key] not in values:
            raise UnsuitedError(key, listing([str(value).lower() for value in values]), keys[key])
    base = load(zoo.folder() / "families" / f"{family.file}.yaml")
    parameters = {**base.parameters}
    for key, name in family.sizes.items():
        is_number = name in ("eps", "dropout")
        parameters[name] = _number(keys, key) if is_number else size(keys, key)
    parameters |= dict(family.more(keys)) if family.more else {}
    made = base.model_copy(
        update={
            "name": name_of(file, kind),
            "title": f"{kind} of {file}",
            "parameters": parameters,
            "published": None,
            "assumptions": (*base.assumptions, *_told(family, tree)),
        }
    )
    if sequence is not None:
        return with_sequence(made, sequence)
    return _no_longer(made, family, keys)


def _number(keys: Mapping[str, Any], key: str) -> float:
    found = keys.get(key)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 <= found < 1:
        raise UnsuitedError(key, "a number from 0, below 1", found)
    return float(found)


def _no_longer(spec: ModelSpec, family: Family, keys: Mapping[str, Any]) -> ModelSpec:
    """The family's own length, where the config takes as many."""
    if family.longest is None or keys.get(family.longest) is None or spec.sequence_parameter is None:
        return spec
    most, own = size(keys, family.longest), spec.values.get(spec.sequence_parameter)
    if not isinstance(own, int) or own <= most:
        return spec
    return spec.model_copy(update={"parameters": {**spec.parameters, spec.sequence_parameter: most}})


def _told(family: Family, tree: Mapping[str, Any]) -> tuple[str, ...]:
    told: list[str] = []
    heads = [str(head) for head in as_list(tree.get("architectures")) or ()]
    if heads and heads[0] not in family.heads:
        if not family.heads[0].endswith("Model"):
            raise UnsuitedError("architectures", listing([*family.heads]), heads[0])
        told.append(f"the layers are those of {family.heads[0]}, without what {heads[0]} adds")
    if "quantization_config" in tree:
        told.append("the weights are not quantised: quantization_config is for --weights to say")
    unknown = [key for key in tree if not family.knows(key) and key != "quantization_config" and key[:1] != "_"]
    if unknown:
        told.append(f"these keys of the config change nothing: {listing(unknown, 12)}")
    return tuple(told)
