"""LoRA: beside a frozen layer two products of a low rank, as PEFT's `lora.Linear`, `lora.Embedding` and `lora.Conv2d`
run them (peft/tuners/lora/layer.py, 0.21).

Their names are those that PEFT gives to its modules; what is a function there is named by what it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from archcost.errors import ShapeError
from archcost.graph.adaptation.composite import Part, field_of, made, placed
from archcost.graph.adaptation.modules import CONV1D, CONV1D_WEIGHT, Module
from archcost.layers import Layer
from archcost.spec.adapters import Adapter, Lora
from archcost.terms.memory_format import Shape

BASE = "base_layer"


def lora(module: Module, adapter: Lora, shape: Shape | None) -> Sequence[Part]:
    """The parts of PEFT's module in order of execution. Raises ShapeError where r is larger than the layer."""
    match module.kind:
        case "linear" | "conv1d":
            return _linear(module, adapter, shape)
        case "convolution":
            return _convolution(module, adapter, shape)
        case "embedding":
            return _embedding(module, adapter)


def frozen_base(module: Module, reads: str = "input") -> list[Part]:
    """The layer itself, frozen, under PEFT's name for it."""
    if module.kind != "conv1d":
        return [Part(placed(module.layers[0], BASE, (reads,), trainable=False))]
    names = [f"{BASE}.{name}" for name in ("view1", "bias", "weight", "addmm1", "view2")]
    inputs = ((reads,), (), (), (names[1], names[0], names[2]), (names[3],))
    parts: list[Part] = []
    for layer, name, read, type_ in zip(module.layers, names, inputs, CONV1D, strict=True):
        frozen = {"trainable": False} if type_ == "parameter" else {}
        parts.append(Part(placed(layer, name, read, **frozen)))
    return parts


def stays(adapter: Adapter) -> bool:
    """Whether the adapter's weights are in float32 in a run in 16 bits."""
    return adapter.dtype == "float32"


def cast_in(adapter: Adapter, reads: str = "input", name: str = "cast1") -> Part:
    """What arrives in the dtype of the adapter's weights."""
    return Part(made("cast", name, (reads,), dtype="float32" if stays(adapter) else "weights"))


def features_out(module: Module) -> int:
    if module.kind == "conv1d":
        return field_of(module.layers[CONV1D_WEIGHT], "shape")[1]
    return field_of(module.layers[0], "out_features" if module.kind == "linear" else "out_channels")


def check_rank(adapter: Lora, rows: int, columns: int) -> None:
    """A product of a rank that the matrix cannot have is more weights than the matrix itself, and a mistake."""
    if adapter.r > min(rows, columns):
        raise ShapeError(
            "r is larger than the layer",
            expected=f"at most {min(rows, columns)}, for a matrix of {rows}×{columns}",
            found=f"{adapter.type}:r={adapter.r}",
            hint="a smaller r, or exclude this layer",
        )


def _linear(module: Module, adapter: Lora, shape: Shape | None) -> Sequence[Part]:
    out = features_out(module)
    if shape:
        check_rank(adapter, out, shape[-1])
    kept = {"bias": False, "keep_float32": stays(adapter)}
    base = frozen_base(module)
    down, drop = dropped(adapter)
    products = [
        *drop,
        Part(made("linear", "lora_A.default", (down,), out_features=adapter.r, **kept)),
        Part(made("linear", "lora_B.default", ("lora_A.default",), out_features=out, **kept)),
    ]
    if module.layers[0].type in OF_BITSANDBYTES:
        return _beside_few_bits(module, adapter, products)
    return [*base, cast_in(adapter), *products, *_added(base[-1].layer, adapter)]


OF_BITSANDBYTES = ("linear_4bit", "linear_8bit")


def _beside_few_bits(module: Module, adapter: Lora, products: Sequence[Part]) -> Sequence[Part]:
    """Beside a layer of bitsandbytes (peft/tuners/lora/bnb.py): what arrives is cast where no autocast is on, the
    product goes into the layer's dtype before it is added, and what 4 bits give is copied first.
    """
    is_copied = module.layers[0].type == "linear_4bit"
    result = "clone1" if is_copied else BASE
    cast = made("cast", "cast1", ("input",), dtype="float32" if stays(adapter) else "weights", unless_autocast=True)
    return [
        *frozen_base(module),
        *([Part(made("clone", result, (BASE,)))] if is_copied else []),
        Part(cast),
        *products,
        Part(made("scale", "scale1", ("lora_B.default",), factor=adapter.factor)),
        Part(made("cast_like", "cast2", ("scale1", result))),
        Part(made("add", "add1", (result, "cast2")), ("cast1",)),
    ]


def dropped(adapter: Lora) -> tuple[str, list[Part]]:
    """What the first product reads, and the dropout, which is none for a share of 0 (torch.nn.Identity)."""
    if not adapter.dropout:
        return "cast1", []
    return "lora_dropout.default", [Part(made("dropout", "lora_dropout.default", ("cast1",), p=adapter.dropout))]


def _added(base: Layer, adapter: Lora, read: str = "lora_B.default", held: tuple[str, ...] = ("cast1",)) -> list[Part]:
    """The product scaled and added to what the layer gives, in the dtype of that."""
    result = base.name or BASE
    return [
        Part(made("scale", "scale1", (read,), factor=adapter.factor)),
        Part(made("add", "add1", (result, "scale1"))),
        Part(made("cast_like", "cast2", ("add1", result)), held),
    ]


def _convolution(module: Module, adapter: Lora, shape: Shape | None) -> Sequence[Part]:
    first, second = as_convolutions(module, adapter, shape)
    down, drop = dropped(adapter)
    return [
        *frozen_base(module),
        cast_in(adapter),
        *drop,
        Part(placed(first, "lora_A.default", (down,))),
        Part(placed(second, "lora_B.default", ("lora_A.default",))),
        *_added(placed(module.layers[0], BASE, ()), adapter),
    ]


def as_convolutions(module: Module, adapter: Lora, shape: Shape | None) -> tuple[Layer, Layer]:
    """The first product has the layer's kernel over all its channels, the second a kernel of one in its groups.

    PEFT leaves the layer's dilation and its way of padding out. Raises ShapeError where r does not suit.
    """
    layer, out = module.layers[0], features_out(module)
    fields = layer.model_dump(include={"kernel_size", "stride", "padding"})
    groups, dilation = field_of(layer, "groups"), field_of(layer, "dilation")
    if shape:
        check_rank(adapter, out, shape[1] * prod(_sizes(fields["kernel_size"], len(shape) - 2)))
    if fields["padding"] != "same" and any(size != 1 for size in _sizes(dilation)):
        raise ShapeError(
            "PEFT leaves the dilation of a convolution out, so its products do not fit",
            expected="convolutions without dilation, or with padding: same",
            found=f"dilation {dilation}",
            hint="exclude this layer",
        )
    if adapter.r % groups:
        raise ShapeError(
            "r cannot be cut into the layer's groups", expected=f"a multiple of {groups}", found=f"r={adapter.r}"
        )
    kept = {"bias": False, "keep_float32": stays(adapter)}
    first = made(layer.type, "lora_A.default", ("input",), out_channels=adapter.r, **fields, **kept)
    ones = {"out_channels": out, "kernel_size": 1, "groups": groups}
    return first, made(layer.type, "lora_B.default", ("lora_A.default",), **ones, **kept)


def _sizes(given: int | tuple[int, ...], axes: int = 1) -> tuple[int, ...]:
    """A field of a convolution for each axis."""
    return given if isinstance(given, tuple) else (given,) * axes


def _embedding(module: Module, adapter: Lora) -> Sequence[Part]:
    """Two matrices whose transposes are a table of `r` features and what these are multiplied by. No dropout."""
    layer = module.layers[0]
    rows, features = field_of(layer, "num_embeddings"), field_of(layer, "embedding_dim")
    check_rank(adapter, rows, features)
    kept = {"keep_float32": stays(adapter)}
    first, second = "lora_embedding_A.default", "lora_embedding_B.default"
    table = {"embedding_dim": adapter.r, "given": {"weight": "transpose1"}, "trainable": True}
    return [
        *frozen_base(module),
        Part(made("parameter", first, (), shape=(adapter.r, rows), **kept)),
        Part(made("transpose", "transpose1", (first,), dim0=-2, dim1=-1)),
        Part(made("parameter", second, (), shape=(features, adapter.r), **kept)),
        Part(made("transpose", "transpose2", (second,), dim0=-2, dim1=-1)),
        Part(placed(layer, "emb1", ("input",), **table)),
        Part(made("matmul", "matmul1", ("emb1", "transpose2"))),
        *_added(placed(layer, BASE, ()), adapter, "matmul1", ("transpose1", "transpose2", "emb1", "scale1")),
    ]
