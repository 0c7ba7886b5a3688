"""A layer in the words of Keras, torch or ONNX → its entry as a spec writes it, for messages alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from archcost.files.values import as_list, spell
from archcost.layers import LAYERS, TYPES
from archcost.layers.foreign_names import ACTIVATIONS, COSTS_NOTHING, FIELDS, INFERRED, squash, type_named


def meant(name: str, axes: int | None = None) -> str | None:
    """The layer type that a name of another library means; None where there is no telling.

    `axes` are those of the network's input without batch and channels: two for images.
    """
    word = squash(name[:100])
    found = type_named(name) or _by_card(name)
    if found is None or squash(found) == word or re.search("[0-9]", word):
        return found
    other_axes = re.sub("2d$", f"{axes}d", found)  # `Conv` and `bn` do not say over how many axes
    return other_axes if axes is not None and other_axes in TYPES else found


def _by_card(name: str) -> str | None:
    """A type by what its card says torch and ONNX call it."""
    last = name.rpartition(".")[2]
    if not re.fullmatch(r"[A-Za-z]\w{1,60}", last):
        return None
    for type_ in LAYERS:
        card = LAYERS[type_].card
        torch_name = (card.torch or "").rpartition(".")[2]
        if last in (torch_name, *card.calls) or (card.onnx and card.onnx.operator == last):
            return type_
    return None


def field_meant(field: str, layer_type: str) -> str | None:
    """The field of a layer type that another library's name for one means."""
    known = TYPES[layer_type].model_fields
    if field in known:
        return None
    return next((ours for ours in FIELDS.get(field, ()) if ours in known), None)


def is_foreign(field: str, layer_type: str) -> bool:
    """Whether a field is none of the layer's, and known of another library."""
    if field in TYPES[layer_type].model_fields or field in INFERRED:
        return False
    known = field in ("activation", "input_shape") or COSTS_NOTHING.fullmatch(field)
    return bool(known) or field_meant(field, layer_type) is not None


def rewritten(entry: Mapping[str, Any], layer_type: str) -> str:
    """The entry as a spec writes it, as one line: fields renamed, what is not needed left out, and a layer of its own
    for an activation.
    """
    if layer_type == "relu" and entry.get("max_value") in (6, 6.0):
        layer_type = "relu6"
    known = TYPES[layer_type].model_fields
    fields: dict[str, Any] = {}
    for field, value in list(entry.items())[:30]:
        ours = field if field in known else field_meant(field, layer_type)
        if ours and field not in ("type", "activation"):
            fields[ours] = value
    fields = {field: "[…]" if isinstance(value, str) and value[:1] == "(" else value for field, value in fields.items()}
    pads = as_list(entry.get("pads"))  # of ONNX: where each axis begins, then where each ends
    if pads and pads[: len(pads) // 2] == pads[len(pads) // 2 :]:
        fields["padding"] = pads[: len(pads) // 2]
    fields = _converted(fields, layer_type, str(entry.get("type", "")))
    missing = {name: "…" for name, field in known.items() if field.is_required() and name not in fields}
    first = _entry({"type": layer_type, **fields, **missing})
    return ", then ".join([first, *_behind(entry, layer_type)])


def _converted(fields: dict[str, Any], layer_type: str, written: str) -> dict[str, Any]:
    """Values that mean something else there, and defaults of Keras'."""
    fields = dict(fields)
    word = squash(written)
    is_keras_pool = word in ("maxpool2d", "maxpool1d", "maxpool3d") or "pooling" in word
    if layer_type.startswith(("max_pool", "avg_pool")) and is_keras_pool:
        fields.setdefault("kernel_size", 2)
    if layer_type.startswith("adaptive_"):
        fields["output_size"] = fields.get("output_size", 1)
    if word.startswith("upsampling"):
        fields.setdefault("scale_factor", fields.pop("size", 2))
    if layer_type in ("softmax", "log_softmax"):
        fields.setdefault("dim", -1)
    if word == "permute" and (dims := as_list(fields.get("dims"))):
        fields["dims"] = [0, *dims]
    return _with_padding(fields, layer_type)


def _with_padding(fields: dict[str, Any], layer_type: str) -> dict[str, Any]:
    """`padding: same` and `valid` as numbers, so that the output is as large as Keras'."""
    padding = fields.get("padding")
    if not isinstance(padding, str) or padding.lower() not in ("same", "valid"):
        return fields
    without = {key: value for key, value in fields.items() if key != "padding"}
    if padding.lower() == "valid":
        return without
    kernel, stride = _single(fields.get("kernel_size")), _single(fields.get("stride", 1))
    if layer_type.startswith(("max_pool", "avg_pool")):
        return {**without, "ceil_mode": True} if "stride" not in fields or kernel == stride else without
    if layer_type.startswith("conv_transpose") and kernel and stride and kernel >= stride:
        half = -(-(kernel - stride) // 2)
        more = {"output_padding": 2 * half - (kernel - stride)}
        return {**without, **({"padding": half} if half else {}), **({} if not more["output_padding"] else more)}
    if stride == 1:
        return {**without, "padding": "same"}
    return {**without, "padding": kernel // 2} if kernel and kernel % 2 else {**without, "padding": "…"}


def _single(value: Any) -> int | None:
    """The size along all axes, where it is one."""
    entries = as_list(value)
    alike = entries is not None and len({*map(repr, entries)}) == 1
    one = entries[0] if entries is not None and alike else value
    return one if type(one) is int else None


def _behind(entry: Mapping[str, Any], layer_type: str) -> list[str]:
    """The layers that stand behind one: Keras' `activation`, and the flattening that its global pools do."""
    activation = entry.get("activation") if layer_type not in ("lstm", "gru", "rnn") else None  # theirs is within
    written = str(entry.get("type", ""))
    behind = ["{type: flatten}"] if squash(written).startswith("global") and layer_type.startswith("adaptive") else []
    if not isinstance(activation, str):
        return behind
    type_ = meant(activation)
    told = ACTIVATIONS.get(squash(activation), f"{{type: {type_}}}" if type_ else "a layer for the activation")
    return [*behind, told] if told else behind


def _entry(fields: Mapping[str, Any]) -> str:
    pairs = [f"{key}: {value if isinstance(value, str) else spell(value)}" for key, value in fields.items()]
    return "{" + shorten_each(pairs) + "}"


def shorten_each(pairs: list[str]) -> str:
    return ", ".join(pair if len(pair) <= 60 else pair[:59] + "…" for pair in pairs)
