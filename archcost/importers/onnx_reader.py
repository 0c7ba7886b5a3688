"""The operators of an ONNX graph one after the other, each as a layer, a number, or what its own definition says."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from archcost.errors import ArchcostError, ShapeError, shorten
from archcost.importers.naming import clean
from archcost.importers.onnx import RULES
from archcost.importers.onnx_bodies import BODIES, Bodies
from archcost.importers.onnx_call import Call
from archcost.importers.onnx_constant_folding import fold
from archcost.importers.onnx_inference import as_written, infer, infer_file, schema_of, type_of
from archcost.importers.onnx_layers import Net, UsedLayers, used_by_outputs
from archcost.importers.onnx_limits import DEEPEST
from archcost.importers.onnx_model import FromCaller, Function, Graph, Held, Model, Node, attribute_of, function_of
from archcost.importers.onnx_opaque import refusal, unruled
from archcost.importers.onnx_own import own_rule
from archcost.importers.onnx_sizes import SAMPLES, Sizes
from archcost.importers.onnx_told_shapes import by_shapes
from archcost.importers.onnx_uses import names_of_biases, names_of_values, needed_nodes, readers_of
from archcost.importers.onnx_values import UnsupportedError, Value
from archcost.importers.recorded import Ref
from archcost.tensors import TensorType

Environment = MutableMapping[str, Value]


class Frame(NamedTuple):
    """The context of an operator: the graph itself, or a function or branch within it, `depth` levels down."""

    path: str = ""
    attributes: Mapping[str, Any] = {}
    depth: int = 0


class Reader:
    def __init__(self, model: Model, sizes: Sizes, apart: frozenset[str]) -> None:
        self.model = model
        self.sizes = sizes
        inputs = {name: Value(tensor, Ref("input", clean(name))) for name, tensor in sizes.inputs.items()}
        buffers = frozenset(name for name, held in model.graph.held.items() if held.mark == "buffer")
        self.types = infer_file(model, sizes.inputs, sizes.batch)
        self.held: dict[int, dict[str, Value]] = {}
        self.net = Net([*inputs.values()], {}, buffers, apart)
        self.start: Environment = {**self._values_held(model.graph), **inputs}

    def _values_held(self, owner: Graph | Function) -> Environment:
        """The tensors that a graph or function of the file holds. Names are its own, and made unique for `Net`."""
        if id(owner) not in self.held:
            self.held[id(owner)] = self._initial_values(owner)
        return self.held[id(owner)]

    def _initial_values(self, owner: Graph | Function) -> dict[str, Value]:
        values, states = names_of_values(owner.nodes, owner.outputs)
        biases = names_of_biases(owner.nodes)
        found: dict[str, Value] = {}
        for name, held in owner.held.items():
            is_read = name in values or (name in states and not held.is_uniform)
            is_weight = is_read and self._is_weight(held, 1 if name in biases else 2)
            numbers = None if is_weight else held.numbers
            known = self.net.hold(name, held)
            found[name] = Value(held.tensor, held=known, numbers=numbers, is_weight=is_weight, filled=held.filled)
        return found

    def _is_weight(self, held: Held, least: int) -> bool:
        """Whether a tensor may be a weight: as the file marks it; without marks, if it is floating and has as many
        values at the least.
        """
        if held.mark == "constant" or (held.mark is None and not held.tensor.is_floating):
            return False
        return held.mark is not None or (not self.model.is_marked and held.tensor.numel >= least)

    def run(self) -> UsedLayers:
        values = self._convert_all(self.model.graph.nodes, self.model.graph.outputs, self.start, Frame())
        return used_by_outputs(self.net, [self._returned(value) for value in values])

    def _returned(self, value: Value) -> Ref:
        """The reference of a network output; an `identity` layer is added where it is no output of a layer."""
        try:
            ref = self.net.reference(value, "")
        except UnsupportedError as error:
            raise ArchcostError(
                f"an output of the network cannot be told: {error}",
                expected="a tensor that a layer puts out",
                found=f"{value.tensor} {value.tensor.dtype}",
            ) from None
        if ref.kind == "entry":
            return ref
        (same,) = self.net.layer("", "identity", (Value(value.tensor, ref),), {}, {})
        assert same.ref is not None
        return same.ref

    def _convert_all(
        self, nodes: Sequence[Node], outputs: Sequence[str], known: Environment, frame: Frame
    ) -> list[Value]:
        needed = needed_nodes(nodes, outputs)
        readers = readers_of(needed, outputs)
        absorbed: dict[str, str] = {}
        for node in needed:
            if node.outputs[0] in absorbed:
                known[node.outputs[0]] = known[absorbed[node.outputs[0]]]
                continue
            call = Call(
                _resolved(node, frame.attributes),
                tuple(self._look_up(name, known, node) if name else None for name in node.inputs),
                self.net,
                self.model.opset,
                self.sizes.batch,
                lambda name: readers.get(name),
                known.get,
                lambda later, name: absorbed.update({later.outputs[0]: name}),
                ".".join(path for path in (frame.path, node.path) if path),
            )
            for name, value in zip(node.outputs, self._results(call, known, frame), strict=False):
                if name and value is not None:
                    known[name] = value
        return [self._look_up(name, known, None) for name in outputs]

    def _look_up(self, name: str, known: Environment, reader: Node | None) -> Value:
        if name in known:
            return known[name]
        raise ArchcostError(
            "reads what nothing makes", expected="an output of an operator before", found=shorten(name)
        ).at(layer="the network's output" if reader is None else shorten(str(reader)))

    def _results(self, call: Call, known: Environment, frame: Frame) -> Sequence[Value | None]:
        node = call.node
        folded = self._folded(call)
        if folded is not None:
            return folded
        inferred = self._inferred(call, frame)
        try:
            results = self._converted(call, known, frame)
        except (UnsupportedError, ShapeError) as error:
            told = infer(node, call.inputs, self.model.opset, self.sizes.batch)
            if call.written_for is not None and told.tensors and self._is_about_batch(call):
                raise call.for_one_batch("takes no other than") from None
            shapes = {**self._declared_types(call, frame), **told.tensors}
            results = self._by_definition(call, frame) or self._opaque(call, shapes, error, known)
        except (ValueError, LookupError, TypeError, ArithmeticError) as error:
            told = infer(node, call.inputs, self.model.opset, self.sizes.batch)
            why = told.complaint or "its inputs and attributes do not go together"
            raise refusal(call, UnsupportedError(why)) from error
        self._compare(node, results, inferred)
        if frame.depth and node.kind == "Constant":  # what a function holds has its name each time that it is called
            results = [None if value is None else replace(value, held=None) for value in results]
        return results

    def _inferred(self, call: Call, frame: Frame) -> Mapping[str, TensorType]:
        """Of the operator's outputs: as onnx infers them of the whole file, or else of this operator."""
        names = [name for name in call.node.outputs if name]
        if not frame.depth and all(name in self.types for name in names):
            return {name: self.types[name] for name in names}
        return infer(call.node, call.inputs, self.model.opset, self.sizes.batch).tensors

    def _is_about_batch(self, call: Call) -> bool:
        """Whether onnx's inference, too, fails for another batch."""
        return infer(call.node, call.inputs, self.model.opset, None).complaint is not None

    def _converted(self, call: Call, known: Environment, frame: Frame) -> Sequence[Value | None]:
        node = call.node
        if node.kind in self.model.functions:
            function = self.model.functions[node.kind]
            return self._inlined(function, self._values_held(function), call, node.attributes, frame)
        if node.kind in BODIES:
            return BODIES[node.kind](self._bodies(call, known, frame))
        rule = own_rule(node.kind, RULES.get(node.kind))
        if rule is None:
            raise UnsupportedError(f"no layer is {shorten(node.kind)}")
        result = rule(call)
        return (result,) if isinstance(result, Value) else result

    def _folded(self, call: Call) -> Sequence[Value] | None:
        if not call.given or any(not value.is_constant or value.numbers is None for value in call.given):
            return None
        if call.node.kind == "Cast" and call[0].holds_codes:
            return None
        arrays = [None if value is None else value.numbers for value in call.inputs]
        results = fold(call.node.kind, arrays, call.node.attributes, len(call.node.outputs))
        if results is None:
            return None
        return [Value(TensorType(array.shape, array.dtype.name), numbers=array) for array in results]

    def _inlined(
        self, function: Function, held: Environment, call: Call, given: Mapping[str, Any], frame: Frame
    ) -> Sequence[Value | None]:
        """The results of a function's body, whose operators are converted with the inputs of the call."""
        given_in = {name: value for name, value in zip(function.inputs, call.inputs, strict=False) if value is not None}
        inside = {**held, **given_in}
        asked = [name for name, wanted in zip(function.outputs, call.node.outputs, strict=False) if wanted]
        attributes = {**function.defaults, **given}
        made = self._convert_all(function.nodes, asked, inside, Frame(call.path, attributes, frame.depth + 1))
        results = dict(zip(asked, made, strict=True))
        return [results.get(name) for name in function.outputs]

    def _bodies(self, call: Call, known: Environment, frame: Frame) -> Bodies:
        if frame.depth == DEEPEST:
            raise ArchcostError("graphs too deep in one another", expected=f"at most {DEEPEST}", found="more")

        def convert(graph: Graph, inputs: Mapping[str, Value]) -> Sequence[Value]:
            inside = ChainMap(dict(inputs), self._values_held(graph), known).new_child()
            deeper = frame._replace(path=call.path, depth=frame.depth + 1)
            return self._convert_all(graph.nodes, graph.outputs, inside, deeper)

        return Bodies(call, convert, lambda graph: self._weights_within(graph, known))

    def _weights_within(self, graph: Graph, known: Environment) -> Sequence[Value]:
        """The weights that a graph holds, or reads outside, and those of graphs within it."""
        inside = ChainMap(dict(self._values_held(graph)), known)
        read = [inside[name] for node in graph.nodes for name in node.inputs if name in inside]
        own = [inside[name] for name in graph.outputs if name in inside]
        deeper = [body for node in graph.nodes for body in node.bodies]
        within = [value for body in deeper for value in self._weights_within(body, inside)]
        return [value for value in (*read, *own, *within) if value.is_held_weight]

    def _by_definition(self, call: Call, frame: Frame) -> Sequence[Value | None] | None:
        """The results by ONNX's own definition of the operator as a function of others, where it has one."""
        try:
            function = _standard_function(call, self.model.opset)
            if function is None:
                return None
            held = {name: Value(each.tensor, numbers=each.numbers) for name, each in function.held.items()}
            return self._inlined(function, held, call, call.node.attributes, frame)
        except (UnsupportedError, ArchcostError):
            return None

    def _declared_types(self, call: Call, frame: Frame) -> Mapping[str, TensorType]:
        """The types that the file declares for the outputs, by name."""
        if frame.depth:
            return {}
        types = {name: self.model.graph.declared.get(name) for name in call.node.outputs}
        known = {name: self.sizes.known(declared) for name, declared in types.items() if declared is not None}
        return {name: tensor for name, tensor in known.items() if tensor is not None}

    def _opaque(
        self,
        call: Call,
        shapes: Mapping[str, TensorType],
        error: UnsupportedError | ShapeError,
        known: Environment,
    ) -> Sequence[Value | None]:
        """The results of an operator without a layer. Where shapes are known they come from an opaque layer, or are
        constant where all inputs are.
        """
        names = [name for name in call.node.outputs if name]
        if not names or any(name not in shapes for name in names):
            raise refusal(call, error)
        tensors = [self._for_samples(shapes[name]) for name in names]
        if call.given and all(value.is_constant for value in call.given) and not any(call.node.bodies):
            made: Sequence[Value | None] = [Value(tensor) for tensor in tensors]
        else:
            try:
                within = [value for graph in call.node.bodies for value in self._weights_within(graph, known)]
                made = self._by_shapes(call, tensors) or unruled(call, [*call.given, *within], tensors)
            except UnsupportedError:
                raise refusal(call, error) from None
        results = iter(made)
        return [next(results) if name else None for name in call.node.outputs]

    def _by_shapes(self, call: Call, tensors: Sequence[TensorType]) -> Sequence[Value | None] | None:
        """The results where their shapes tell what they cost; None where they do not, or differ from ours."""
        try:
            result = by_shapes(call, tuple(tensors))
        except (UnsupportedError, ShapeError, ValueError, LookupError):
            return None
        made = [result] if isinstance(result, Value) else [*result][: len(tensors)]
        found = [None if value is None else value.tensor for value in made]
        return made if found == list(tensors) else None

    def _for_samples(self, tensor: TensorType) -> TensorType:
        if self.sizes.batch is None or tensor.shape[:1] != (self.sizes.batch,):
            return tensor
        return TensorType((SAMPLES, *tensor.shape[1:]), tensor.dtype)

    def _compare(self, node: Node, results: Sequence[Value | None], inferred: Mapping[str, TensorType]) -> None:
        """Raises ArchcostError where a result has another type than onnx infers."""
        for name, value in zip(node.outputs, results, strict=False):
            if not name or value is None or name not in inferred:
                continue
            ours, theirs = as_written(value.tensor, self.sizes.batch), inferred[name]
            if ours != theirs:
                raise ArchcostError(
                    f"{shorten(name)} has another shape by onnx's own inference", expected=str(theirs), found=str(ours)
                ).at(layer=shorten(str(node)))


def _resolved(node: Node, attributes: Mapping[str, Any]) -> Node:
    """A node of a function's body with the attributes that the caller passes."""
    if not any(isinstance(value, FromCaller) for value in node.attributes.values()):
        return node
    given: dict[str, Any] = {}
    for key, value in node.attributes.items():
        if not isinstance(value, FromCaller):
            given[key] = value
        elif value.name in attributes:
            given[key] = attributes[value.name]
    return node._replace(attributes=given)


def _standard_function(call: Call, opset: int) -> Function | None:
    from onnx import FunctionProto

    node = call.node
    schema: Any = schema_of(node.kind, opset)  # whose stub knows nothing of functions
    if schema is None:
        return None
    if schema.has_context_dependent_function:
        types = [type_of(value.tensor).SerializeToString() for value in call.given]
        try:
            content = schema.get_context_dependent_function(node.proto.SerializeToString(), types)
        except (RuntimeError, ValueError):
            return None
        body = FunctionProto()
        body.ParseFromString(content)
    elif schema.has_function:
        body = schema.function_body
    else:
        return None
    function = function_of(body)
    defaults = {
        name: attribute_of(attribute.default_value)
        for name, attribute in schema.attributes.items()
        if attribute.default_value.name
    }
    return function._replace(defaults={**function.defaults, **defaults})
