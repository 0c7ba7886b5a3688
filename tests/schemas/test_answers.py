"""The schemas of answers: what commands print validates, and every form that the code names is described."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import archcost
from archcost.cli import main
from archcost.errors import ArchcostError
from archcost.schemas import Key, Keys, key_of, keys, names, parts_of, schema

SOURCES = sorted(Path(archcost.__file__).parent.rglob("*.py"))

ASKED = {
    "list": ["list"],
    "layers": ["layers"],
    "layer": ["layers conv2d", "layers gelu", "layers lstm"],
    "show": ["show vgg_d", "show gpt2", "show unet"],
    "summary": [
        "summary alexnet",
        "summary resnet18 --depth 1",
        "summary lenet5 --time --hardware raspberry-pi-4",
        "summary lenet5 --columns memory --top 2",
        "summary olmoe_1b_7b",
    ],
    "lint": ["lint squeezenet1_1", "lint vgg_a_bn"],
    "explain": ["explain lenet5", "explain gpt2 --set depth=1"],
    "compare": ["compare vgg_a vgg_d", "compare lenet5 alexnet"],
    "diff": ["diff vgg_a vgg_d --hardware nvidia-t4", "diff mlp lenet5", "diff vgg_a vgg_d --depth 1"],
    "grade": ["grade docs/worksheets/vgg_a_9.txt"],
    "check": ["check docs/guarding/archcost.yaml tests/locks/lenet5.lock"],
    "estimate": [
        "estimate lenet5 --hardware nvidia-rtx-4090",
        "estimate lenet5 --hardware nvidia-rtx-4090 --offload optimizer",
        "estimate lenet5 --hardware google-tpu-v4 --mode infer",
        "estimate lenet5 --hardware st-stm32f746",
        "estimate alexnet --hardware raspberry-pi-4 --precision bf16",
    ],
    "timeline": ["timeline lenet5", "timeline lenet5 --mode infer --hardware nvidia-t4"],
    "fit": [
        "fit lenet5 --hardware nvidia-t4 --hardware st-stm32f746 --hardware raspberry-pi-4",
        "fit lenet5 --hardware nvidia-t4 --vary width --price 2",
        "fit alexnet --hardware nvidia-gtx-580-3gb --batch 6000",
    ],
    "plan": [
        "plan lenet5 --hardware nvidia-t4 --dataset-size 60000 --epochs 3 --batch 64 --price 1 --carbon 300",
        "plan alexnet --hardware nvidia-gtx-580-3gb --dataset-size 60000 --epochs 3 --batch 6000",
        "plan lenet5 --hardware st-stm32g0b1 --dataset-size 60000 --epochs 3",
    ],
    "serve": ["serve gpt2 --hardware nvidia-h100-sxm5-80gb --prompt 64 --new 8"],
    "sweep": ["sweep lenet5 --hardware nvidia-t4 --batch 1-3 --price 2 --allocator"],
    "verify": ["verify lenet5"],
    "hardware_list": ["hardware list"],
    "hardware": ["hardware show nvidia-t4", "hardware show st-stm32f746", "hardware show generic-desktop-cpu"],
    "hardware_check": [f"hardware check {Path(archcost.__file__).parent}/hardware/profiles/nvidia-t4.yaml"],
}


def mistakes(answer: object, name: str) -> list[str]:
    return [
        f"{error.json_path}: {error.message[-200:]}" for error in Draft202012Validator(schema(name)).iter_errors(answer)
    ]


@pytest.mark.parametrize(("name", "asked"), [(name, asked) for name in ASKED for asked in ASKED[name]])
def test_an_answer_validates(name: str, asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([*asked.split(), "--format", "json"])
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == f"archcost.{name}/1"
    assert mistakes(answer, name) == []


def test_every_form_that_the_code_names_is_described_and_asked() -> None:
    """The forms are found in the text of the code, not in the table."""
    found = {form for path in SOURCES for form in re.findall(r'"archcost\.(\w+)/1"', path.read_text(encoding="utf-8"))}
    assert found == set(names())
    assert found == set(ASKED)


@pytest.mark.parametrize("name", names())
def test_each_is_a_schema_of_its_dialect_and_every_key_has_a_meaning(name: str) -> None:
    described = schema(name)
    Draft202012Validator.check_schema(described)
    assert described["properties"]["schema"]["const"] == f"archcost.{name}/1"
    assert [path for path, told in _leaves(keys(name), "") if not parts_of(told)[1]] == []


def _leaves(told: Keys, path: str) -> Iterator[tuple[str, str]]:
    for text, value in told.items():
        if isinstance(value, str):
            yield f"{path}.{text}", value if text != "." else f"any — {value}"
        else:
            yield from _leaves(value, f"{path}.{text}")


def test_what_is_missing_or_not_known_does_not_validate() -> None:
    answer = archcost.cost("lenet5").to_dict()
    assert mistakes(answer, "summary") == []
    assert mistakes({**answer, "totals": {**answer["totals"], "macs": "416520"}}, "summary") != []
    assert mistakes({**answer, "flop": 1}, "summary") != []
    del answer["batch"]
    assert mistakes(answer, "summary") == ["$: 'batch' is a required property"]


def test_marks_of_a_key() -> None:
    assert key_of("binding[]~") == Key("binding", False, True, True, False)
    assert key_of("blocks{}[]") == Key("blocks", True, True, False, False)
    assert key_of("time?") == Key("time", False, False, False, True)


def test_the_command_writes_a_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "estimate"]) == 0
    assert json.loads(capsys.readouterr().out) == schema("estimate")


def test_an_unknown_answer_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "estimat"]) == 2
    assert "'estimate'" in capsys.readouterr().err
    with pytest.raises(ArchcostError, match="no answer has that name"):
        schema("nothing")
