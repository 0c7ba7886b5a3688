"""The rules: each looks at a graph, and says which layers are certainly odd."""

from __future__ import annotations

from collections.abc import Iterator

from archcost.graph import ModelGraph, Node
from archcost.graph.model_graph import Port
from archcost.lints.findings import Odd, Rule
from archcost.lints.reading import Reading
from archcost.spec.loss import read_loss
from archcost.tensors import format_shape
from archcost.terms.windows import Window

IMAGE_CHANNELS = (1, 3, 4)
"""Grey, colour, and colour with transparency."""

SMALLEST_SIDE = 8
"""Of what is taken for an image."""

CLAMPING = ("relu", "relu6", "abs")
"""Of these a second one changes nothing."""


def linear_on_image(reading: Reading) -> Iterator[Odd]:
    graph = reading.graph
    for node in graph.nodes:
        if node.layer.type != "linear" or node.input_types[0].rank < 3:
            continue
        source = reading.spatial_source(node.inputs[0])
        if source is not None:
            shape = format_shape(node.input_types[0].shape)
            found = f"{shape} ({node.inputs[0]}), of which {source} has the channels on axis 1; linear reads the last"
            yield Odd(node.name, found, "{type: flatten} before it, or a global pool and then flatten")


def channels_last_input(reading: Reading) -> Iterator[Odd]:
    graph = reading.graph
    for name, tensor in graph.inputs.items():
        if tensor.rank != 4 or tensor.shape[3] not in IMAGE_CHANNELS:
            continue
        height, width = tensor.shape[1:3]
        readers = [node.name for node in reading.readers(name) if reading.is_spatial(node)]
        if readers and min(height, width) >= SMALLEST_SIDE:
            found = f"{format_shape(tensor.shape)}, which {readers[0]} takes for {height:,} channels"
            yield Odd(name, found, f"[{tensor.shape[3]}, {height}, {width}]: channels, height, width")


def unread(reading: Reading) -> Iterator[Odd]:
    """With `outputs`, a branch that none of them depends on. Without, all that no layer reads is returned: heads are as
    the last layer is, so that one of another type has been forgotten.
    """
    graph = reading.graph
    for name in graph.inputs:
        if not reading.readers(name) and not reading.is_returned(name):
            yield Odd(name, "no layer reads it", "leave it out of inputs, or name it in the inputs of a layer")
    for node in graph.nodes:
        if reading.readers(node.name) or not reading.costs_alone(node):
            continue
        if not reading.is_returned(node.name):
            yield Odd(node.name, "no layer reads it, and outputs does not name it", _read_it(node))
        elif graph.spec.outputs is None and _is_forgotten(node, graph.nodes[-1]):
            found = "no layer reads it, so that the network returns it beside the last"
            yield Odd(node.name, found, f"{_read_it(node)}; if it is meant, outputs: [{_listed(graph)}]")


def _is_forgotten(node: Node, last: Node) -> bool:
    return node.layer.type != last.layer.type and node.output_types[0].rank > 0


def _read_it(node: Node) -> str:
    return f"inputs: [{node.name}, …] in the layer that should read it, or leave it out"


def _listed(graph: ModelGraph) -> str:
    named = [str(port) for port in graph.outputs]
    return ", ".join(named if len(named) <= 4 else [*named[:3], "…", named[-1]])


def bias_before_norm(reading: Reading) -> Iterator[Odd]:
    """Of a batch norm, and of an instance norm where it takes each channel apart."""
    graph = reading.graph
    for node in graph.nodes:
        readers = reading.readers(node.name)
        has_bias = getattr(node.layer, "bias", False) is True and "out" in _first_field(node)
        if not has_bias or len(readers) != 1 or reading.is_returned(node.name):
            continue
        norm = readers[0]
        is_channels = norm.layer.type.startswith(("batch_norm", "instance_norm"))
        if is_channels and (node.layer.type != "linear" or node.output_types[0].rank == 2):
            size = node.output_types[0].shape[1]
            found = f"{size:,} biases, and {norm.name} takes the mean away"
            yield Odd(node.name, found, "bias: false")


def _first_field(node: Node) -> str:
    return next(iter(type(node.layer).positional), "")


def leftover(reading: Reading) -> Iterator[Odd]:
    graph = reading.graph
    for node in graph.nodes:
        is_slid = node.layer.type.startswith(("conv", "max_pool", "avg_pool"))
        if not is_slid or "stride" not in type(node.layer).model_fields:
            continue
        before, after = node.input_types[0].shape[2:], node.output_types[0].shape[2:]
        rules = node.facts.windows
        if rules is None or len(rules) != len(before):
            continue
        unused = [_unused(rule, *sizes) for rule, *sizes in zip(rules, before, after, strict=True)]
        words = ("rows", "columns") if len(before) == 2 else [f"positions of axis {axis + 2}" for axis in range(3)]
        told = [f"{n} of {size} {word}" for n, size, word in zip(unused, before, words, strict=False) if n]
        if told:
            yield Odd(node.name, f"no output reads the last {' and '.join(told)}", _padding_hint(node))


def _unused(rule: object, before: int, after: int) -> int:
    """Positions behind the last window, where windows leave none out between them."""
    if not isinstance(rule, Window) or rule.jump <= 1 or rule.high - rule.low + 1 < rule.jump:
        return 0
    return max(0, int(before - 1 - (rule.jump * (after - 1) + rule.high)))


def _padding_hint(node: Node) -> str:
    pools = "ceil_mode: true, " if node.layer.type.startswith(("max_pool", "avg_pool")) else ""
    return f"{pools}padding, or another size of the input"


def softmax_before_cross_entropy(reading: Reading) -> Iterator[Odd]:
    """What the loss does itself: cross entropy a log-softmax, the binary one with logits a sigmoid."""
    graph = reading.graph
    done = {"cross_entropy": ("softmax", "log_softmax"), "bce_with_logits": ("sigmoid", "logsigmoid")}
    scores: list[tuple[str, Port]] = [
        (node.layer.type, node.inputs[0]) for node in graph.nodes if node.layer.type in done
    ]
    if read_loss(graph.spec.loss).name == "cross_entropy":
        scores += [("cross_entropy", port) for port in graph.outputs]
    for loss, port in scores:
        producer = reading.node(port.producer)
        if producer is not None and producer.layer.type in done[loss]:
            yield Odd(producer.name, f"{producer.layer.type} before {loss}, which does it itself", "leave it out")


def clamped_twice(reading: Reading) -> Iterator[Odd]:
    graph = reading.graph
    for node in graph.nodes:
        producer = reading.node(node.inputs[0].producer) if node.inputs else None
        if node.layer.type in CLAMPING and producer is not None and producer.layer.type == node.layer.type:
            yield Odd(node.name, f"{node.layer.type} of {producer.name}, which is one already", "leave one out")


def dropped_last(reading: Reading) -> Iterator[Odd]:
    graph = reading.graph
    for node in graph.nodes:
        is_last = reading.is_returned(node.name) and not reading.readers(node.name)
        if is_last and node.layer.type.endswith(("dropout", "dropout1d", "dropout2d", "dropout3d")):
            yield Odd(
                node.name, "what the network returns is dropped at random", "dropout before the last linear layer"
            )


def one_class(reading: Reading) -> Iterator[Odd]:
    graph = reading.graph
    for node in graph.nodes:
        if node.layer.type not in ("softmax", "log_softmax") or getattr(node.layer, "dim", -1) in _batch_dims(node):
            continue
        if _axis_size(node) == 1:
            found = f"{format_shape(node.input_types[0].shape)}, one value along dim {getattr(node.layer, 'dim', '')}"
            yield Odd(node.name, found, "sigmoid for one score, or as many scores as classes")


def over_batch(reading: Reading) -> Iterator[Odd]:
    graph = reading.graph
    for node in graph.nodes:
        if node.layer.type not in ("softmax", "log_softmax") or node.input_types[0].rank < 2:
            continue
        tensor, dim = node.input_types[0], getattr(node.layer, "dim", -1)
        if dim in _batch_dims(node) and graph.spec.has_batch and tensor.shape[0] == graph.batch:
            yield Odd(node.name, f"dim: {dim} is the batch", "dim: 1, or dim: -1")


def _batch_dims(node: Node) -> tuple[int, int]:
    return 0, -node.input_types[0].rank


def _axis_size(node: Node) -> int:
    return node.input_types[0].shape[getattr(node.layer, "dim", -1)]


RULES = (
    Rule(
        "linear-on-image",
        "linear on the last axis of an image",
        "it mixes the pixels of each row, and not the channels: few weights, and not what was meant",
        linear_on_image,
    ),
    Rule(
        "channels-last",
        "an image with its channels last",
        "layers here, as in torch, take channels first; in Keras they come last",
        channels_last_input,
    ),
    Rule("unread", "an output that nobody reads", "it costs time and memory, and changes nothing", unread),
    Rule(
        "bias-before-norm",
        "a bias before a norm that takes the mean away",
        "the same value is added to a whole channel, whose mean is subtracted at once: the bias has no effect",
        bias_before_norm,
    ),
    Rule(
        "stride-leftover",
        "a stride that does not divide",
        "the windows end before the input does, so the network never sees what is left",
        leftover,
    ),
    Rule(
        "softmax-before-loss",
        "an activation that the loss has in itself",
        "the loss takes scores and normalises them: done twice, gradients get small and training slow",
        softmax_before_cross_entropy,
    ),
    Rule("activation-twice", "the same activation twice", "the second changes no value", clamped_twice),
    Rule(
        "dropout-last", "dropout behind the last layer", "in training it sets scores themselves to zero", dropped_last
    ),
    Rule("softmax-of-one", "a softmax over one value", "it is 1, whatever the network computes", one_class),
    Rule("softmax-over-batch", "a softmax over the batch", "the samples of a batch are no classes", over_batch),
)
