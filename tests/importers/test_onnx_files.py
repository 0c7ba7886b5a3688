"""A file as a whole: names, weights, sizes that it leaves open, the batch that it names, and what is refused."""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import helper

import archcost
from archcost.cli import main
from archcost.errors import ArchcostError
from archcost.exporters import onnx_bytes
from tests.importers.onnx_files import FLOAT, imported, layers_of, model_of, node, numbers, weight

RELU = [node("Relu", "x", "y")]


def refusal(folder: Path, model: onnx.ModelProto, *inputs: str) -> str:
    with pytest.raises(ArchcostError) as caught:
        imported(folder, model, *inputs)
    return str(caught.value).replace(str(folder), "…")


def names_of(spec: archcost.ModelSpec) -> list[str]:
    return [layer["name"] for layer in layers_of(spec)]


# Names


def test_layers_are_called_as_the_modules_of_their_operators(tmp_path: Path) -> None:
    """As TorchScript writes them, which repeats where a module is."""
    nodes = [
        helper.make_node("Relu", ["x"], ["a"], name="/layer1/layer1.0/act/Relu"),
        helper.make_node("Exp", ["a"], ["b"], name="/layer1/layer1.0/Exp"),
        helper.make_node("Exp", ["b"], ["c"], name="/layer1/layer1.0/Exp_1"),
        helper.make_node("Relu", ["c"], ["y"], name="Relu_17"),
    ]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 3]}))
    assert names_of(spec) == ["layer1.0.act", "layer1.0.exp1", "layer1.0.exp2", "relu1"]


def test_a_layer_is_called_as_its_weights_are(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "stem.conv.weight"], ["y"], name="bn1_folded")]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 3, 5, 7]}, [weight("stem.conv.weight", 11, 3, 1, 1)]))
    assert names_of(spec) == ["stem.conv"]


def test_metadata_of_torch_names_modules_and_tells_buffers(tmp_path: Path) -> None:
    add = node("Add", "x enc.mask", "y")
    add.metadata_props.add(key="pkg.torch.onnx.name_scopes", value="['', 'enc', 'enc.mix', 'add_3']")
    add.metadata_props.add(key="pkg.torch.onnx.fx_node", value="%add_3 = call(args = (%x, %b_enc_mask), kwargs = {})")
    spec = imported(tmp_path, model_of([add], {"x": ["N", 7]}, [weight("enc.mask", 7)]))
    assert layers_of(spec) == [
        {"type": "buffer", "name": "enc.mask", "shape": [7]},
        {"type": "add", "name": "enc.mix", "inputs": ["x", "enc.mask"]},
    ]


# Weights


def test_a_weight_of_two_layers_is_counted_once(tmp_path: Path) -> None:
    """Tied as language models tie them: the table, turned, is the last layer's matrix. 11*7 = 77."""
    nodes = [node("Gather", "table ids", "e"), node("Transpose", "table", "t"), node("MatMul", "e t", "y")]
    model = model_of(nodes, {"ids": ["N", 5]}, [weight("table", 11, 7)], dtypes={"ids": onnx.TensorProto.INT64})
    spec = imported(tmp_path, model)
    assert layers_of(spec)[1] == {
        "type": "linear",
        "name": "fc1",
        "out_features": 11,
        "bias": False,
        "weight": "emb1.weight",
    }
    assert archcost.cost(archcost.build(spec)).parameters == 77


def test_a_weight_used_both_ways_round_stands_by_itself(tmp_path: Path) -> None:
    """7*7 = 49 weights, once straight and once turned; each product takes 2*7*7 MACs for a batch of 2."""
    nodes = [node("Gemm", "x w", "a", transB=1), node("Gemm", "a w", "y")]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 7]}, [weight("w", 7, 7)]))
    assert [layer["type"] for layer in layers_of(spec)] == ["parameter", "linear", "transpose", "linear"]
    cost = archcost.cost(archcost.build(spec, 2))
    assert (cost.parameters, cost.macs) == (49, 196)


def test_half_precision_weights_are_cast(tmp_path: Path) -> None:
    nodes = [node("Add", "x w", "y")]
    half = onnx.TensorProto.FLOAT16
    model = model_of(nodes, {"x": ["N", 7]}, [weight("w", 7, dtype=half)], dtypes={"x": half})
    spec = imported(tmp_path, model)
    assert [layer["type"] for layer in layers_of(spec)] == ["parameter", "cast", "add"]


def test_functions_of_the_file_are_read_as_what_they_consist_of(tmp_path: Path) -> None:
    body = helper.make_function(
        "mine", "twice", ["a"], ["b"], [node("Relu", "a", "c"), node("Exp", "c", "b")], [helper.make_opsetid("", 20)]
    )
    nodes = [node("twice", "x", "m", domain="mine"), node("twice", "m", "y", domain="mine")]
    model = model_of(nodes, {"x": ["N", 7]}, functions=[body], opsets=[helper.make_opsetid("mine", 1)])
    assert [layer["type"] for layer in layers_of(imported(tmp_path, model))] == ["relu", "exp", "relu", "exp"]


def test_what_no_output_comes_of_is_left_out(tmp_path: Path) -> None:
    spec = imported(tmp_path, model_of([node("Exp", "x", "unread"), *RELU], {"x": ["N", 7]}, outputs=["y"]))
    assert [layer["type"] for layer in layers_of(spec)] == ["relu"]


def test_outputs_are_those_of_the_file(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "a"), node("Exp", "a", "y")]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 7]}, outputs=["y", "a"]))
    assert spec.outputs == ("exp1", "relu1")


# Sizes


def test_the_first_axis_is_the_batch_whatever_the_file_says_of_it(tmp_path: Path) -> None:
    for first in ("N", 1, 4):
        spec = imported(tmp_path, model_of(RELU, {"x": [first, 3, 7]}))
        assert spec.inputs["x"].shape == (3, 7)


OPEN = {"x": ["N", 3, "height", "width"], "mask": ["N", "height", 1]}


def test_open_sizes_are_given_by_input(tmp_path: Path) -> None:
    """A name of a size holds wherever it stands."""
    model = model_of([node("Unsqueeze", "mask one", "m"), node("Mul", "x m", "y")], OPEN, [numbers("one", [1])])
    spec = imported(tmp_path, model, "3x5x7")
    assert (spec.inputs["x"].shape, spec.inputs["mask"].shape) == ((3, 5, 7), (5, 1))


WRONG_SIZES = {
    "open": (
        (),
        "…/net.onnx: axis 2 of input x (height) has no size\n"
        "  expected: a number for each axis but the batch's\n"
        "  found: batch×3×height×width\n"
        "  try: --input x=3xNxN with numbers for N",
    ),
    "fixed": (("5x5x7",), "…/net.onnx: --input does not suit x\n  expected: 3×height×width\n  found: 5×5×7"),
    "axes": (("3x5",), "…/net.onnx: --input does not suit x\n  expected: 3×height×width\n  found: 3×5"),
    "twice": (
        ("3x5x7", "mask=6x1"),
        "…/net.onnx: --input gives height two sizes\n  expected: 5\n  found: 6 in mask",
    ),
    "dtype": (("3x5x7:float16",), "…/net.onnx: --input does not suit x\n  expected: float32\n  found: float16"),
    "unknown": (
        ("y=3x5x7",),
        "…/net.onnx: --input 'y=3x5x7'\n  expected: each input at most once: x, mask\n  found: 'y'",
    ),
}


@pytest.mark.parametrize("name", WRONG_SIZES)
def test_wrong_sizes(name: str, tmp_path: Path) -> None:
    given, message = WRONG_SIZES[name]
    model = model_of([node("Mul", "x mask", "y")], OPEN)
    assert refusal(tmp_path, model, *given) == message


# A batch that is a number

WRITTEN_FOR_ONE = {
    "a shape": ([node("Reshape", "x s", "y")], [numbers("s", [1, 21])], (2, 21)),
    "samples behind": (
        [node("Transpose", "x", "t", perm=[1, 0, 2]), node("Reshape", "t s", "y")],
        [numbers("s", [3, 1, 7])],
        (3, 2, 7),
    ),
    "samples among rows, and back": (
        [
            node("Transpose", "x", "t", perm=[1, 0, 2]),
            node("Reshape", "t s", "r"),
            node("Exp", "r", "e"),
            node("Reshape", "e u", "y"),
        ],
        [numbers("s", [3, 7]), numbers("u", [3, 1, 7])],
        (3, 2, 7),
    ),
    "heads": (
        [node("Reshape", "x s", "r"), node("Reshape", "r u", "y")],
        [numbers("s", [3, 1, 7]), numbers("u", [1, 3, 7])],
        (2, 3, 7),
    ),
    "a token for one": (
        [node("Concat", "w x", "y", axis=1)],
        [weight("w", 1, 1, 7)],
        (2, 4, 7),
    ),
    "all of the batch": (
        [node("Slice", "x a b c", "y")],
        [numbers("a", [0]), numbers("b", [1]), numbers("c", [0])],
        (2, 3, 7),
    ),
}


@pytest.mark.parametrize("name", WRITTEN_FOR_ONE)
def test_a_file_for_a_batch_of_one_is_read_for_any(name: str, tmp_path: Path) -> None:
    nodes, held, shape = WRITTEN_FOR_ONE[name]
    spec = imported(tmp_path, model_of(nodes, {"x": [1, 3, 7]}, held))
    assert archcost.build(spec, 2).returned[0].shape == shape


NO_OTHER_BATCH = {
    "picked": (
        [node("Gather", "x i", "y")],
        [numbers("i", 0)],
        "Gather that makes y'",
        "picks of",
        "Gather of 1×3×7, ()",
    ),
    "squeezed": (
        [node("Squeeze", "x i", "y")],
        [numbers("i", [0])],
        "Squeeze that makes y'",
        "takes no other than",
        "Squeeze of 1×3×7, 1",
    ),
}


@pytest.mark.parametrize("name", NO_OTHER_BATCH)
def test_what_is_for_one_sample_alone_is_refused(name: str, tmp_path: Path) -> None:
    nodes, held, where, what, found = NO_OTHER_BATCH[name]
    assert refusal(tmp_path, model_of(nodes, {"x": [1, 3, 7]}, held)) == (
        f"…/net.onnx: '{where}: {what} a batch of 1\n"
        "  expected: a network for any batch\n"
        f"  found: {found} int64\n"
        "  try: export it again with a dynamic batch axis"
    )


# What is refused

FOREIGN = {"opsets": [helper.make_opsetid("com.example", 1)]}


def changed(model: onnx.ModelProto, change: Callable[[onnx.GraphProto], None]) -> onnx.ModelProto:
    change(model.graph)
    return model


def called_again(depth: int, last: int | None = None) -> onnx.ModelProto:
    """Functions that each call the next one twice, 2^depth operators in a small file; the last calls number `last`."""
    functions: list[onnx.FunctionProto] = []
    for level in range(depth + 1):
        below = level + 1 if level < depth else last
        body = [node("Relu", "a", "c")]
        if below is not None:
            body = [node(f"f{below}", "a", "b", domain="f"), node(f"f{below}", "b", "c", domain="f")]
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("f", 1)]
        functions.append(helper.make_function("f", f"f{level}", ["a"], ["c"], body, opsets))
    opsets = [helper.make_opsetid("f", 1)]
    return model_of([node("f0", "x", "y", domain="f")], {"x": ["N", 7]}, functions=functions, opsets=opsets)


REFUSED: dict[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "unknown operator": (
        lambda: model_of([node("Fancy", "x", "y", domain="com.example")], {"x": ["N", 7]}, **FOREIGN),
        "…/net.onnx: 'com.example::Fancy that makes y': 'com.example::Fancy' cannot be told as a layer: no layer is "
        "'com.example::Fancy'\n"
        "  expected: an operator with a layer of its own, or one whose shapes are known\n"
        "  found: B×7",
    ),
    "a range of values": (
        lambda: model_of([node("ReduceSum", "x", "s", keepdims=0), node("Range", "s s s", "y")], {"x": ["N", 7]}),
        "…/net.onnx: 'Range that makes y': 'Range' cannot be told as a layer: a range whose ends are computed\n"
        "  expected: an operator with a layer of its own, or one whose shapes are known\n"
        "  found: (), (), ()",
    ),
    "not as ONNX has it": (
        lambda: model_of([node("Concat", "", "y", axis=0)], {"x": ["N", 7]}),
        "…/net.onnx: 'Concat that makes y': 'Concat' cannot be told as a layer: onnx says Node with schema(::Concat:13)"
        " has input size 0 not in range [min=1, max=2147483647].\n"
        "  expected: an operator with a layer of its own, or one whose shapes are known\n"
        "  found: no input",
    ),
    "shapes that do not go together": (
        lambda: model_of([node("MatMul", "x w", "y")], {"x": ["N", 7]}, [weight("w", 5, 3)]),
        "…/net.onnx: 'MatMul that makes y': 'MatMul' cannot be told as a layer: weights of other sizes\n"
        "  expected: 21 values\n"
        "  found: 15",
    ),
    "nothing makes it": (
        lambda: model_of([node("Relu", "z", "y")], {"x": ["N", 7]}),
        "…/net.onnx: 'Relu that makes y': reads what nothing makes\n"
        "  expected: an output of an operator before\n"
        "  found: 'z'",
    ),
    "the batch twice": (
        lambda: model_of(RELU, {"x": ["N", "N"]}),
        "…/net.onnx: input x has the batch in two axes\n  expected: the batch once\n  found: N×N",
    ),
    "the prime": (
        lambda: model_of([node("Add", "x w", "y")], {"x": ["N", 7]}, [weight("w", 2_000_006, 7)]),
        "…/net.onnx: a size cannot be told from the batch, for which a large prime stands while the file is read\n"
        "  expected: another size\n"
        "  found: 'w' 2000006×7",
    ),
    "element type": (
        lambda: model_of(RELU, {"x": ["N", 7]}, dtypes={"x": onnx.TensorProto.UINT32}),
        "…/net.onnx: input x has an element type that no layer takes\n"
        "  expected: float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool, "
        "complex128, complex64, complex32\n"
        "  found: uint32",
    ),
    "no tensor": (
        lambda: changed(model_of(RELU, {"x": ["N", 7]}), lambda graph: graph.input[0].ClearField("type")),
        "…/net.onnx: input x has no axis for the batch\n"
        "  expected: the batch first: (batch, …)\n"
        "  found: a shape of unknown axes",
    ),
    "a function of itself": (
        lambda: called_again(1, last=0),
        "…/net.onnx: functions call one another in a circle, or too deep\n"
        "  expected: at most 32 one in another\n"
        "  found: f::f0",
    ),
    "an input twice": (
        lambda: changed(model_of(RELU, {"x": ["N", 7]}), lambda graph: graph.input.append(graph.input[0])),
        "…/net.onnx: two inputs of the file have one name\n  expected: a name each\n  found: 'x'",
    ),
    "an input without a name": (
        lambda: model_of([node("Relu", "*", "y")], {"*": ["N", 7], ".": ["N", 7]}),
        "…/net.onnx: an input of the file has no name\n  expected: letters or digits\n  found: '.'",
    ),
    "no input": (
        lambda: model_of([node("Relu", "w", "y")], {}, [weight("w", 7)]),
        "…/net.onnx: the network has no input\n  expected: one at least\n  found: none",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, tmp_path: Path) -> None:
    model, message = REFUSED[name]
    assert refusal(tmp_path, model()) == message


def test_an_unknown_operator_with_shapes_is_a_layer_of_unknown_cost(tmp_path: Path) -> None:
    shapes = [helper.make_tensor_value_info("m", FLOAT, ["N", 3, 5])]
    nodes = [node("Fancy", "x w", "m", domain="com.example"), node("Relu", "m", "y")]
    model = model_of(nodes, {"x": ["N", 7]}, [weight("w", 7, 11)], value_info=shapes, **FOREIGN)
    spec = imported(tmp_path, model)
    cost = archcost.cost(archcost.build(spec, 2))
    assert [layer["type"] for layer in layers_of(spec)] == ["parameter", "opaque", "relu"]
    assert layers_of(spec)[1]["op"] == "com.example::Fancy"
    assert (cost.unknown, cost.parameters) == (("opaque1",), 77)


@pytest.mark.parametrize(
    ("depth", "problem"), [(25, "too many operators"), (40, "functions call one another in a circle, or too deep")]
)
def test_functions_that_call_one_another_end(depth: int, problem: str, tmp_path: Path) -> None:
    assert problem in refusal(tmp_path, called_again(depth))


def test_large_constants_are_not_made(tmp_path: Path) -> None:
    """2^40 numbers that nothing looks at, of which only the shape is worked out."""
    nodes = [node("ConstantOfShape", "s", "z"), node("Shape", "z", "n"), node("Expand", "x n", "y")]
    spec = imported(tmp_path, model_of(nodes, {"x": ["N", 1]}, [numbers("s", [1, 2**30])]))
    assert archcost.build(spec, 2).returned[0].shape == (2, 2**30)


def test_damaged_files_are_refused_in_words(tmp_path: Path) -> None:
    """Bytes changed, left out and put in: a spec comes out, or an ArchcostError."""
    chance = random.Random(0)
    whole = onnx_bytes(archcost.load("lenet5"))
    path = tmp_path / "net.onnx"
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(chance.choice((1, 2, 8))):
            at = chance.randrange(len(content))
            content[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        path.write_bytes(content)
        with contextlib.suppress(ArchcostError):
            archcost.cost(archcost.build(archcost.from_onnx(path)))


# On the command line


def test_every_command_takes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_bytes(archcost.load("lenet5")))
    assert main(["summary", str(path), "--batch", "2", "--format", "json"]) == 0
    assert '"parameters": 61706' in capsys.readouterr().out
    assert main(["lock", str(path), "-o", str(tmp_path / "net.lock")]) == 0
    assert main(["check", str(tmp_path / "net.lock")]) == 0
    assert main(["import", str(path), "-o", str(tmp_path / "net.yaml")]) == 0
    assert archcost.cost(archcost.build(archcost.load(tmp_path / "net.yaml"))).parameters == 61_706


BROKEN = {
    "truncated": (lambda content: content[:1000], "not an ONNX file\n  expected: a whole model\n  found: 1,000 bytes"),
    "text": (lambda content: b"name: net\n", "not an ONNX file\n  expected: a whole model\n  found: 10 bytes"),
    "empty": (lambda content: b"", "not an ONNX file\n  expected: a model with a graph\n  found: no operator"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_onnx_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, message = BROKEN[name]
    path = tmp_path / "net.onnx"
    path.write_bytes(change(onnx_bytes(archcost.load("lenet5"))))
    assert main(["summary", str(path)]) == 2
    assert f"archcost: {path}: {message}" in capsys.readouterr().err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", "nowhere.onnx"]) == 2
    assert capsys.readouterr().err == (
        "archcost: nowhere.onnx: no such file\n  expected: an ONNX file\n  found: nothing\n"
    )


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").mkdir()
    with pytest.raises(ArchcostError, match="not a regular file"):
        archcost.load(tmp_path / "net.onnx")


@pytest.mark.parametrize("command", ["summary", "export"])
def test_without_onnx_it_says_what_to_install(command: str, tmp_path: Path) -> None:
    network = "net.onnx" if command == "summary" else "lenet5"
    script = f"""
import sys
sys.modules.update(onnx=None, numpy=None)  # an import of these now fails
from archcost.cli import main
sys.exit(main([{command!r}, {network!r}, "-o", {str(tmp_path / "out.onnx")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("archcost: onnx is not installed\n")
    assert done.stderr.endswith("  try: pip install archcost[onnx]\n")
