"""Entries of a spec → layers: templates with their values put in, and equal layers made one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from archcost.files.values import Path
from archcost.graph.parameters import Parameters
from archcost.layers import TYPES, Composite, Declared
from archcost.spec.evaluation import Values
from archcost.spec.mistakes import explain
from archcost.spec.model import LayerTemplate, ModelSpec
from archcost.spec.values import Value


class Layers:
    """The layers of one spec, while it is expanded.

    They are known by their fields as text, in which 1, 1.0 and true differ: equal ones are one object, whose facts are
    worked out once. Templates and values are known by their identity.
    """

    def __init__(self, spec: ModelSpec, parameters: Parameters) -> None:
        self._spec = spec
        self._parameters = parameters
        self._layers: dict[tuple[int, int], Declared] = {}
        self._bare: dict[int, Declared] = {}
        self._by_fields: dict[str, Declared] = {}

    def fill_template(self, template: LayerTemplate, values: Values, name: str, path: Path) -> Declared:
        """The layer of a template with these values of the parameters."""
        key = (id(template), id(values))
        if key not in self._layers:
            filled = {k: self._parameters.fill(v, values, name, (*path, k)) for k, v in template.fields.items()}
            self._layers[key] = self._filled(template, filled, name, path)
        return self._layers[key]

    def _filled(self, template: LayerTemplate, fields: Mapping[str, Value], name: str, path: Path) -> Declared:
        kind = TYPES[template.type]
        inputs = {"inputs": template.inputs} if issubclass(kind, Composite) else {}  # whose parts depend on them
        tree: dict[str, Any] = {"type": template.type, **inputs, **fields}
        alike = repr(tree)
        if alike not in self._by_fields:
            try:
                self._by_fields[alike] = kind.model_validate(tree)
            except ValidationError as error:
                raise explain(error, tree, self._spec.source, path, template.fields).at(layer=name) from None
        return self._by_fields[alike]

    def without_place(self, layer: Declared) -> Declared:
        """The layer without its name and inputs, so that equal layers of a spec without blocks are one object too."""
        if id(layer) not in self._bare:
            self._bare[id(layer)] = layer if isinstance(layer, Composite) else self._copied(layer)
        return self._bare[id(layer)]

    def _copied(self, layer: Declared) -> Declared:
        alike = repr({field: value for field, value in layer.__dict__.items() if field not in ("name", "inputs")})
        if alike not in self._by_fields:
            self._by_fields[alike] = layer.model_copy(update={"name": None, "inputs": ()})
        return self._by_fields[alike]
