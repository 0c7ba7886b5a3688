"""Packages that bring layers, installed: found wherever a layer is named, and named when they are broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.own.site import PACKAGES, describe, install, run

NET = """\
name: n
inputs: {q: [4, 10, 16], k: [4, 10, 16], v: [4, 10, 16]}
layers:
  - {type: attend, inputs: [q, k, v], causal: true}
  - {type: linear, out_features: 3, bias: false}
"""

MACS = 2 * 4 * 10 * 10 * 16 + 4 * 10 * 16 * 3

BLOCK = ("fused_attention.kernels:Block", "--input", "10x64")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`fused_attention` as if it were installed, and a network that names its layer."""
    folder = describe(tmp_path_factory.mktemp("site"), "fused_attention", {"attend": "fused_attention.layers"})
    (folder / "net.yaml").write_text(NET)
    return folder


def archcost(site: Path, *words: str) -> str:
    done = run("-m", "archcost", *words, path=(site, PACKAGES), cwd=site)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_a_spec_that_names_it(site: Path) -> None:
    said = json.loads(archcost(site, "summary", "net.yaml", "--format", "json"))
    assert (said["totals"]["macs"], said["unknown"]) == (MACS, [])
    assert "attend1 output" in archcost(site, "timeline", "net.yaml")
    assert "attend1 (attend)" in archcost(site, "explain", "net.yaml")
    assert "peak" in archcost(site, "estimate", "net.yaml", "--hardware", "nvidia-rtx-4090", "--precision", "amp-bf16")


def test_lists_and_the_schema_have_it(site: Path) -> None:
    assert "fused_attention.layers" in archcost(site, "layers")
    assert "fused_attention::Attend" in archcost(site, "layers", "attend")
    assert "layer_attend" in archcost(site, "schema")


def test_verify_builds_it(site: Path) -> None:
    said = archcost(site, "verify", "net.yaml")
    assert "differ" not in said.partition("\n\n")[2].replace("agree  differ", "")
    assert "attend, for which torch's counter has no formula" in said


def test_a_module_that_calls_it(site: Path) -> None:
    said = json.loads(archcost(site, "summary", *BLOCK, "--format", "json"))
    assert "attend" in [layer["type"] for layer in said["layers"]]
    assert (said["totals"]["macs"], said["unknown"]) == (10 * 64 * 4 * 64 + 2 * 4 * 10 * 10 * 16, [])
    assert json.loads(archcost(site, "verify", *BLOCK, "--measure", "--format", "json"))["ok"]


def test_onnx_and_back(site: Path) -> None:
    archcost(site, "export", "net.yaml", "-o", "net.onnx")
    for batch in (1, 7):
        said = json.loads(archcost(site, "summary", "net.onnx", "--batch", str(batch), "--format", "json"))
        assert [layer["type"] for layer in said["layers"]] == ["attend", "linear"]
        assert said["totals"]["macs"] == batch * MACS
    archcost(site, "import", "net.onnx", "-o", "again.yaml")
    assert "causal: true" in (site / "again.yaml").read_text()


def test_a_lock(site: Path) -> None:
    archcost(site, "lock", "net.yaml", "-o", "net.lock")
    assert "2 layers as locked" in archcost(site, "check", "net.lock")


def test_specs_go_to_other_processes(site: Path) -> None:
    script = (
        "import archcost, multiprocessing, sys\n"
        "def macs(spec): return archcost.cost(archcost.build(spec)).macs\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(macs, [archcost.load('net.yaml')] * 2))\n"
    )
    (site / "several.py").write_text(script)
    assert run("several.py", path=(site, PACKAGES), cwd=site).stdout == f"[{MACS}, {MACS}]\n"


def test_nothing_is_asked_where_all_is_ours(site: Path) -> None:
    script = (
        "import archcost, sys\n"
        "archcost.cost(archcost.build(archcost.load('vgg_d')))\n"
        "print('fused_attention' in sys.modules, end=' ')\n"
        "from archcost.layers import own\n"
        "own.registered()\n"
        "print('fused_attention' in sys.modules)\n"
    )
    assert run("-c", script, path=(site, PACKAGES)).stdout == "False True\n"


GOOD = """\
from typing import ClassVar, Literal
from archcost.extend import *

class Own(Layer):
    type: Literal["own"] = "own"
    card: ClassVar[Card] = Card(torch="nn.Tanh", calls=(), onnx=None, autocast=AS_GIVEN, promotion="first",
                                fvcore="nothing", time="elementwise", blas=False)

    def output_types(self, inputs):
        return inputs

    def work(self, inputs, outputs):
        return (Elementwise(inputs[0].numel, 3, {0: 2}, "squashed"),)

    def autograd(self, call):
        return Autograd((Output(0),), call.inputs)
"""

OWN = "name: n\ninput: [3]\nlayers: [{type: own}]\n"


def refused(tmp_path: Path, text: str, value: str = "broken.layers", net: str = OWN) -> str:
    install(tmp_path, "broken", {"layers": text}, {"mine": value})
    (tmp_path / "net.yaml").write_text(net)
    done = run("-m", "archcost", "summary", "net.yaml", path=(tmp_path,), cwd=tmp_path)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    return done.stderr


def test_an_entry_point_may_name_the_class_itself(tmp_path: Path) -> None:
    install(tmp_path, "good", {"layers": GOOD}, {"mine": "good.layers:Own"})
    (tmp_path / "net.yaml").write_text(OWN)
    assert "own1" in archcost(tmp_path, "summary", "net.yaml")


@pytest.mark.parametrize(
    ("text", "value", "said"),
    [
        (
            "import nowhere",
            "broken.layers",
            "\"No module named 'nowhere'\" at {}/broken/layers.py:1",
        ),
        ("this is no Python", "broken.layers", "SyntaxError"),
        ("raise SystemExit(3)", "broken.layers", "SystemExit: '3'"),
        (GOOD, "broken.layers:Missing", "has no attribute 'Missing'"),
        (GOOD, "broken.elsewhere", "No module named 'broken.elsewhere'"),
        (GOOD.replace('"own"', '"relu"'), "broken.layers:Own", "broken.layers.Own and archcost.layers.activation.ReLU"),
        (GOOD.replace("def work", "def werk"), "broken.layers", "TypeError: 'Own says nothing of its work'"),
    ],
)
def test_a_broken_package_is_named(tmp_path: Path, text: str, value: str, said: str) -> None:
    stderr = refused(tmp_path, text, value)
    said_first = "archcost: the layers of mine, an entry point of the package broken 1.0 cannot be imported\n"
    assert stderr.startswith(said_first)
    assert said.format(tmp_path) in stderr


def test_a_broken_package_is_in_nobodys_way_where_all_is_ours(tmp_path: Path) -> None:
    install(tmp_path, "broken", {"layers": "import nowhere"}, {"mine": "broken.layers"})
    assert "vgg_d" in archcost(tmp_path, "summary", "vgg_d")
    script = "import archcost, torch; print(len(archcost.from_torch(torch.nn.ReLU(), torch.zeros(1, 3)).layers))"
    assert run("-c", script, path=(tmp_path,)).stdout == "1\n"


def test_two_packages_with_one_type(tmp_path: Path) -> None:
    for name in ("first", "second"):
        install(tmp_path, name, {"layers": GOOD}, {name: f"{name}.layers:Own"})
    (tmp_path / "net.yaml").write_text(OWN.replace("own}", "other}"))
    done = run("-m", "archcost", "summary", "net.yaml", path=(tmp_path,), cwd=tmp_path)
    assert "the layer type own has two classes: second.layers.Own and first.layers.Own" in done.stderr
