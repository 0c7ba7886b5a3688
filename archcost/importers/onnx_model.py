"""An ONNX file as plain values. Nothing in it is run, and no external data is read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from archcost.errors import ArchcostError, shorten
from archcost.files.write import record_read
from archcost.importers.onnx_blocks import filters_of_zeros, kernels_in_blocks
from archcost.importers.onnx_names import path_of, text, texts
from archcost.tensors import TensorType

if TYPE_CHECKING:
    from numpy import ndarray
    from onnx import AttributeProto, FunctionProto, GraphProto, NodeProto, TensorProto, TypeProto

    Array = ndarray[Any, Any]

MOST_NUMBERS = 65_536
"""Values of one tensor that are looked at: sizes, axes and indices have few."""

WEIGHT = "archcost.weight"
"""What our own export marks weights with: `parameter` or `buffer`."""

Size = int | str | None
"""Of an axis: a number, the name of one that is not known, or nothing at all."""


BATCH_AXIS = "archcost.batch_axis"
"""What our own export marks an input with whose batch is not first: the axis, or `none`."""


class Declared(NamedTuple):
    """What a file says of a tensor: its sizes, None where not even their number is told, and its dtype."""

    sizes: tuple[Size, ...] | None
    dtype: str
    batch_axis: str | None = None
    """The axis of the batch, or `none`, where our own export has marked an input."""


@dataclass(frozen=True, eq=False)
class Held:
    """A tensor of the file: weights by their shapes alone, `numbers` where there are few, once they are asked for."""

    tensor: TensorType
    source: Array | TensorProto | None
    mark: str | None = None
    """`parameter` or `buffer` where the file tells which."""
    filled: int = 0
    """How many of its last filters only fill up a block of channels."""

    @cached_property
    def numbers(self) -> Array | None:
        import onnx

        if not isinstance(self.source, onnx.TensorProto):
            return self.source
        try:
            return onnx.numpy_helper.to_array(self.source)
        except (ValueError, TypeError, LookupError, OverflowError):  # fewer or more bytes than the shape needs
            return None

    @property
    def is_uniform(self) -> bool:
        """Whether all values are known to be the same."""
        return self.numbers is not None and bool((self.numbers == self.numbers.flat[:1]).all())


class FromCaller(NamedTuple):
    """An attribute in the body of a function that whoever calls it has to name."""

    name: str


class Node(NamedTuple):
    """An operator in its place. `kind` has its domain in front, `domain::Name`, unless that is ONNX's own."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    path: str
    """Of the module around it, as far as names tell."""
    proto: NodeProto
    bodies: tuple[Graph, ...] = ()
    """The branches of an `If`, the body of a `Loop` or `Scan`."""

    def __str__(self) -> str:
        return self.name or f"{self.kind} that makes {', '.join(self.outputs)}"


class Graph(NamedTuple):
    """A network or a branch of one."""

    inputs: Mapping[str, Declared]
    outputs: tuple[str, ...]
    held: Mapping[str, Held]
    """Initializers, and what `Constant` operators hold."""
    nodes: tuple[Node, ...]
    declared: Mapping[str, Declared]
    """What the file says of the tensors in between."""


class Function(NamedTuple):
    """An operator that the file itself defines."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    defaults: Mapping[str, Any]
    held: Mapping[str, Held]
    nodes: tuple[Node, ...]


@dataclass(frozen=True)
class Model:
    """A file as plain values."""

    producer: str
    opset: int
    graph: Graph
    functions: Mapping[str, Function]
    is_marked: bool
    """Whether the file tells parameters from buffers and constants."""
    opsets: Mapping[str, int]


def read(path: Path) -> Model:
    """Raises ArchcostError for what is no ONNX file."""
    import onnx
    from google.protobuf.message import DecodeError

    content = _content(path)
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(content)
    except DecodeError as error:
        found = f"{len(content):,} bytes that are none, or not all of one ({shorten(str(error))})"
        raise ArchcostError("not an ONNX file", expected="a whole model", found=found) from None
    if not proto.graph.node and not proto.graph.output:
        raise ArchcostError("not an ONNX file", expected="a model with a graph", found="no operator and no output")
    marks = _marks_of_torch(proto.graph.node)
    graph = _graph(proto.graph, marks)
    return Model(
        " ".join(map(text, (proto.producer_name, proto.producer_version))).strip()[:100],
        next((entry.version for entry in proto.opset_import if entry.domain in OWN_DOMAINS), 1),
        graph,
        {f"{text(function.domain)}::{text(function.name)}": function_of(function) for function in proto.functions},
        bool(marks) or any(held.mark for held in graph.held.values()),
        {text(entry.domain): entry.version for entry in proto.opset_import},
    )


LARGEST_FILE = 2**31
"""What protobuf can hold; weights beyond lie in files of their own."""


def _content(path: Path) -> bytes:
    record_read(path)
    try:
        if not path.exists():
            raise ArchcostError("no such file", expected="an ONNX file", found="nothing")
        if not path.is_file():  # a pipe would be waited for
            raise ArchcostError("not a regular file", expected="an ONNX file", found="something else")
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            fits = status.st_size <= LARGEST_FILE and S_ISREG(status.st_mode)
            content = stream.read(status.st_size + 1) if fits else None  # to read without a size would be far slower
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ArchcostError(f"cannot be read: {reason}") from None
    if content is None or len(content) > LARGEST_FILE:
        raise ArchcostError("the file is too large", expected="at most 2 GiB", found=f"{status.st_size:,} B")
    return content


OWN_DOMAINS = ("", "ai.onnx")


def _graph(proto: GraphProto, marks: Mapping[str, str]) -> Graph:
    held = {text(tensor.name): held_of(tensor, _mark(text(tensor.name), marks)) for tensor in proto.initializer}
    in_blocks = kernels_in_blocks(proto.node)
    for kernel in proto.initializer:
        if kernel.name in in_blocks:
            held[text(kernel.name)] = replace(held[text(kernel.name)], filled=filters_of_zeros(kernel))
    for sparse in proto.sparse_initializer:
        held[text(sparse.values.name)] = Held(_tensor(sparse.dims, sparse.values.data_type), None)
    inputs: dict[str, Declared] = {}
    for value in proto.input:
        name, declared = text(value.name), declared_of(value.type)
        mark = next((entry.value for entry in value.metadata_props if entry.key == WEIGHT), None)
        if mark is not None and declared is not None:
            held[name] = Held(_known_type(name, declared), None, mark)
        elif name in inputs:
            raise ArchcostError("two inputs of the file have one name", expected="a name each", found=shorten(name))
        elif name not in held:
            axis = next((entry.value for entry in value.metadata_props if entry.key == BATCH_AXIS), None)
            inputs[name] = (declared or Declared(None, "no tensor"))._replace(batch_axis=axis)
    told = {text(value.name): declared_of(value.type) for value in (*proto.value_info, *proto.output)}
    constants, nodes = _constants_apart(proto.node, marks)
    return Graph(
        inputs,
        tuple(text(value.name) for value in proto.output),
        held | constants,
        nodes,
        {name: declared for name, declared in told.items() if declared is not None},
    )


def _known_type(name: str, declared: Declared) -> TensorType:
    sizes = declared.sizes or ()
    if not all(isinstance(size, int) for size in sizes):
        raise ArchcostError("a weight's shape is not known", expected="numbers", found=shorten(name))
    return TensorType(cast("tuple[int, ...]", sizes), declared.dtype)


def _mark(name: str, marks: Mapping[str, str]) -> str | None:
    return marks.get(_placeholder_name(name)) if marks else None


def _placeholder_name(name: str) -> str:
    """The name that torch.export gives the placeholder of a weight with this dotted path."""
    return re.sub(r"\W", "_", name).lower()


MARKED = re.compile(r"%([pbc])_(\w+)")
WORDS = {"p": "parameter", "b": "buffer", "c": "constant"}


def _marks_of_torch(nodes: Iterable[NodeProto]) -> Mapping[str, str]:
    """Whether each weight is a parameter or a buffer, by the metadata that torch's exporter adds to operators."""
    marks: dict[str, str] = {}
    for node in nodes:
        for entry in node.metadata_props:
            if entry.key == "pkg.torch.onnx.fx_node":
                marks |= {name.lower(): WORDS[kind] for kind, name in MARKED.findall(text(entry.value))}
    return marks


def function_of(proto: FunctionProto) -> Function:
    defaults = {text(attribute.name): attribute_of(attribute) for attribute in proto.attribute_proto}
    return Function(texts(proto.input), texts(proto.output), defaults, *_constants_apart(proto.node, {}))


def _constants_apart(nodes: Iterable[NodeProto], marks: Mapping[str, str]) -> tuple[dict[str, Held], tuple[Node, ...]]:
    """What `Constant` operators hold, by name, and the other operators."""
    held: dict[str, Held] = {}
    others: list[Node] = []
    for proto in nodes:
        constant = _constant(proto, marks) if proto.op_type == "Constant" else None
        if constant is None:
            others.append(node_of(proto))
        else:
            held[text(proto.output[0])] = constant
    return held, tuple(others)


def _constant(proto: NodeProto, marks: Mapping[str, str]) -> Held | None:
    """None for a constant that a function's caller names, or that is none."""
    import numpy as np

    if len(proto.attribute) != 1 or len(proto.output) != 1 or proto.domain not in OWN_DOMAINS:
        return None
    key, value = text(proto.attribute[0].name), attribute_of(proto.attribute[0])
    if isinstance(value, Held):
        return replace(value, mark=_mark(text(proto.output[0]), marks))
    kinds = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    if key not in kinds or value is None or isinstance(value, FromCaller):
        return None
    numbers = np.array(value, kinds[key])
    return Held(TensorType(numbers.shape, numbers.dtype.name), numbers)


def node_of(proto: NodeProto) -> Node:
    kind, domain = text(proto.op_type), text(proto.domain)
    attributes = {text(attribute.name): attribute_of(attribute) for attribute in proto.attribute}
    full = kind if domain in OWN_DOMAINS else f"{domain}::{kind}"
    bodies = tuple([value for value in attributes.values() if type(value) is Graph])
    return Node(
        text(proto.name), full, texts(proto.input), texts(proto.output), attributes, path_of(proto), proto, bodies
    )


def attribute_of(proto: AttributeProto) -> Any:
    import onnx

    if proto.ref_attr_name:
        return FromCaller(text(proto.ref_attr_name))
    if proto.type == onnx.AttributeProto.TENSOR:
        return held_of(proto.t)
    if proto.type == onnx.AttributeProto.SPARSE_TENSOR:
        return Held(_tensor(proto.sparse_tensor.dims, proto.sparse_tensor.values.data_type), None)
    if proto.type == onnx.AttributeProto.GRAPH:
        return _graph(proto.g, {})
    try:
        value: Any = onnx.helper.get_attribute_value(proto)
    except ValueError:  # of no type that there is
        return None
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if proto.type == onnx.AttributeProto.STRINGS:
        return [text.decode(errors="replace") for text in value]
    return list(value) if proto.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS) else value


def held_of(proto: TensorProto, mark: str | None = None) -> Held:
    import onnx

    tensor = _tensor(proto.dims, proto.data_type)
    if tensor.numel > MOST_NUMBERS or proto.data_location == onnx.TensorProto.EXTERNAL or tensor.dtype == "string":
        return Held(tensor, None, mark)
    return Held(tensor, proto, mark)


def _tensor(dims: Iterable[int], number: int) -> TensorType:
    shape = tuple(dims)
    if min(shape, default=0) < 0:
        raise ArchcostError("a tensor of the file has a negative size", expected="sizes from 0", found=str(shape))
    dtype = dtype_of(number)
    if dtype == "undefined" or " " in dtype:
        raise ArchcostError(
            "a tensor of the file has an element type that ONNX does not know",
            expected="a number of TensorProto.DataType",
            found=str(number),
        )
    return TensorType(shape, dtype)


def declared_of(proto: TypeProto) -> Declared | None:
    """None for what is no tensor."""
    if not proto.HasField("tensor_type"):
        return None
    kind = proto.tensor_type
    dtype = dtype_of(kind.elem_type)
    if not kind.HasField("shape"):
        return Declared(None, dtype)
    # Some write 0 or -1 for what is open.
    sizes = [axis.dim_value if axis.dim_value > 0 else _size_name(axis.dim_param) for axis in kind.shape.dim]
    return Declared(tuple(sizes), dtype)


def _size_name(size: str | bytes) -> str | None:
    """The name of a size; None for `?`, which stands for several sizes."""
    return text(size).strip("?") or None


NAMES = {
    "float": "float32",
    "double": "float64",
    "float8e8m0": "float8_e8m0fnu",
    "float4e2m1": "float4_e2m1fn",
    **{f"float8{kind}": f"float8_{kind}" for kind in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz")},
}
"""Torch's, where they are not ONNX's in lower case."""


@cache
def dtype_of(number: int) -> str:
    """By torch's name, or ONNX's where torch has none."""
    import onnx

    try:
        name = onnx.TensorProto.DataType.Name(cast("Any", number)).lower()
    except ValueError:
        return f"element type {number}"
    return NAMES.get(name, name)


def number_of(dtype: str) -> int:
    """The other way round. Raises ValueError for what is none of ONNX's."""
    import onnx

    onnxs = {ours: theirs for theirs, ours in NAMES.items()}
    return onnx.TensorProto.DataType.Value(onnxs.get(dtype, dtype).upper())
