"""What `archcost check` writes for people and for CI."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from archcost.cli import main

Capture = pytest.CaptureFixture[str]

PROJECT = """\
locks: net.lock
budgets:
  - {network: lenet5, parameters: 60k, macs: 416520}
  - {network: "odd,%\\nname", parameters: 5}
"""


@pytest.fixture
def broken(project: Path, capsys: Capture) -> Path:
    """A budget that is held, one that is not, one whose network is none; a lock that has changed."""
    net = project / "net.yaml"
    net.write_text("name: net\ninput: [4]\nlayers: [{type: linear, out_features: 4}]")
    assert main(["lock", "net.yaml", "-o", "net.lock"]) == 0
    net.write_text("name: net\ninput: [4]\nlayers: [{type: linear, out_features: 5}]")
    project.joinpath("archcost.yaml").write_text(PROJECT)
    return project


def check(capsys: Capture, format: str) -> str:
    assert main(["check", "--format", format]) == 2
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_text(broken: Path, capsys: Capture) -> None:
    lines = check(capsys, "text").splitlines()
    assert lines[:11] == [
        "Budgets",
        "",
        "network  quantity      limit    found  status      setting",
        "-------  ----------  -------  -------  ----------  -------",
        "lenet5   parameters   60,000   61,706  1,706 over",
        "lenet5   MACs        416,520  416,520  held        batch 1",
        "",
        "archcost.yaml:3: lenet5: parameters 61,706, 1,706 (2.8 %) over the budget of 60,000:",
        "",
        "largest layers  parameters   share",
        "--------------  ----------  ------",
    ]
    assert "fc5                 48,120  78.0 %" in lines
    assert lines[15].startswith("archcost.yaml:4: odd,% name cannot be checked: unknown network 'odd,%\\nname'")
    assert lines[-6:] == [
        "net.yaml: changed",
        "  fc1: output shape 1×4 → 1×5",
        "  fc1: parameters 20 → 25",
        "  fc1: MACs 16 → 20",
        "  total: parameters 20 → 25",
        "  total: MACs 16 → 20",
    ]


def test_github(broken: Path, capsys: Capture) -> None:
    """Commands a line each, in which what ends a value is escaped."""
    lines = check(capsys, "github").splitlines()
    assert lines[0] == (
        "::error file=archcost.yaml,line=3,title=lenet5%3A parameters::lenet5: parameters 61,706, 1,706 (2.8 %25) over "
        "the budget of 60,000%0A  fc5 48,120 78.0 %25%0A  fc6 10,164 16.5 %25%0A  conv3 2,416 3.9 %25"
    )
    assert lines[1].startswith(
        "::error file=archcost.yaml,line=4,title=odd%2C%25%0Aname%3A not checked::unknown network 'odd,%25\\nname'%0A"
    )
    assert lines[2].startswith("::error file=net.lock,line=3,title=net.yaml%3A changed::fc1: output shape 1×4 → 1×5%0A")
    assert lines[3:] == ["archcost check: 1 of 2 budgets not held, 1 of 1 locked networks changed"]


def test_github_names_files_from_the_root(broken: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(broken.parent))
    assert f"::error file={broken.name}/archcost.yaml,line=3," in check(capsys, "github")


def test_junit(broken: Path, capsys: Capture) -> None:
    """What readers of it agree on: suites of cases, each with a name and a class, and counts that are those of them."""
    top = ElementTree.fromstring(check(capsys, "junit"))
    assert top.tag == "testsuites"
    (suite,) = top
    cases = list(suite)
    assert (suite.tag, {case.tag for case in cases}) == ("testsuite", {"testcase"})
    failed, wrong = suite.findall("testcase/failure"), suite.findall("testcase/error")
    for element in (top, suite):
        counts = [int(element.attrib[name]) for name in ("tests", "failures", "errors")]
        assert counts == [len(cases), len(failed), len(wrong)] == [4, 2, 1]
        float(element.attrib["time"])
    for case in cases:
        assert case.attrib.keys() == {"name", "classname", "time"}, "junit-10.xsd knows no others but a group"
        assert len(case) <= 1
    assert all({"message", "type"} == each.attrib.keys() for each in (*failed, *wrong))
    assert [(case.attrib["classname"], case.attrib["name"]) for case in cases] == [
        ("archcost.yaml", "lenet5: parameters"),
        ("archcost.yaml", "lenet5, batch 1: MACs"),
        ("net.lock", "net.yaml: layers"),
        ("archcost.yaml", "odd,%\nname: budget"),
    ]
    assert [(each.text or "").partition(": ")[0] for each in (*failed, *wrong)] == [
        "archcost.yaml:3",
        "net.lock:3",
        "archcost.yaml:4",
    ]


def test_markdown(broken: Path, capsys: Capture) -> None:
    text = check(capsys, "markdown")
    told = "**Not held**: 1 of 2 budgets not held, 1 of 1 locked networks changed."
    assert text.startswith(f"## archcost check\n\n{told}\n\n| network")
    assert "| lenet5    | parameters |  60,000 |  61,706 | 1,706 over |" in text
    assert "\n\n```text\nnet.yaml: changed\n  fc1: output shape" in text


def test_hostile_names_are_inert(project: Path, capsys: Capture) -> None:
    name = "]]><script>|`\x1b[31m::error::"
    project.joinpath("archcost.yaml").write_text(
        f"budgets: [{{network: '{name[:12]}', parameters: 5}}]".replace("\x1b", "")
    )
    assert "<script>" not in check(capsys, "junit")
    assert check(capsys, "github").count("\n::error") == 0


@pytest.mark.parametrize("format", ["text", "junit", "markdown", "json"])
def test_a_report_is_written_over_the_last_one(broken: Path, capsys: Capture, format: str) -> None:
    for _ in range(2):
        assert main(["check", "--format", format, "-o", "found"]) == 2
        assert capsys.readouterr() == ("", "")
        broken.joinpath("archcost.yaml").write_text(PROJECT.replace("60k", "61k"))
    assert "706" in broken.joinpath("found").read_text(), "1,706 over, and then 706"
    assert main(["check", "--format", format, "-o", "net.lock"]) == 2
    assert "would be overwritten" in capsys.readouterr().err
