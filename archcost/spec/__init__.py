"""Declared networks: the schema, and reading it from files."""

from archcost.spec.load import load, loads
from archcost.spec.model import Block, BlockUse, InputSpec, LayerTemplate, ModelSpec, Published, Repeat

__all__ = ["Block", "BlockUse", "InputSpec", "LayerTemplate", "ModelSpec", "Published", "Repeat", "load", "loads"]
