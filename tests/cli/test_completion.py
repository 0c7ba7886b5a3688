"""What shells complete, as bash itself says it, and the page of commands that is made of the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from archcost.cli.completion import SHELLS, script
from archcost.cli.offered import offered
from tests import command_line_page

TYPED = {
    "summ": ["summary"],
    "summary len": ["lenet5"],
    "summary lenet5 --top": ["--top"],
    "summary lenet5 --precision amp": ["amp-bf16", "amp-fp16"],
    "summary --precision = amp-f": ["amp-fp16"],
    "summary lenet5 --columns name,mac": ["name,macs", "name,macs%"],
    "fit lenet5 --hardware nvidia-t4 --sort pr": ["price"],
    "hardware sh": ["show"],
    "hardware show nvidia-k8": ["nvidia-k80"],
    "hardware list --vendor NV": ["NVIDIA"],
    "layers conv2": ["conv2d"],
    "check nets": ["nets.lock"],
    "compare vgg_a vgg_b vgg_c": ["vgg_c"],
    "explain --batch 3 lenet5 fc": ["fc5", "fc6", "fc7"],
    "completion z": ["zsh"],
    "plot lenet5 --kind ti": ["timeline"],
    "nonsense x": [],
}

HARNESS = """
archcost() { "$PYTHON" -m archcost "$@"; }
while read -r line; do
    COMP_WORDS=(archcost $line)
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _archcost
    echo "${COMPREPLY[@]}"
done
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_bash_completes(tmp_path: Path) -> None:
    (tmp_path / "nets.lock").touch()
    done = subprocess.run(
        ["bash", "--norc", "-c", script("bash") + HARNESS],
        cwd=tmp_path,
        env={**os.environ, "PYTHON": sys.executable},
        input="".join(f"{line}\n" for line in TYPED),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert dict(zip(TYPED, map(str.split, done.stdout.splitlines()), strict=True)) == TYPED


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_reads_its_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    done = subprocess.run([shell, "-n"], input=script(shell), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_page_is_up_to_date() -> None:
    assert command_line_page.PAGE.read_text() == command_line_page.page(), "make docs brings the page up to date"


def test_every_option_of_every_command_stands_on_the_page() -> None:
    page = command_line_page.page()
    for command in offered():
        section = page.partition(f"### `archcost {command.name}")[2].partition("\n### ")[0]
        assert all(
            f"`{name}`" in section for option in command.options for name in option.names[-1:] if name != "--help"
        )
