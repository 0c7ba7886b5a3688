"""`--sequence`: of declared networks, of modules that are imported, and of ONNX files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx
import pytest
from torch import Tensor, nn

import archcost
from archcost import ArchcostError, ModelSpec
from archcost.importers.lengths import of_length
from archcost.planning.vary import Largest
from archcost.spec.overrides import override
from tests.importers.onnx_files import INT64, model_of, node, weight
from tests.planning.devices import device

READER = """
name: reader
inputs: {tokens: {shape: [$tokens], dtype: int64}, other: {shape: [2 * $tokens], dtype: int64}}
parameters: {context: 12, tokens: 8, frames: 3}
layers:
  - {type: embedding, name: read, num_embeddings: 7, embedding_dim: 3, inputs: [tokens]}
  - {type: embedding, name: table, num_embeddings: 7, embedding_dim: $frames, inputs: [other]}
"""
LEARNED = "sequence: {most: $context, table: table}\n"


def loads(more: str = "") -> ModelSpec:
    return archcost.loads(READER + more)


def test_tokens_is_the_length_by_its_name() -> None:
    spec = archcost.with_sequence(loads(), 5)
    assert [tensor.shape for tensor in archcost.build(spec).inputs.values()] == [(1, 5), (1, 10)]
    assert (spec.label, spec.published) == ("reader (sequence=5)", None)
    assert archcost.loads(spec.to_yaml()) == spec


def test_a_spec_can_name_another_parameter() -> None:
    spec = archcost.with_sequence(loads("sequence: frames"), 5)
    assert [node.output_types[0].shape for node in archcost.build(spec).nodes] == [(1, 8, 3), (1, 16, 5)]


def test_a_sequence_as_long_as_the_table_of_positions() -> None:
    assert archcost.build(archcost.with_sequence(loads(LEARNED), 12)).inputs["tokens"].shape == (1, 12)
    assert archcost.build(override(loads(LEARNED), ["context=20"], sequence=20)).inputs["tokens"].shape == (1, 20)


@pytest.mark.parametrize(
    ("spec", "changed", "message"),
    [
        (
            loads(LEARNED),
            {"sequence": 13},
            "reader: the sequence is longer than the table of positions\n"
            "  expected: at most 12: table has so many rows\n  found: tokens = 13\n"
            "  try: --set context=… for a larger table, which is another network",
        ),
        (
            loads("sequence: {most: 9}"),
            {"settings": ["tokens=10"]},
            "reader: the sequence is too long\n  expected: at most 9\n  found: tokens = 10",
        ),
        (
            loads(),
            {"sequence": 5, "settings": ["tokens=4"]},
            "two values for the parameter tokens, the length of the sequence\n  expected: one value, said once\n"
            "  found: 4 and 5\n  try: --sequence 5 alone",
        ),
        (
            loads(),
            {"sequence": 5, "inputs": ["4"]},
            "two values for the parameter tokens, a size of the input tokens\n  expected: one value, said once\n"
            "  found: 5 and 4\n  try: --set tokens=4 alone",
        ),
        (
            archcost.load("vgg_d"),
            {"sequence": 5},
            "vgg_d has no sequence whose length is a parameter\n"
            "  expected: a parameter tokens in the shape of an input, or the field sequence with the name of another\n"
            "  found: image 3×224×224\n  try: --input",
        ),
        (loads(), {"sequence": 0}, "wrong sequence\n  expected: an integer from 1 to 2,147,483,647\n  found: 0"),
    ],
)
def test_lengths_that_are_refused(spec: ModelSpec, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchcostError) as caught:
        archcost.build(override(spec, **changed))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("sequence: frame", "reader: sequence names the parameter 'frame', which is none\n"),
        ("sequence: [3]", "wrong value for 'sequence'\n  expected: a mapping\n  found: \\[3\\]"),
        ("sequence: {most: -1}", "wrong value for 'most'\n  expected: an integer from 1, or an expression"),
        ("sequence: {longest: 3}", "unknown field 'longest'\n  expected: parameter, most, table"),
    ],
)
def test_fields_that_are_wrong(more: str, message: str) -> None:
    with pytest.raises(ArchcostError, match=message) as caught:
        archcost.build(loads(more))
    assert "<text>:8:" in str(caught.value)


@pytest.mark.parametrize(
    ("texts", "lengthened"),
    [
        ([], ("9:int64",)),
        (["5:int64"], ("9:int64",)),
        (["ids=5:int64", "mask=5:bool", "7x3"], ("ids=9:int64", "mask=9:bool", "7x3")),
        (["Bx5:int32", "7:bool"], ("Bx9:int32", "7:bool")),
    ],
)
def test_inputs_of_a_module_at_another_length(texts: list[str], lengthened: tuple[str, ...]) -> None:
    assert of_length(texts, 9) == lengthened


@pytest.mark.parametrize("texts", [["5"], ["5:int64", "6:int64"], ["5:int64", "5x5"], ["5x2:int64"]])
def test_inputs_that_do_not_say_what_the_length_is(texts: list[str]) -> None:
    with pytest.raises(ArchcostError, match="--sequence does not say"):
        of_length(texts, 9)


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 6)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return self.table(ids) * mask.unsqueeze(-1)


def test_a_module_is_imported_at_the_length() -> None:
    spec = archcost.load("tests.test_sequence:Reader", inputs=["5:int64", "5:int64"], sequence=9)
    assert [given.sizes for given in spec.inputs.values()] == [(9,), (9,)]


def test_an_input_too_large_to_run_a_module_with() -> None:
    with pytest.raises(ArchcostError, match="an input is too large to run the module with"):
        archcost.load("torch.nn:Identity", inputs=["2147483647x2147483647"])


def written(folder: Path, *sizes: int | str, second: tuple[int | str, ...] = ()) -> Path:
    """A file of one or two inputs of tokens, each looked up in a table."""
    inputs = {"ids": sizes, **({"more": second} if second else {})}
    nodes = [node("Gather", f"table {name}", f"rows_{name}") for name in inputs]
    held, dtypes = [weight("table", 11, 6)], dict.fromkeys(inputs, INT64)
    model = model_of(nodes, inputs, held, [f"rows_{name}" for name in inputs], dtypes=dtypes)
    onnx.save(model, folder / "net.onnx")
    return folder / "net.onnx"


@pytest.mark.parametrize(
    ("sizes", "second"),
    [
        (("batch", "n"), ()),
        (("batch", "sequence_length"), ("batch", "past")),
        (("batch", ""), ()),
        (("batch", "n"), ("batch", "n")),
    ],
)
def test_the_axis_that_an_onnx_file_leaves_open(tmp_path: Path, sizes: Any, second: Any) -> None:
    more = ["more=4"] if "past" in second else []
    spec = archcost.from_onnx(written(tmp_path, *sizes, second=second), more, sequence=9)
    assert spec.inputs["ids"].sizes == (9,)


@pytest.mark.parametrize(
    ("sizes", "second", "message"),
    [
        (("batch", 7), (), "the file has no axis that is the sequence"),
        (("batch", "n"), ("batch", "m"), "the file does not say which axis is the sequence"),
        (("batch", "", ""), (), "the file does not say which axis is the sequence"),
    ],
)
def test_files_without_one_axis_for_it(tmp_path: Path, sizes: Any, second: Any, message: str) -> None:
    with pytest.raises(ArchcostError, match=message):
        archcost.from_onnx(written(tmp_path, *sizes, second=second), sequence=9)


def largest(spec: ModelSpec, **fields: Any) -> Largest:
    room = device("nvidia-b200-sxm", 2**21)
    [found] = archcost.fit(spec, hardware=[room], vary="sequence", optimizer="none", **fields).devices
    assert found.varied is not None
    return found.varied


def test_the_largest_sequence_fits_and_the_next_does_not() -> None:
    found = largest(loads())
    room = device("nvidia-b200-sxm", 2**21)
    assert (found.word, found.beyond) == ("sequence", found.value + 1)
    fits = [
        archcost.estimate(archcost.with_sequence(loads(), length), hardware=room, optimizer="none").verdict == "fits"
        for length in (found.value, found.value + 1)
    ]
    assert fits == [True, False]
    assert largest(archcost.with_sequence(loads(), 1)) == found == largest(archcost.with_sequence(loads(), 10**5))


def test_the_table_of_positions_ends_the_search() -> None:
    found = largest(loads(LEARNED))
    assert (found.value, found.beyond) == (12, None)
    assert found.refused == "reader: the sequence is longer than the table of positions"


def test_a_module_is_imported_at_each_length() -> None:
    def at(length: int) -> ModelSpec:
        return archcost.load("tests.test_sequence:Reader", inputs=["5:int64", "5:int64"], sequence=length)

    found = largest(at(5), at_length=at)
    assert found.beyond == found.value + 1
    with pytest.raises(ArchcostError, match="Reader has no sequence whose length is a parameter"):
        largest(at(5))
