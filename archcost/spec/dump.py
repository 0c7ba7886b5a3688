"""How a spec is written as YAML: outer structure in block style, each layer on one line."""

from __future__ import annotations

from typing import Any

import yaml

from archcost.files.parse import plain_scalar


class SpecDumper(yaml.SafeDumper):
    """Block style, but flow style for what fits a line: shapes, and entries without entries of their own."""

    def represent_str(self, data: str) -> yaml.ScalarNode:
        """Quoted where our reader would take it for a number: PyYAML writes for YAML 1.1, which has others."""
        style = None if plain_scalar(data) is data else "'"
        return yaml.ScalarNode("tag:yaml.org,2002:str", data, style=style)

    def ignore_aliases(self, data: Any) -> bool:
        """What stands twice is written twice: our reader takes no aliases."""
        return True

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        flat = not any(isinstance(entry, (dict, list, tuple)) for entry in sequence)
        return super().represent_sequence(tag, sequence, flow_style=flat)

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        is_entry = "layers" not in mapping and any(key in mapping for key in ("type", "block", "shape"))
        return super().represent_mapping(tag, mapping, flow_style=is_entry)

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        return super().increase_indent(flow, False)


SpecDumper.add_representer(str, SpecDumper.represent_str)
