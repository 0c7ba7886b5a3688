"""Finding profiles, and what they answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

import archcost
from archcost import hardware
from archcost.errors import ArchcostError
from archcost.report import render

CARD = """\
name: my-card
title: My card
vendor: NVIDIA
kind: gpu
year: 2023
verified: B
sources: {sheet: {text: the data sheet, date: 2026-11, verified: A}}
rates:
  float32: {value: 29.1 TFLOP/s, accumulate: float32, source: sheet}
  float16: {value: 58.2 TFLOP/s, sparse: 116.4 TFLOP/s, accumulate: float32, source: sheet}
sparsity: {value: "2:4", source: sheet}
memory:
  type: {value: GDDR6X, source: sheet}
  nominal: {value: 12 GiB, source: sheet}
  bandwidth: {value: 504 GB/s, source: sheet}
price: {value: 599 USD, source: sheet, date: 2023}
"""


@pytest.fixture
def card(tmp_path: Path) -> Path:
    file = tmp_path / "card.yaml"
    file.write_text(CARD)
    return file


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("rtx-409", "'nvidia-rtx-4090'"),
        ("NVIDIA-RTX-4O90", "'nvidia-rtx-4090'"),
        ("40900", "'4090'"),
        ("toaster", "archcost hardware list"),
        ("", "archcost hardware list"),
        ("../profiles/nvidia-l4", "'nvidia-l4'"),
        ("512KB", "archcost hardware list"),
    ],
)
def test_an_unknown_name_is_told_its_neighbours(name: str, hint: str):
    with pytest.raises(ArchcostError, match="unknown hardware") as raised:
        hardware.load(name)
    assert hint in (raised.value.hint or "")
    assert raised.value.exit_code == 2


def test_all_is_no_single_device():
    with pytest.raises(ArchcostError, match="no single device"):
        hardware.load("all")
    assert len(hardware.profiles_of("all")) == len(hardware.profiles_of(["all"])) == len(hardware.names())


def test_a_file_of_ones_own(card: Path):
    profile = hardware.load(card)
    assert profile.rate("float16") == 58_200_000_000_000
    assert profile.rates.float16 is not None
    assert profile.rates.float16.sparse_amount == 116_400_000_000_000
    assert profile.memory.capacity == 12 * 2**30
    assert profile.date(profile.memory.nominal) == "2026-11"
    assert profile.price is not None
    assert profile.date(profile.price) == "2023"
    assert hardware.check(card).profile == profile


def test_json_says_the_same(card: Path, tmp_path: Path):
    """A profile as JSON: the same keys."""
    import yaml

    file = tmp_path / "elsewhere" / "card.json"
    file.parent.mkdir()
    file.write_text(json.dumps(yaml.safe_load(CARD), default=str))
    assert hardware.load(file) == hardware.load(card)


def test_a_rate_that_the_profile_lacks():
    with pytest.raises(ArchcostError, match="nvidia-gtx-580-3gb has no rate for bfloat16") as raised:
        hardware.load("nvidia-gtx-580-3gb").rate("bfloat16")
    assert raised.value.expected == "one of float64, float32"
    assert raised.value.exit_code == 2


def test_two_files_of_one_name(card: Path):
    other = card.with_name("copy.yaml")
    other.write_text(CARD)
    with pytest.raises(ArchcostError, match="two devices of one name") as raised:
        hardware.check(card)
    assert raised.value.found == "the name of copy.yaml"
    other.write_text("name: my-card\nlayers: []\n")  # a network may have the name
    hardware.check(card)
    other.write_text("{")  # and what cannot be read is another's mistake
    hardware.check(card)


def test_a_profile_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        hardware.load("nvidia-l4").year = 1  # pyright: ignore[reportAttributeAccessIssue]


def test_a_sparse_rate_with_float16_sums_is_compared_with_such(card: Path):
    """GeForce Ada: 2 × float32 with sums in float32, 4 × with sums in float16, 8 × and more only when sparse."""
    ada = CARD.replace("year: 2023", "year: 2023\narchitecture: Ada\nline: GeForce")
    ada = ada.replace("58.2 TFLOP/s, sparse: 116.4 TFLOP/s, accumulate: float32", "116.4 TFLOP/s, accumulate: float16")
    card.write_text(ada)
    assert hardware.check(card).profile.rate("float16") == 116_400_000_000_000
    card.write_text(ada.replace("116.4", "232.8"))
    with pytest.raises(ArchcostError, match="looks like a sparse rate"):
        hardware.check(card)


@pytest.mark.parametrize("format", ["text", "markdown", "latex", "html", "csv", "json"])
def test_every_form(format: str, card: Path):
    listed = render(hardware.shipped(), format)
    assert all(name.replace("_", r"\_") in listed for name in hardware.names())
    shown = render(hardware.load("nvidia-h100-sxm5-80gb"), format)
    for path, figure in hardware.load("nvidia-h100-sxm5-80gb").figures():
        assert path in shown
        assert str(getattr(figure, "value", "")).partition(".")[0].strip("(") in shown
    assert "my-card" in render(hardware.check(card), format)


def test_json_of_list_and_show():
    listed = hardware.shipped().to_dict()
    assert listed["schema"] == "archcost.hardware_list/1"
    assert listed["devices"][0]["name"] == "amd-epyc-7763"
    assert listed["devices"][0]["memory_nominal"] == 549_755_813_888  # 512 * 2^30
    shown = json.loads(hardware.load("nvidia-l4").to_json())
    assert shown["figures"]["rates.tf32"] == {
        "value": "60 TFLOP/s",
        "accumulate": "float32",
        "amount": 60_000_000_000_000,
        "unit": "FLOP/s",
        "source": "half of the listed sparse 120",
        "date": "2026-11-23",
        "verified": "derived",
    }
    assert shown["unknown"] == ["memory.usable", "links.peer", "links.network", "price"]


def test_analyses_do_not_import_profiles():
    script = """
import sys
import archcost
from archcost.cli import main
main(["summary", "lenet5"])
print(sorted(name for name in sys.modules if name.startswith("archcost.hardware")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_profiles_are_inside_the_package():
    """Where a wheel takes them along."""
    files = (Path(archcost.__file__).parent / "hardware" / "profiles").glob("*.yaml")
    assert tuple(sorted(file.stem for file in files)) == hardware.names()


def test_the_example_of_the_page():
    """What docs/add_a_device.md shows is the file that its commands check."""
    root = Path(__file__).parents[2]
    example = (root / "tests" / "hardware" / "example.yaml").read_text(encoding="utf-8")
    assert f"```yaml\n{example}```" in (root / "docs" / "add_a_device.md").read_text(encoding="utf-8")
