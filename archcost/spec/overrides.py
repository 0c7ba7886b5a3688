"""`--set`, `--input`, `--sequence` and `--loss`: a spec altered from the command line.

What is altered is no longer what was published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import ValidationError

from archcost.errors import SpecError, listing, nearest, shorten
from archcost.files.parse import parse
from archcost.files.values import as_tuples, spell
from archcost.layers.fields import MAX_SIZE
from archcost.spec.evaluation import names_in, plain_name
from archcost.spec.inputs import BATCH, InputSpec
from archcost.spec.loss import read_loss
from archcost.spec.model import BlockUse, Entry, ModelSpec, Repeat
from archcost.spec.values import Value

UNBATCHED = "unbatched"
SCALAR = "scalar"
"""Words of `--input`."""

NOTHING: Mapping[str, Value] = {}


def set_loss(spec: ModelSpec, loss: str) -> ModelSpec:
    """The spec with another loss. Raises SpecError for one that is not known; `build` checks that it suits."""
    read_loss(loss)
    return spec.model_copy(update={"loss": loss})


def with_sequence(spec: ModelSpec, length: int) -> ModelSpec:
    """The spec with a sequence of this length, as `--sequence`. Raises SpecError for a network that has none.

    Which parameter that is, the spec says (`sequence`, or `tokens` by its name); layers and inputs follow it.
    """
    return override(spec, sequence=length)


def override(
    spec: ModelSpec, settings: Sequence[str] = (), inputs: Sequence[str] = (), sequence: int | None = None
) -> ModelSpec:
    """The spec with `key=value` settings, input shapes and a length of its sequence in place of its own.

    Raises SpecError.
    """
    if not settings and not inputs and sequence is None:
        return spec
    parsed = [parse_setting(setting) for setting in settings]
    twice = [key for key, number in Counter(key for key, _ in parsed).items() if number > 1]
    if twice:
        raise SpecError(
            f"--set {twice[0]} stands twice",
            expected="one value",
            found=listing([f"{k}={v}" for k, v in parsed if k == twice[0]]),
        )
    words = [*settings, *inputs]
    if sequence is not None:
        parsed = [*parsed, (_sequence_parameter(spec, sequence, dict(parsed)), sequence)]
        words.append(f"sequence={sequence}")
    for key, value in parsed:
        spec = set_parameter(spec, key, value)
    if inputs:
        spec = set_inputs(spec, inputs, dict(parsed))
    told = [" ".join(text.split()) for text in words]
    return spec.model_copy(update={"altered": (*spec.altered, *told)})


def _sequence_parameter(spec: ModelSpec, length: int, chosen: Mapping[str, Value]) -> str:
    """The parameter that `--sequence` sets, which `--set` may not have set to something else."""
    if type(length) is not int or not 1 <= length <= MAX_SIZE:
        raise SpecError("wrong sequence", expected=f"an integer from 1 to {MAX_SIZE:,}", found=shorten(length))
    parameter = spec.sequence_parameter
    if parameter is None:
        raise _no_sequence(spec)
    if chosen.get(parameter, length) != length:
        raise SpecError(
            f"two values for the parameter {parameter}, the length of the sequence",
            expected="one value, said once",
            found=f"{spell(chosen[parameter])} and {length:,}",
            hint=f"--sequence {length} alone",
        )
    return parameter


def _no_sequence(spec: ModelSpec) -> SpecError:
    inputs = spec.declared_inputs
    found = [f"{name} {'×'.join(map(str, given.declared_sizes)) or 'scalar'}" for name, given in inputs.items()]
    is_text = any(given.dtype in ("int64", "int32") and given.declared_sizes for given in inputs.values())
    is_image = any(len(given.declared_sizes) >= 3 for given in inputs.values())
    return SpecError(
        f"{spec.name} has no sequence whose length is a parameter",
        expected="a parameter tokens in the shape of an input, or the field sequence with the name of another",
        found=listing(found, 4),
        hint="the network that the spec was made of, with --sequence" if is_text else "--input" if is_image else None,
    )


def parse_setting(text: str) -> tuple[str, Value]:
    """`depth3=4` as key and value; the value is written as in YAML: `4`, `true`, `[3, 5]`."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise SpecError("--set needs a key and a value", expected="key=value", found=shorten(text))
    tree, _ = parse(value, f"--set {key.strip()}")
    if isinstance(tree, dict):
        raise SpecError(f"--set {key.strip()}", expected="a number, a word or a list", found=shorten(value))
    return key.strip(), as_tuples(tree)


def set_parameter(spec: ModelSpec, key: str, value: Value) -> ModelSpec:
    """`depth3` is a parameter of the network, `stage.channels` a block's default, `stage1.channels` one use's own."""
    owner, dot, parameter = key.rpartition(".")
    if not dot:
        _require_known(key, spec.parameters, "the network")
        return _altered(spec, parameters={**spec.parameters, key: value})
    if owner in spec.blocks:
        block = spec.blocks[owner]
        _require_known(parameter, block.parameters, f"block {owner!r}")
        _require_effect(spec, owner, parameter)
        changed = block.model_copy(update={"parameters": {**block.parameters, parameter: value}})
        return _altered(spec, blocks={**spec.blocks, owner: changed})
    uses = {entry.name: entry for entry in spec.layers if isinstance(entry, BlockUse) and entry.name}
    if owner not in uses:
        known = (*spec.parameters, *spec.blocks, *uses)
        raise SpecError(
            f"--set {key}: no block {shorten(owner)}",
            expected=", ".join((*spec.blocks, *uses)) or "a network with blocks",
            found=shorten(owner),
            hint=nearest(owner, known),
        )
    use = uses[owner]
    _require_known(parameter, spec.blocks[use.block].parameters if use.block in spec.blocks else {}, f"block {owner!r}")
    fields = {**use.model_dump(), parameter: value}
    layers: tuple[Entry, ...] = tuple(
        BlockUse.model_validate(fields) if entry is use else entry for entry in spec.layers
    )
    return _altered(spec, layers=layers)


def _require_known(key: str, known: Mapping[str, Any], owner: str) -> None:
    if key not in known:
        raise SpecError(
            f"--set: {owner} has no parameter {shorten(key)}",
            expected=", ".join(known) or "no parameters",
            found=shorten(key),
            hint=nearest(key, known),
        )


def _require_effect(spec: ModelSpec, block: str, parameter: str) -> None:
    """A default that every use overrules would be set in vain."""
    everywhere = (spec.layers, *(inner.layers for inner in spec.blocks.values()))
    uses = [use for entries in everywhere for use in _uses(entries) if use.block == block]
    if uses and all(parameter in use.parameters for use in uses):
        name = next((use.name for use in spec.layers if isinstance(use, BlockUse) and use.block == block), None)
        raise SpecError(
            f"--set {block}.{parameter} has no effect",
            expected="a parameter that some use of the block leaves to its default",
            found=f"every use of {block!r} gives {parameter}",
            hint=f"--set {name}.{parameter}=…" if name else None,
        )


def _uses(entries: tuple[Entry, ...]) -> Iterator[BlockUse]:
    for entry in entries:
        if isinstance(entry, BlockUse):
            yield entry
        elif isinstance(entry, Repeat):
            yield from _uses(entry.layers)


def set_inputs(spec: ModelSpec, texts: Sequence[str], chosen: Mapping[str, Value] = NOTHING) -> ModelSpec:
    """Shapes of one sample, `3x384x384` or `3x384x384:float16`, for the inputs in order; `image=3x384x384` by name.

    A parameter that stands plainly in the declared shape, as in `[$tokens]`, takes the size that is given; `chosen`
    are those that `--set` has given a value.
    """
    asked = inputs_by_name(texts, list(spec.declared_inputs))
    kept = spec.declared_inputs
    literal = {name: text.over(kept[name], name) for name, text in asked.items()}
    return resized(spec, literal, chosen)


def resized(spec: ModelSpec, given: Mapping[str, InputSpec], chosen: Mapping[str, Value] = NOTHING) -> ModelSpec:
    """The spec with these inputs, all sizes numbers: those of parameters are set where the parameter stands plainly.

    Raises SpecError where a parameter would have two values, or an expression comes to another size than is given.
    """
    parameters: dict[str, Value] = {}
    inputs = dict(spec.declared_inputs)
    for name, wanted in given.items():
        declared = inputs[name]
        if not declared.has_expression:
            inputs[name] = wanted
            continue
        _require_as_many(name, declared, wanted)
        for expression, size in zip(declared.declared_sizes, wanted.sizes, strict=True):
            parameter = plain_name(expression)
            if parameter is None or parameter not in spec.parameters:
                continue
            already = parameters.get(parameter, chosen.get(parameter, size))
            if already != size:
                raise SpecError(
                    f"two values for the parameter {parameter}, a size of the input {name}",
                    expected="one value, said once",
                    found=f"{spell(already)} and {size:,}",
                    hint=f"--set {parameter}={size} alone",
                )
            parameters[parameter] = size
        inputs[name] = wanted.with_sizes(
            tuple(
                expression if isinstance(expression, str) else size
                for expression, size in zip(declared.declared_sizes, wanted.sizes, strict=True)
            )
        )
    made = _altered(spec, declared_inputs=inputs, parameters={**spec.parameters, **parameters})
    for name, wanted in given.items():
        _require_sizes(name, made, wanted)
    return made


def _require_as_many(name: str, declared: InputSpec, wanted: InputSpec) -> None:
    if len(declared.declared_sizes) != len(wanted.sizes):
        raise SpecError(
            f"--input gives {name} another number of sizes",
            expected="×".join(map(str, declared.declared_sizes)),
            found="×".join(map(str, wanted.sizes)) or "none",
        )


def _require_sizes(name: str, made: ModelSpec, wanted: InputSpec) -> None:
    """That expressions which are more than a parameter come to the sizes that are given."""
    found = made.inputs[name].sizes
    for expression, size, comes_to in zip(made.declared_inputs[name].declared_sizes, wanted.sizes, found, strict=True):
        if size != comes_to:
            used = listing([f"--set {parameter}=…" for parameter in names_in(str(expression))])
            raise SpecError(
                f"a size of the input {name} follows from parameters",
                expected=f"{expression}, which is {comes_to:,}",
                found=f"{size:,}",
                hint=used or None,
            )


class InputText(NamedTuple):
    """What a text of `--input` says of an input; None is what it leaves open."""

    text: str
    shape: tuple[int | str, ...]
    dtype: str | None
    batched: bool | None

    def over(self, known: InputSpec, name: str) -> InputSpec:
        """Laid over what is known of the input: of its dtype, and of its batch where as many sizes are given."""
        shape, batched = self.shape, known.batched if self.batched is None else self.batched
        if self.batched is None and known.batch_axis:
            if len(shape) != len(known.declared_sizes):
                raise SpecError(
                    f"--input does not say where the batch of {name} is",
                    expected=f"{len(known.declared_sizes)} sizes, or B among them",
                    found=shorten(self.text),
                )
            shape = (*shape[: known.batch_axis], BATCH, *shape[known.batch_axis :])
        return _valid(self.text, shape, self.dtype or known.dtype, batched)

    def alone(self) -> InputSpec:
        """The input where nothing else is known of it: float32, and the batch first."""
        return _valid(self.text, self.shape, self.dtype or "float32", self.batched is not False)


def _valid(text: str, shape: tuple[int | str, ...], dtype: str, batched: bool) -> InputSpec:
    try:
        return InputSpec(shape=shape, dtype=dtype, batched=batched)
    except ValidationError as error:
        expected = error.errors()[0]["msg"].removeprefix("Input should ").removeprefix("be ").removeprefix("have ")
        raise SpecError("--input cannot be used", expected=expected, found=shorten(text)) from None


def inputs_by_name(texts: Sequence[str], names: Sequence[str]) -> dict[str, InputText]:
    """What texts of `set_inputs` say of inputs with these names."""
    in_order = iter(names)
    given: dict[str, InputText] = {}
    for text in texts:
        name, equals, tensor = text.partition("=") if "=" in text else (next(in_order, ""), "", text)
        if name not in names or name in given:
            raise SpecError(
                f"--input {shorten(text)}",
                expected=f"each input at most once: {', '.join(names)}",
                found=shorten(name) if equals else f"{len(texts)} shapes",
                hint=nearest(name, names) if equals else None,
            )
        given[name] = parse_input(tensor)
    return given


def parse_input(text: str) -> InputText:
    """`3x384x384:float16`, `2x500:int64:unbatched`, `2xBx128`, and `scalar` for a single value without a batch."""
    shape, *words = text.split(":")
    sizes = [] if shape == SCALAR else shape.replace("X", "x").replace("×", "x").split("x")
    is_shape = all(size == BATCH or (size.isascii() and size.isdigit() and len(size) < 12) for size in sizes)
    dtypes = [word for word in words if word != UNBATCHED]
    if not is_shape or len(dtypes) > 1 or len(words) - len(dtypes) > 1:
        raise SpecError(
            "--input has no shape",
            expected="sizes such as 3x224x224",
            found=shorten(text),
            hint="2x500:int64:unbatched, 2xBx128 with B for the batch, or scalar" if words else None,
        )
    is_apart = UNBATCHED in words or not sizes
    batched = False if is_apart else (True if BATCH in sizes else None)
    parsed: tuple[int | str, ...] = tuple([BATCH if size == BATCH else int(size) for size in sizes])
    if is_apart and BATCH in sizes:
        _valid(text, parsed, "float32", False)  # which refuses it
    return InputText(text, parsed, dtypes[0] if dtypes else None, batched)


def _altered(spec: ModelSpec, **fields: Any) -> ModelSpec:
    return spec.model_copy(update={**fields, "published": None})
