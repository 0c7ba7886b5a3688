"""The fixture `archcost_budget`, run by pytester in a folder of its own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]

MODULE = """
import torch
from torch import nn

class SmallNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8 * 6 * 6, 10)

    def forward(self, x):
        return self.fc(torch.relu(self.conv(x)).flatten(1))
"""

TEST = """
import torch
from net import SmallNet

def test_budget(archcost_budget):
    archcost_budget(SmallNet(), torch.zeros(2, 3, 8, 8), BUDGET)
"""


def run(user: pytest.Pytester, budget: str) -> pytest.RunResult:
    user.makepyfile(net=MODULE, test_net=TEST.replace("BUDGET", budget))
    return user.runpytest("-p", "no:cacheprovider")


def test_a_module_of_one_s_own(user: pytest.Pytester) -> None:
    """conv 8·(3·9 + 1) = 224 weights and 6²·8·27 = 7,776 products; fc 10·(288 + 1) = 2,890 and 2,880."""
    pytest.importorskip("torch")
    run(user, "parameters=3114, macs=10656").assert_outcomes(passed=1)
    found = run(user, "parameters='3k', macs=2 * 10656 - 1, batch=2, peak='1 GiB'")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(
        [
            "small_net: parameters 3,114, 114 (3.8 %) over the budget of 3,000",
            "  fc 2,890 92.8 %",
            "  conv 224 7.2 %",
            "small_net, batch 2: MACs 21,312, 1 (0.0 %) over the budget of 21,311",
            "  conv 15,552 73.0 %",
        ]
    )


SAID = [
    ("'lenet5', parametres=5", "a budget of what nobody knows: 'parametres'"),
    ("'lenet5', parameters='60 thousand'", "parameters: no such amount"),
    ("'lenet5'", "a budget of nothing"),
    ("'lenet6', parameters=5", "unknown network 'lenet6'"),
    ("'lenet5', 5, parameters=5", "example inputs are for a module"),
    ("5, parameters=5", "unknown network '5'"),
    ("'lenet5', fits=True", "fits is that of a device"),
    ("archcost.load('mlp'), args=[1], parameters=5", "args are what a module:callable is called with"),
    ("'lenet5', parameters=61705", "lenet5: parameters 61,706, 1 (0.0 %) over the budget of 61,705"),
    ("'net.yaml', parameters=19", "net: parameters 20, 1 (5.3 %) over the budget of 19"),
    (
        "archcost.load('mlp'), set={'classes': 7}, parameters=1",
        "mlp (classes=7): parameters 266,307, *",
    ),  # 266,610 − 3·101
]


def test_what_is_said(user: pytest.Pytester) -> None:
    user.path.joinpath("net.yaml").write_text("name: net\ninput: [4]\nlayers: [{type: linear, out_features: 4}]")
    calls = [f"def test_{n}(archcost_budget):\n    archcost_budget({call})\n" for n, (call, _) in enumerate(SAID)]
    user.makepyfile("import archcost\n\n" + "\n".join(calls))
    found = user.runpytest("-p", "no:cacheprovider")
    found.assert_outcomes(failed=len(SAID))
    found.stdout.fnmatch_lines([told.replace("[", "[[]") for _, told in SAID])


def test_settings_are_the_project_s_where_the_test_says_none(
    user: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ARCHCOST_CONFIG")
    user.path.joinpath("archcost.yaml").write_text("hardware: nvidia-t4\nbatch: 3\n")
    user.makepyfile(
        "def test_project(archcost_budget):\n    archcost_budget('lenet5', fits=True, macs=3 * 416520)\n\n"
        "def test_own(archcost_budget):\n    archcost_budget('lenet5', batch=1, macs=416520)\n"
    )
    user.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2)
