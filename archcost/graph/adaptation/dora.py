"""DoRA: LoRA whose sum with the layer is scaled, for each output, by a trained magnitude over the norm of the merged
weight (peft/tuners/lora/dora.py, 0.21).

The norm is taken of the layer's weight plus the product of the adapter's two, which is made anew in each forward pass:
for a linear layer as the adapter's output for the identity matrix. No gradient flows through the norm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archcost.errors import ShapeError
from archcost.graph.adaptation.composite import Part, field_of, made, placed
from archcost.graph.adaptation.lora import (
    BASE,
    as_convolutions,
    cast_in,
    check_rank,
    dropped,
    features_out,
    frozen_base,
    stays,
)
from archcost.graph.adaptation.modules import Module
from archcost.spec.adapters import Lora
from archcost.terms.memory_format import Shape

NORM = "lora_magnitude_vector.default"
WEIGHT, BIAS = f"{BASE}.weight", f"{BASE}.bias"
FIRST, SECOND = "lora_A.default", "lora_B.default"


def dora(module: Module, adapter: Lora, shape: Shape | None) -> Sequence[Part]:
    """The parts of PEFT's module in order of execution. Raises ShapeError where r is larger than the layer."""
    _refuse_borrowed(module)
    match module.kind:
        case "linear" | "conv1d":
            return _linear(module, adapter, shape)
        case "convolution":
            return _convolution(module, adapter, shape)
        case "embedding":
            return _embedding(module, adapter)


def _refuse_borrowed(module: Module) -> None:
    """The norm is taken of a weight that is the layer's own, and in floats."""
    layer = module.layers[0]
    if "given" in type(layer).model_fields and layer.shared_weight is not None:
        raise ShapeError(
            "no rule for DoRA on a layer that shares another's weight",
            expected="a weight of its own",
            found="a tied one",
        )
    if module.kind == "linear" and layer.type != "linear":
        raise ShapeError(
            "no rule for DoRA on a weight of few bits", expected="lora or rslora", found=layer.type, hint="type lora"
        )


def _n(name: str) -> str:
    return f"{NORM}.{name}"


def _base(module: Module, weight: Sequence[int], lends_bias: bool, op: str) -> tuple[list[Part], str]:
    """The layer, whose weight is a tensor that others read too, and the name of what it gives."""
    if module.kind == "conv1d":
        parts = frozen_base(module)
        return parts, parts[-1].layer.name or BASE
    layer = module.layers[0]
    given = dict(field_of(layer, "given"))
    parts: list[Part] = []
    if "weight" not in given:
        given["weight"] = WEIGHT
        parts.append(Part(made("parameter", WEIGHT, (), shape=tuple(weight), trainable=False)))
    if lends_bias and "bias" not in given:
        given["bias"] = BIAS
        parts.append(Part(made("parameter", BIAS, (), shape=(weight[0],), trainable=False)))
    name = f"{BASE}.{op}"
    return [*parts, Part(placed(layer, name, ("input",), trainable=False, given=given))], name


def _weight_of(module: Module) -> str:
    return WEIGHT if module.kind == "conv1d" else field_of(module.layers[0], "given").get("weight", WEIGHT)


def _has_bias(module: Module) -> bool:
    return module.kind == "conv1d" or bool(field_of(module.layers[0], "bias"))


def _linear(module: Module, adapter: Lora, shape: Shape | None) -> Sequence[Part]:
    out, features = features_out(module), shape[-1] if shape else 1
    if shape:
        check_rank(adapter, out, features)
    read, drop = dropped(adapter)
    subtracts = not adapter.dropout and _has_bias(module)
    base, result = _base(module, (out, features), subtracts, "fc1")
    kept = {"bias": False, "keep_float32": stays(adapter)}
    first, second = {"out_features": adapter.r, **kept}, {"out_features": out, **kept}
    is_turned = module.kind == "conv1d"
    identity = made("constant", f"{FIRST}.constant1", (), shape=(features, features), dtype=_dtype(adapter))
    turned = [Part(made("transpose", _n("transpose2"), (_n("cast2"),), dim0=-2, dim1=-1))] if is_turned else []
    weight = _n("transpose2") if is_turned else _n("cast2")
    if adapter.dropout:
        turned_again = made("transpose", _n("transpose3"), (_n("cast2"),), dim0=-2, dim1=-1)
        own = _n("transpose3") if is_turned else _n("cast2")
        again = made_with_given("linear", _n("fc1"), (read,), {"weight": own}, out_features=out, bias=False)
        product, products = _n("fc1"), [*([Part(turned_again)] if is_turned else []), Part(again)]
    elif subtracts:
        product, products = _n("sub1"), [Part(made("sub", _n("sub1"), (result, BIAS)))]
    else:
        product, products = result, []
    held = tuple(
        dict.fromkeys((product, _n("cast1"), _n("cast2"), _n("detach2"), _n("view1"), _n("div1"), f"{SECOND}.fc2"))
    )
    return [
        *base,
        cast_in(adapter),
        *drop,
        Part(identity),
        Part(made("linear", f"{FIRST}.fc1", (f"{FIRST}.constant1",), **first)),
        Part(made("linear", f"{SECOND}.fc1", (f"{FIRST}.fc1",), **second)),
        Part(made("transpose", _n("transpose1"), (f"{SECOND}.fc1",), dim0=-2, dim1=-1), (f"{FIRST}.constant1",)),
        Part(made("cast_like", _n("cast1"), (_n("transpose1"), read)), (f"{SECOND}.fc1",)),
        Part(made("cast_like", _n("cast2"), (_weight_of(module), read))),
        Part(made("detach", _n("detach1"), (_n("cast1"),))),
        *turned,
        Part(made("scale", _n("scale1"), (_n("detach1"),), factor=adapter.factor)),
        Part(made("add", _n("add1"), (weight, _n("scale1")))),
        Part(made("norm", _n("norm1"), (_n("add1"),), dim=(1,))),
        Part(made("cast_like", _n("cast3"), (_n("norm1"), _n("add1"))), (_n("add1"), _n("detach1"))),
        Part(made("detach", _n("detach2"), (_n("cast3"),))),
        Part(made("parameter", _n("weight"), (), shape=(out,), keep_float32=stays(adapter))),
        Part(made("div", _n("div1"), (_n("weight"), _n("detach2")))),
        Part(made("view", _n("view1"), (_n("div1"),), shape=(1, out))),
        Part(made("linear", f"{FIRST}.fc2", (read,), weight=f"{FIRST}.fc1.weight", **first)),
        Part(
            made("linear", f"{SECOND}.fc2", (f"{FIRST}.fc2",), out_features=out, weight=f"{SECOND}.fc1.weight", **kept)
        ),
        *products,
        *_scaled(adapter, _n("view1"), product, f"{SECOND}.fc2", held),
        *_sum(adapter, result, read),
    ]


def _dtype(adapter: Lora) -> str:
    return "float32" if stays(adapter) else "weights"


def made_with_given(type_: str, name: str, inputs: tuple[str, ...], given: dict[str, str], **fields: Any) -> Any:
    """A layer that is lent its weights."""
    return placed(made(type_, name, inputs, **fields), name, inputs, given=given)


def _scaled(adapter: Lora, scale: str, base: str, product: str, held: tuple[str, ...]) -> Sequence[Part]:
    """(scale - 1)·base + scale·product·factor, while the variables of PEFT's forward are held."""
    return [
        Part(made("scale", _n("scale2"), (scale,), shift=-1)),
        Part(made("mul", _n("mul1"), (_n("scale2"), base))),
        Part(made("mul", _n("mul2"), (scale, product))),
        Part(made("scale", _n("scale3"), (_n("mul2"),), factor=adapter.factor)),
        Part(made("add", _n("add2"), (_n("mul1"), _n("scale3"))), held),
    ]


def _sum(adapter: Lora, result: str, read: str) -> Sequence[Part]:
    return [
        Part(made("add", "add1", (result, _n("add2"))), (read,) if adapter.dropout else ()),
        Part(made("cast_like", "cast2", ("add1", result)), ("cast1",)),
    ]


def _convolution(module: Module, adapter: Lora, shape: Shape | None) -> Sequence[Part]:
    layer, axes = module.layers[0], (len(shape) - 2 if shape else 2)
    channels = shape[1] if shape else 1
    first, second = as_convolutions(module, adapter, shape)
    taps = _taps(field_of(layer, "kernel_size"), axes)
    out, groups = features_out(module), field_of(layer, "groups")
    weight = (out, channels // groups, *taps)
    subtracts = not adapter.dropout and _has_bias(module)
    base, result = _base(module, weight, subtracts, "conv1")
    read, drop = dropped(adapter)
    kept = {"keep_float32": stays(adapter)}
    ones = (1,) * axes
    a_shape, b_shape = (adapter.r, channels, *taps), (out, adapter.r // groups, *ones)
    flat = made("view", _n("view2"), (f"{SECOND}.weight",), shape=(-1, adapter.r))
    flat_first = made("view", _n("view3"), (f"{FIRST}.weight",), shape=(adapter.r, -1))
    if adapter.dropout:
        again = placed(layer, _n("conv1"), (read,), trainable=False, given={"weight": _weight_of(module)}, bias=False)
        product, products = _n("conv1"), [Part(again)]
    elif subtracts:
        view = made("view", _n("view1"), (BIAS,), shape=(1, out, *ones))
        product, products = _n("sub1"), [Part(view), Part(made("sub", _n("sub1"), (result, _n("view1"))))]
    else:
        product, products = result, []
    held = (product, _n("view4"), _n("matmul1"), _n("detach2"), _n("div1"))
    scaled = list(_scaled(adapter, _n("div1"), product, f"{SECOND}.conv1", held))
    return [
        *base,
        cast_in(adapter),
        *drop,
        Part(made("parameter", f"{SECOND}.weight", (), shape=b_shape, **kept)),
        Part(flat),
        Part(made("parameter", f"{FIRST}.weight", (), shape=a_shape, **kept)),
        Part(flat_first),
        Part(made("matmul", _n("matmul1"), (_n("view2"), _n("view3")))),
        Part(made("view", _n("view4"), (_n("matmul1"),), shape=weight)),
        Part(made("detach", _n("detach1"), (_n("view4"),))),
        Part(made("scale", _n("scale1"), (_n("detach1"),), factor=adapter.factor)),
        Part(made("add", _n("add1"), (_weight_of(module), _n("scale1")))),
        Part(made("norm", _n("norm1"), (_n("add1"),), dim=tuple(range(1, axes + 2)), keepdim=True)),
        Part(made("transpose", _n("transpose1"), (_n("norm1"),), dim0=1, dim1=0), (_n("add1"), _n("detach1"))),
        Part(made("detach", _n("detach2"), (_n("transpose1"),)), (_n("norm1"),)),
        Part(made("parameter", _n("weight"), (), shape=(1, out, *ones), **kept)),
        Part(made("div", _n("div1"), (_n("weight"), _n("detach2")))),
        *products,
        *scaled[:2],
        Part(placed(first, f"{FIRST}.conv1", (read,), given={"weight": f"{FIRST}.weight"})),
        Part(placed(second, f"{SECOND}.conv1", (f"{FIRST}.conv1",), given={"weight": f"{SECOND}.weight"})),
        *scaled[2:],
        *_sum(adapter, result, read),
    ]


def _taps(kernel: int | tuple[int, ...], axes: int) -> tuple[int, ...]:
    return (
        kernel
        if isinstance(kernel, tuple) and len(kernel) == axes
        else (kernel if isinstance(kernel, int) else kernel[0],) * axes
    )


def _embedding(module: Module, adapter: Lora) -> Sequence[Part]:
    layer = module.layers[0]
    rows, features = field_of(layer, "num_embeddings"), field_of(layer, "embedding_dim")
    check_rank(adapter, rows, features)
    base, result = _base(module, (rows, features), False, "emb1")
    kept = {"keep_float32": stays(adapter)}
    first, second = "lora_embedding_A.default", "lora_embedding_B.default"
    table = placed(layer, "emb1", ("input",), embedding_dim=adapter.r, given={"weight": "transpose1"}, trainable=True)
    held = ("transpose1", "transpose2", _n("scale2"), _n("div1"))
    return [
        *base,
        Part(made("parameter", first, (), shape=(adapter.r, rows), **kept)),
        Part(made("transpose", "transpose1", (first,), dim0=-2, dim1=-1)),
        Part(made("parameter", second, (), shape=(features, adapter.r), **kept)),
        Part(made("transpose", "transpose2", (second,), dim0=-2, dim1=-1)),
        Part(made("matmul", _n("matmul1"), ("transpose1", "transpose2"))),
        Part(made("transpose", _n("transpose1"), (_n("matmul1"),), dim0=-2, dim1=-1)),
        Part(made("detach", _n("detach1"), (_n("transpose1"),))),
        Part(made("transpose", _n("transpose2"), (_weight_of(module),), dim0=-2, dim1=-1)),
        Part(made("scale", _n("scale1"), (_n("detach1"),), factor=adapter.factor)),
        Part(made("add", _n("add1"), (_n("transpose2"), _n("scale1")))),
        Part(made("norm", _n("norm1"), (_n("add1"),), dim=(1,))),
        Part(made("cast_like", _n("cast1"), (_n("norm1"), _n("add1"))), (_n("add1"), _n("detach1"))),
        Part(made("detach", _n("detach2"), (_n("cast1"),))),
        Part(made("parameter", _n("weight"), (), shape=(features,), **kept)),
        Part(made("div", _n("div1"), (_n("weight"), _n("detach2")))),
        Part(table),
        Part(made("matmul", _n("matmul2"), ("emb1", "transpose2"))),
        Part(made("mul", _n("mul1"), (_n("div1"), _n("matmul2")))),
        Part(made("scale", _n("scale2"), (_n("mul1"),), factor=adapter.factor), (_n("transpose1"), _n("detach2"))),
        Part(made("mul", "mul1", (_n("div1"), result))),
        Part(made("add", "add1", ("mul1", _n("scale2"))), held),
        Part(made("cast_like", "cast1", ("add1", result))),
    ]
