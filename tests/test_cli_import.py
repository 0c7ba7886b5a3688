"""`archcost import` and NETWORK = module:callable: what is written, and what is said of what cannot be followed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import archcost
from archcost.cli import main

MODELS = """\
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self, width=5):
        super().__init__()
        self.fc = nn.Linear(3, width)

    def forward(self, x, ids=None):
        return self.fc(x).relu()


class Choosing(Small):
    def forward(self, x):
        y = self.fc(x)
        if y.sum() > 0:
            return y
        return y.relu()


class Raising(Small):
    def forward(self, x):
        raise ValueError("no such road")


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.Sequential(Small(3), Choosing())

    def forward(self, x):
        return self.blocks(x)


class Wordless(Small):
    def forward(self, x):
        return "nothing"


def failing():
    raise OSError("the weights are not here")


def chatty():
    print("loading")
    return Small()


def number():
    return 7


def scripted():
    return torch.jit.script(Small(5))


one = 1
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to run in, with modules of its own."""
    (tmp_path / "cli_models.py").write_text(MODELS)
    (tmp_path / "cli_broken.py").write_text("import torch\n\nraise RuntimeError('not today')\n")
    (tmp_path / "cli_incomplete.py").write_text("import no_such_package\n")
    (tmp_path / "cli_printing.py").write_text(f"print('hello')\n{MODELS}")
    (tmp_path / "cli_leaving.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "cli_syntax.py").write_text("x = 1\ndef f(:\n")
    for name in [name for name in sys.modules if name.startswith("cli_")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


YAML = """\
name: Small
title: cli_models:Small(width=7)
inputs:
  x: {shape: [3]}
layers:
  - {type: linear, name: fc, out_features: 7}
  - {type: relu, name: relu1}
"""


def test_import_writes_a_spec(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ["import", "cli_models:Small", "--args", '{"width": 7}', "--input", "3"]
    assert run(capsys, *argv) == (0, YAML, "")
    assert run(capsys, *argv, "-o", "small.yaml") == (0, "", "")
    assert (models / "small.yaml").read_text() == YAML
    assert run(capsys, *argv, "-o", "small.json") == (0, "", "")
    same = [archcost.load("cli_models:Small", args={"width": 7}, inputs=["3"]), archcost.load("small.json")]
    assert archcost.load("small.yaml") in same
    assert same[0] == same[1]


def test_every_command_takes_it(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "summary", "cli_models:Small", "--args", "[11]", "--input", "x=3", "--format", "json")
    assert (code, err) == (0, "")
    assert json.loads(out)["totals"]["parameters"] == 44  # (3 + 1)*11


def test_what_it_prints_goes_to_standard_error(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "summary", "cli_printing:chatty", "--input", "3", "--format", "json")
    assert (code, err) == (0, "hello\nloading\n")
    assert json.loads(out)["network"] == "chatty"


REFUSED = {
    "cli_models:Choosing --input 3": """\
archcost: FOLDER/cli_models.py:17:1: Choosing: forward depends on values, and what it costs with them
  expected: a forward that shapes alone decide
  found: 'Tensor.item() cannot be called on meta tensors'
""",
    "cli_models:Outer --input 3": """\
archcost: FOLDER/cli_models.py:17:1: Outer.blocks.1: forward depends on values, and what it costs with them
  expected: a forward that shapes alone decide
  found: 'Tensor.item() cannot be called on meta tensors'
""",
    "cli_models:Small --input 4": """\
archcost: FOLDER/cli_models.py:11:1: Small.fc: forward fails (run with a batch of 1,009)
  expected: example inputs that the module takes, batch first
  found: RuntimeError: 'a and b must have same reduction dim, but got [1009, 4] X [3, 5].'
""",
    "cli_models:Small --input 3x4": """\
archcost: FOLDER/cli_models.py:11:1: Small.fc: forward fails (run with a batch of 1,009)
  expected: example inputs that the module takes, batch first
  found: RuntimeError: 'a and b must have same reduction dim, but got [3027, 4] X [3, 5].'
""",
    "cli_models:Small --input 3 --input 4 --input 5": """\
archcost: Small: forward fails (run with a batch of 1,009)
  expected: example inputs that the module takes, batch first
  found: TypeError: 'Small.forward() takes from 2 to 3 positional arguments but 4 were given'
  try: for an input without a batch axis, unbatched=["name"], or --input name=2x300:unbatched
""",
    "cli_models:Small --input y=3": """\
archcost: Small: forward fails (run with a batch of 1,009)
  expected: example inputs that the module takes, batch first
  found: TypeError: "Small.forward() got an unexpected keyword argument 'y'"
""",
    "cli_models:Small": """\
archcost: cli_models:Small needs inputs to be run with
  expected: --input once for each input, per sample
  found: none
  try: --input 3x224x224, or --input 128:int64
""",
    "cli_models:Small --input three": """\
archcost: --input has no shape
  expected: sizes such as 3x224x224
  found: 'three'
""",
    "cli_models:Small --input 3:uint32": """\
archcost: --input cannot be used
  expected: float64, float32, float16, bfloat16, int64, int32, int16, int8, uint8, bool, complex128, complex64, \
complex32, float8_e4m3fn, float8_e5m2, float8_e4m3fnuz, float8_e5m2fnuz, float8_e8m0fnu, uint16, int4, uint4, int2, \
uint2, float4_e2m1fn
  found: '3:uint32'
""",
    "cli_models:Small --input 3 --args 7": """\
archcost: --args is no mapping and no list
  expected: {"num_classes": 10}
  found: 7
""",
    "cli_models:Small --input 3 --args {": """\
archcost: argument --args: '{' is no JSON
  try: archcost import --help
""",
    'cli_models:Small --input 3 --args {"height":7}': """\
archcost: cli_models:Small fails
  expected: a callable that makes a module of these arguments (--args)
  found: TypeError: "Small.__init__() got an unexpected keyword argument 'height'"
""",
    "cli_models:Raising --input 3": """\
archcost: FOLDER/cli_models.py:24:1: Raising: forward fails (run with a batch of 1,009)
  expected: example inputs that the module takes, batch first
  found: ValueError: 'no such road'
""",
    "cli_models:Wordless --input 3": """\
archcost: Wordless: the module returns nothing that it computes from its inputs
  expected: tensors, or objects that hold some
  found: str
""",
    "cli_models:failing --input 3": """\
archcost: FOLDER/cli_models.py:42:1: cli_models:failing fails
  expected: a callable that makes a module of these arguments (--args)
  found: OSError: 'the weights are not here'
""",
    "cli_models:number --input 3": """\
archcost: cli_models:number makes no module
  expected: a torch.nn.Module
  found: int
""",
    "cli_models:one --input 3": """\
archcost: cli_models:one cannot be called
  expected: a class or a function
  found: int
""",
    "cli_models:Smal --input 3": """\
archcost: cli_models has no Smal
  expected: the name of a callable in cli_models
  found: 'Smal'
  try: 'Small'
""",
    "cli_models:scripted --input 3": """\
archcost: a scripted module runs out of sight
  expected: the module as it was before torch.jit
  found: RecursiveScriptModule
""",
    "cli_broken:Small --input 3": """\
archcost: FOLDER/cli_broken.py:3:1: cli_broken cannot be imported
  expected: a module that Python finds here, or in an installed package
  found: RuntimeError: 'not today'
""",
    "cli_incomplete:Small --input 3": """\
archcost: FOLDER/cli_incomplete.py:1:1: cli_incomplete cannot be imported
  expected: a module that Python finds here, or in an installed package
  found: ModuleNotFoundError: "No module named 'no_such_package'"
""",
    "cli_leaving:Small --input 3": """\
archcost: FOLDER/cli_leaving.py:2:1: cli_leaving cannot be imported
  expected: a module that Python finds here, or in an installed package
  found: SystemExit: '3'
""",
    "cli_syntax:f --input 3": """\
archcost: FOLDER/cli_syntax.py:2:7: cli_syntax cannot be imported
  expected: a module that Python finds here, or in an installed package
  found: SyntaxError: 'invalid syntax (cli_syntax.py, line 2)'
""",
    "cli_model:Small --input 3": """\
archcost: cli_model cannot be imported
  expected: a module that Python finds here, or in an installed package
  found: ModuleNotFoundError: "No module named 'cli_model'"
""",
    "cli_models.inner:Small --input 3": """\
archcost: cli_models.inner cannot be imported
  expected: a module that Python finds here, or in an installed package
  found: ModuleNotFoundError: "No module named 'cli_models.inner'; 'cli_models' is not a package"
""",
    "mlp --args {}": """\
archcost: --args belongs to a callable
  expected: module:callable as NETWORK
  found: mlp
""",
    "cli_models:Small --input 3 --set width=4": """\
archcost: --set: the network has no parameter 'width'
  expected: no parameters
  found: 'width'
""",
    "cli_models:Small --input 1009": """\
archcost: input x has a size that cannot be told from the batch
  expected: no multiple of 1,009, the batch that the module is run with
  found: 1009
  try: another size, put right in the spec that is saved
""",
    "cli_models:Small --input 0": """\
archcost: --input cannot be used
  expected: greater than or equal to 1
  found: '0'
""",
}


@pytest.mark.parametrize("command", REFUSED)
def test_refused(models: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, err = run(capsys, "import", *command.split())
    assert (code, out) == (2, "")
    assert err.replace(str(models), "FOLDER") == REFUSED[command]


def test_what_is_no_module(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(archcost.ArchcostError) as caught:
        archcost.from_torch(len)
    assert str(caught.value) == ("not a module\n  expected: a torch.nn.Module\n  found: <built-in function len>")


def test_compiled_modules_are_refused() -> None:
    compiled = nn.Sequential(nn.Linear(3, 5), nn.ReLU())
    compiled[1].compile()
    for module, where in ((compiled, "1: "), (torch.compile(nn.Linear(3, 5)), "")):
        with pytest.raises(archcost.ArchcostError) as caught:
            archcost.from_torch(module, torch.zeros(1, 3))
        assert str(caught.value).startswith(f"{where}a compiled module runs out of sight\n  expected: the module as it")


def test_debug_shows_the_traceback(models: Path) -> None:
    with pytest.raises(archcost.ArchcostError) as caught:
        main(["summary", "cli_models:Raising", "--input", "3", "--debug"])
    assert isinstance(caught.value.__cause__, ValueError)
