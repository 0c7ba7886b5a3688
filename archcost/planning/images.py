"""A network with inputs of another image size."""

from __future__ import annotations

from collections.abc import Callable

from archcost.errors import ArchcostError
from archcost.graph import ModelGraph
from archcost.graph.build import assemble, build
from archcost.graph.wiring import wire
from archcost.spec import ModelSpec
from archcost.spec.overrides import resized


def has_image(spec: ModelSpec) -> bool:
    return _image(spec) is not None


def side(spec: ModelSpec) -> int:
    """The longest of the image's spatial extents. Raises ArchcostError where no input is an image."""
    return max(spec.inputs[_require_image(spec)].sizes[1:])


def with_side(spec: ModelSpec, size: int) -> ModelSpec:
    """The image a square, or a cube, of that side: (C, *S) → (C, size, size, …). Other inputs stay as they are.

    What a layer infers follows (`in_features` after a flatten, say), and what the spec makes of a parameter that is the
    side. Raises ArchcostError where no input is an image.
    """
    name = _require_image(spec)
    image = spec.inputs[name]
    sizes = (image.sizes[0], *[size] * (len(image.sizes) - 1))
    return resized(spec, {name: image.with_sizes(sizes)})


def sided(spec: ModelSpec, batch: int) -> Callable[[int], ModelGraph]:
    """Side → the network."""
    if spec.declared_inputs[_require_image(spec)].has_expression:  # layers may follow the same parameters
        return lambda size: build(with_side(spec, size), batch)
    return lambda size: assemble(with_side(spec, size), wire(spec).layers, batch)


def _image(spec: ModelSpec) -> str | None:
    """The first input with a channel axis and two spatial axes or more; one with a batch, where any has."""
    for name, given in spec.inputs.items():
        if len(given.sizes) >= 3 and given.batched == spec.has_batch:
            return name
    return None


def _require_image(spec: ModelSpec) -> str:
    name = _image(spec)
    if name is None:
        found = [f"{name} {'×'.join(map(str, given.sizes)) or 'scalar'}" for name, given in spec.inputs.items()]
        raise ArchcostError(
            f"{spec.name} has no image whose side could vary",
            expected="an input of channels and two spatial axes or more",
            found=", ".join(found[:4]),
        )
    return name
