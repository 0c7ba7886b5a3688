"""`archcost check`: budgets, locks, both at once; what is exceeded, what is not known, and what cannot be looked at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archcost.cli import main

Capture = pytest.CaptureFixture[str]

# lenet5 by hand: conv1 6·(25 + 1) = 156, conv3 16·(6·25 + 1) = 2,416, fc5 120·(400 + 1) = 48,120, fc6 84·121 = 10,164,
# fc7 10·85 = 850; and 28²·6·25 + 10²·16·150 + 400·120 + 120·84 + 84·10 MACs.
PARAMETERS = 61_706
MACS = 416_520


def check(capsys: Capture, *argv: str) -> tuple[int, dict[str, Any]]:
    code = main(["check", *argv, "--format", "json"])
    captured = capsys.readouterr()
    assert captured.err == ""
    return code, json.loads(captured.out)


def toml(*budgets: str, head: str = "") -> str:
    return f"[tool.archcost]\n{head}\n" + "".join(f"[[tool.archcost.budgets]]\n{each}\n" for each in budgets)


def test_a_budget_that_is_held(project: Path, capsys: Capture) -> None:
    project.joinpath("pyproject.toml").write_text(
        toml(f"network = 'lenet5'\nparameters = {PARAMETERS}\nmacs = {MACS}\nflops = {2 * MACS}")
    )
    code, found = check(capsys)
    assert (code, found["schema"], found["ok"], found["errors"]) == (0, "archcost.check/1", True, [])
    assert [(each["quantity"], each["found"], each["status"]) for each in found["budgets"]] == [
        ("parameters", PARAMETERS, "held"),
        ("macs", MACS, "held"),
        ("flops", 2 * MACS, "held"),
    ]


def test_one_less_is_exceeded_with_the_largest_layers(project: Path, capsys: Capture) -> None:
    project.joinpath("pyproject.toml").write_text(
        toml(f"network = 'lenet5'\nparameters = {PARAMETERS - 1}\nmacs = {2 * MACS - 1}\nbatch = 2")
    )
    code, found = check(capsys)
    parameters, macs = found["budgets"]
    assert code == 1
    assert (parameters["over"], parameters["file"], parameters["line"]) == (1, "pyproject.toml", 5)
    assert [(each["layer"], each["amount"]) for each in parameters["offenders"]] == [
        ("fc5", 48_120),
        ("fc6", 10_164),
        ("conv3", 2_416),
    ]
    assert parameters["offenders"][0]["share"] == 48_120 / PARAMETERS
    assert (macs["over"], macs["batch"], macs["line"]) == (1, 2, 6)
    assert macs["offenders"][0] == {"layer": "conv3", "amount": 480_000, "share": 480_000 / 2 / MACS, "what": None}


def test_a_tolerance_is_a_share_or_an_amount(project: Path, capsys: Capture) -> None:
    # 1 % of 61,096 is 610.96: 61,706.96 are allowed, and of 61,095 61,705.95
    for limit, tolerance, code in [
        ("61096", "'1 %'", 0),
        ("61095", "'1 %'", 1),
        ("60706", "1000", 0),
        ("60706", "'999'", 1),
    ]:
        project.joinpath("pyproject.toml").write_text(
            toml(f"network = 'lenet5'\nparameters = {{limit = {limit}, tolerance = {tolerance}}}")
        )
        assert check(capsys)[0] == code
    for macs, code in (("412397", 0), ("412396", 1)):  # with 1 % 416,520.97, and 416,519.96
        project.joinpath("pyproject.toml").write_text(
            toml(f"network = 'lenet5'\ntolerance = '1 %'\nparameters = 61096\nmacs = {macs}")
        )
        assert check(capsys)[0] == code


def test_a_step_on_a_device_has_the_estimate_s_numbers(project: Path, capsys: Capture) -> None:
    settings = ("--hardware", "nvidia-rtx-4090", "--batch", "8", "--precision", "bf16")
    main(["estimate", "lenet5", *settings, "--format", "json"])
    estimate = json.loads(capsys.readouterr().out)
    peak, largest = estimate["memory"]["peak_bytes"], estimate["memory"]["max_batch"]
    seconds = estimate["time"]["step_seconds"]
    project.joinpath("archcost.yaml").write_text(
        f"""
hardware: nvidia-rtx-4090
precision: bf16
batch: 8
budgets:
  - {{network: lenet5, peak: {peak} B, fits: true, max_batch: {largest}, time: 1 s}}
  - {{network: lenet5, set: {{classes: 10}}, batch: 9, peak: {peak} B, max_batch: {largest + 1}, time: 1 ns}}
"""
    )
    code, found = check(capsys)
    assert code == 1
    assert [(each["quantity"], each["status"], each["found"]) for each in found["budgets"][:4]] == [
        ("peak", "held", peak),
        ("time", "held", seconds),
        ("fits", "held", "fits"),
        ("max_batch", "held", largest),
    ]
    assert [each["status"] for each in found["budgets"][4:]] == ["exceeded"] * 3
    assert sum(each["share"] for each in found["budgets"][4]["offenders"]) <= 1
    assert found["budgets"][6]["over"] == 1, "one sample below"


def test_several_devices_are_held_one_by_one(project: Path, capsys: Capture) -> None:
    project.joinpath("archcost.yaml").write_text(
        "budgets: [{network: vgg_d, batch: 512, parameters: 139M, fits: tight, "
        "hardware: [nvidia-rtx-4090, nvidia-h100-sxm5-80gb]}]"
    )
    code, found = check(capsys)
    assert [(each["quantity"], each["hardware"], each["status"]) for each in found["budgets"]] == [
        ("parameters", None, "held"),
        ("fits", "nvidia-rtx-4090", "exceeded"),
        ("fits", "nvidia-h100-sxm5-80gb", "held"),
    ]
    assert code == 1


def test_what_is_not_known_is_not_held(project: Path, capsys: Capture) -> None:
    """A time of which a data sheet gives two bounds, and a layer whose operations nobody knows."""
    opaque = "{type: opaque, op: 'own::kernel', shapes: [[1, 4]], dtypes: [float32], batch_dims: [0], inputs: [fc1]}"
    project.joinpath("net.yaml").write_text(
        f"name: net\ninput: [4]\nlayers: [{{type: linear, out_features: 4}}, {opaque}]"
    )
    project.joinpath("archcost.yaml").write_text(
        "budgets: [{network: net.yaml, parameters: 20, macs: 16}, {network: net.yaml, batch: 2, macs: 31},"
        "{network: lenet5, hardware: raspberry-pi-4, time: 1 ms}, "
        "{network: lenet5, hardware: raspberry-pi-4, optimizer: sgd, time: 1 s}, "
        "{network: lenet5, hardware: raspberry-pi-4, optimizer: lion, time: 1 us},"
        "{network: lenet5, hardware: google-tpu-v4, time: 1 s}]"
    )
    code, found = check(capsys)
    parameters, macs, more, *times = found["budgets"]
    assert code == 1
    # 4·4 + 4 weights, and 16 products at least
    assert [each["status"] for each in (parameters, macs, more)] == ["held", "not known", "exceeded"]
    assert (macs["found"], macs["between"]) == (None, [16, None])
    assert [each["status"] for each in times] == ["not known", "held", "exceeded", "not known"]
    assert [times[0]["between"][0] > 100e-6, times[3]["found"]] == [True, None]
    assert "google-tpu-v4 has no rate for float32" in times[3]["why_unknown"]
    assert "the operations of opaque1 are not known" in macs["why_unknown"]


def test_a_network_that_cannot_be_loaded_is_told_beside_the_others(project: Path, capsys: Capture) -> None:
    project.joinpath("pyproject.toml").write_text(
        toml("network = 'lenet6'\nparameters = 1", "network = 'lenet5'\nparameters = 1", "network='x.yaml'\nmacs=1")
    )
    code, found = check(capsys)
    assert code == 2
    assert [(each["network"], each["line"]) for each in found["errors"]] == [("lenet6", 3), ("x.yaml", 9)]
    assert "unknown network 'lenet6'" in found["errors"][0]["message"]
    assert [each["status"] for each in found["budgets"]] == ["exceeded"]


def test_paths_are_relative_to_the_file_and_the_file_is_found_from_below(
    project: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.joinpath("nets").mkdir()
    project.joinpath("nets/net.yaml").write_text("name: net\ninput: [4]\nlayers: [{type: linear, out_features: 4}]")
    project.joinpath("archcost.yaml").write_text("budgets: [{network: nets/net.yaml, parameters: 19}]")
    monkeypatch.chdir(project / "nets")
    code, found = check(capsys)
    assert (code, found["budgets"][0]["found"], found["budgets"][0]["file"]) == (1, 20, "../archcost.yaml")


def test_settings_of_the_network(project: Path, capsys: Capture) -> None:
    """784·300 + 300 + 300·100 + 100 + 100·classes + classes, and what is left of it when all but the head is frozen."""
    project.joinpath("archcost.yaml").write_text(
        "budgets: [{network: mlp, set: {classes: 7}, freeze: ['fc1', 'fc2'], trainable_parameters: 707, parameters: 1}]"
    )
    _, found = check(capsys)
    assert [(each["quantity"], each["found"]) for each in found["budgets"]] == [
        ("parameters", 784 * 300 + 300 + 300 * 100 + 100 + 707),
        ("trainable_parameters", 707),
    ]


def test_budgets_and_locks_in_one_run(project: Path, capsys: Capture) -> None:
    net = "name: net\ninput: [4]\nlayers: [{type: linear, out_features: WIDTH}]"
    project.joinpath("net.yaml").write_text(net.replace("WIDTH", "4"))
    assert main(["lock", "net.yaml", "-o", "net.lock"]) == 0
    project.joinpath("archcost.yaml").write_text("locks: '*.lock'\nbudgets: [{network: net.yaml, parameters: 20}]")
    assert check(capsys)[0] == 0
    project.joinpath("net.yaml").write_text(net.replace("WIDTH", "5"))
    code, found = check(capsys)
    (lock,) = found["locks"]
    assert (code, lock["status"], lock["line"]) == (1, "changed", 3)
    assert "fc1: parameters 20 → 25" in lock["changes"]
    assert check(capsys, "net.lock")[1]["budgets"] == []
    before = project.joinpath("archcost.yaml").read_bytes()
    code, found = check(capsys, "--update", "archcost.yaml", "net.lock")
    assert (code, found["locks"][0]["status"], found["budgets"][0]["status"]) == (1, "updated", "exceeded")
    assert project.joinpath("archcost.yaml").read_bytes() == before, "a budget is for people to change"
    assert main(["check", "--update"]) == 1
    assert "Locks are written anew on request, budgets never" in capsys.readouterr().out
    assert check(capsys, "net.lock")[0] == 0


def test_a_lock_with_a_network_that_is_gone_is_not_written(project: Path, capsys: Capture) -> None:
    for name in ("a", "b"):
        project.joinpath(f"{name}.yaml").write_text(
            f"name: {name}\ninput: [4]\nlayers: [{{type: linear, out_features: 4}}]"
        )
    assert main(["lock", "a.yaml", "b.yaml", "-o", "nets.lock"]) == 0
    project.joinpath("a.yaml").write_text("name: a\ninput: [4]\nlayers: [{type: linear, out_features: 5}]")
    project.joinpath("b.yaml").unlink()
    before = project.joinpath("nets.lock").read_bytes()
    code, found = check(capsys, "--update", "nets.lock")
    assert (code, [each["status"] for each in found["locks"]]) == (2, ["changed"])
    assert found["errors"][0]["network"] == "b.yaml"
    assert project.joinpath("nets.lock").read_bytes() == before


MISTAKES = [
    ("", "archcost: archcost.yaml:1:1: nothing to check"),
    ("budgets: []", "nothing to check"),
    ("hardware: nvidia-rtx-4090", "nothing to check"),
    ("5", "not a configuration"),
    ("- 1", "not a configuration"),
    ("budgets: 5", "archcost.yaml:1:1: budgets are a list"),
    ("budgets: [5]", "archcost.yaml:1:11: a budget without a network"),
    ("budgets: [{parameters: 5}]", "a budget without a network"),
    ("budgets: [{network: 5, parameters: 5}]", "network is no text"),
    ("budgets: [{network: lenet5}]", "a budget of nothing"),
    ("budgets:\n  - network: lenet5\n    parametres: 5", "archcost.yaml:3:5: a budget of what nobody knows: 'para"),
    ("budgets: [{network: lenet5, parameters: -5}]", "archcost.yaml:1:29: parameters: no such amount"),
    ("budgets: [{network: lenet5, parameters: true}]", "parameters: no such amount"),
    ("budgets: [{network: lenet5, peak: 24G}]", "peak: no such amount"),
    ("budgets: [{network: lenet5, parameters: {most: 5}}]", "parameters: no such form"),
    ("budgets: [{network: lenet5, parameters: {limit: 5, tolerance: 1}, tolerance: 3}]", "tolerance: no such"),
    ("budgets: [{network: lenet5, time: 1 s}]", "time is that of a device"),
    ("budgets: [{network: lenet5, fits: true, batch: 0, hardware: a}]", "batch has no such value"),
    ("budgets: [{network: lenet5, fits: true, hardware: []}]", "hardware has no such value"),
    ("budgets: [{network: lenet5, peak: 1 GiB, precision: fp31}]", "archcost.yaml:1:42: precision is not one of"),
    ("budgets: [{network: lenet5, peak: 1 GiB, master_weights: true}]", "master weights are float32 copies"),
    ("budgets: [{network: lenet5, parameters: 5, set: [3]}]", "set is no text"),
    ("budgets: [{network: lenet5, parameters: 5, sequence: x}]", "sequence is no length"),
    ("budgets: [{network: lenet5, parameters: 5}, {network: lenet5, parameters: 6}]", "two budgets of parameters for"),
    ("budgets: [{network: lenet5, parameters: 5}, {network: lenet5, batch: 2, parameters: 6}]", "two budgets of"),
    ("precission: fp32", "archcost.yaml:1:1: unknown key 'precission'"),
    ("precision: 5", "precision has no such value"),
    ("locks: none.lock", "no such lock"),
    ("locks: 5", "locks names no file"),
    ("name: net\ninput: [4]\nlayers: []", "this is a network, and no file of budgets"),
    ("a: [", "not valid YAML"),
]


@pytest.mark.parametrize(("text", "problem"), MISTAKES)
def test_mistakes_of_the_file(project: Path, capsys: Capture, text: str, problem: str) -> None:
    project.joinpath("archcost.yaml").write_text(text)
    assert main(["check"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert problem in captured.err
    assert "internal" not in captured.err


def test_all_mistakes_are_told_at_once(project: Path, capsys: Capture) -> None:
    project.joinpath("archcost.yaml").write_text(
        "budgets:\n"
        "  - {network: lenet5, parametres: 5, peak: 24G, batch: 0}\n"
        "  - {parameters: 5}\n"
        "  - {network: lenet5, parameters: -1, time: 5}\n"
    )
    assert main(["check"]) == 2
    told = capsys.readouterr().err.split("\n\n")
    assert [message.splitlines()[0] for message in told] == [
        "archcost: archcost.yaml:2:23: a budget of what nobody knows: 'parametres'",
        "archcost.yaml:2:49: batch has no such value",
        "archcost.yaml:2:38: peak: no such amount",
        "archcost.yaml:3:5: a budget without a network",
        "archcost.yaml:4:23: parameters: no such amount",
        "archcost.yaml:4:39: time: no such amount",
    ]


def test_what_differs_is_no_second_budget(project: Path, capsys: Capture) -> None:
    project.joinpath("archcost.yaml").write_text(
        "budgets: [{network: lenet5, macs: 1M}, {network: lenet5, batch: 2, macs: 1M}, "
        "{network: mlp, parameters: 1M}, {network: mlp, set: {classes: 3}, parameters: 1M}]"
    )
    assert check(capsys)[0] == 0


def test_the_nearest_name_is_said(project: Path, capsys: Capture) -> None:
    project.joinpath("archcost.yaml").write_text("budgets: [{network: lenet5, parametres: 5}]")
    assert main(["check"]) == 2
    assert "try: 'parameters'" in capsys.readouterr().err


def test_nothing_to_check(project: Path, capsys: Capture) -> None:
    project.joinpath("pyproject.toml").write_text("[project]\nname = 'archcost-user'\n")
    assert main(["check"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("archcost: nothing to check\n  expected: budgets in [tool.archcost]")
    assert main(["check", "nothing.lock"]) == 2
    assert "nothing.lock:1:1: no such file" in capsys.readouterr().err
    assert main(["check", "pyproject.toml"]) == 2
    assert "pyproject.toml:1:1: no table of archcost" in capsys.readouterr().err


TOML = """\
[project]
dependencies = [
  "a",
  "archcost",
]
[tool.archcost]
[[tool.archcost.budgets]]
network = "lenet5"
set = {classes = 3}
parameters = 1

[[tool.archcost.budgets]]
network = "lenet5"
note = \"\"\"
[[tool.archcost.budgets]]
\"\"\"
[tool.archcost.budgets.parameters]
limit = "x"
"""


def test_places_in_toml(project: Path, capsys: Capture) -> None:
    project.joinpath("pyproject.toml").write_text(TOML)
    assert main(["check"]) == 2
    assert "pyproject.toml:14:1: a budget of what nobody knows: 'note'" in capsys.readouterr().err
    project.joinpath("pyproject.toml").write_text(TOML.replace("note =", "engine ="))
    assert main(["check"]) == 2
    assert "pyproject.toml:17:1: parameters: no such amount" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[tool.archcost", "not valid TOML"),
        ("[tool.archcost]\na = 1\na = 2", "not valid TOML"),
        ("[tool]\narchcost = 5", "tool.archcost is no table"),
        ("archcost = " + "[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_toml(project: Path, capsys: Capture, text: str, problem: str) -> None:
    project.joinpath("pyproject.toml").write_text(text)
    assert main(["check"]) == 2
    assert problem in capsys.readouterr().err


def test_two_files_in_one_folder(project: Path, capsys: Capture) -> None:
    project.joinpath("archcost.yaml").write_text("precision: bf16")
    project.joinpath("pyproject.toml").write_text("[tool.archcost]\nprecision = 'fp32'\n")
    assert main(["check"]) == 2
    assert "two files say how networks are run here" in capsys.readouterr().err
