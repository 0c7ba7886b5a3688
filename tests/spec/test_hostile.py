"""Files that mean harm are refused in one message, quickly and in little memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import archcost
from archcost.errors import SpecError
from tests.spec.hostile import CHEAP, LARGE, Hostile

MOST_MEMORY = 200 * 2**20


def write(folder: Path, text: str | bytes) -> Path:
    file = folder / "file.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize("hostile", CHEAP, ids=lambda hostile: hostile.name)
def test_it_is_refused_in_one_message(hostile: Hostile, tmp_path: Path):
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(SpecError) as raised:
        archcost.cost(archcost.build(archcost.load(write(tmp_path, hostile.text))))
    message = str(raised.value)
    assert hostile.problem in message
    assert raised.value.place is not None
    assert len(message) < 2_000 + len(str(tmp_path))


@pytest.mark.parametrize("hostile", LARGE, ids=lambda hostile: hostile.name)
def test_it_is_refused_in_little_memory(hostile: Hostile, tmp_path: Path):
    assert_refused(write(tmp_path, hostile.text), hostile.problem)


def test_a_gigabyte_is_refused_by_its_size(tmp_path: Path):
    file = tmp_path / "file.yaml"
    with file.open("wb") as stream:
        stream.truncate(2**30)  # takes no room on the disk
    assert_refused(file, "the file is too large")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in the file system")
def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "file.yaml")
    assert_refused(tmp_path / "file.yaml", "not a regular file")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs /dev/zero")
def test_a_device_is_not_read(tmp_path: Path):
    (tmp_path / "file.yaml").symlink_to("/dev/zero")
    assert_refused(tmp_path / "file.yaml", "not a regular file")


# VmHWM is the peak of this program alone; getrusage would also remember the larger process that started it.
COMMAND = """
import re, sys
from archcost.cli import main
code = main(["summary", sys.argv[1]])
print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read()).group(1))
sys.exit(code)
"""


def assert_refused(file: Path, problem: str) -> None:
    """By the command line, in a process of its own whose memory is measured."""
    command = [sys.executable, "-c", COMMAND, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=_limit)
    assert done.returncode == 2, done.stderr
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert int(done.stdout) * 1024 < MOST_MEMORY


def _limit() -> None:
    """Twenty seconds of processor, many times what a refusal takes, so that no test hangs."""
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))


def test_extends_reaches_eight_files_and_no_further(tmp_path: Path):
    (tmp_path / "f0.yaml").write_text("name: n\ninput: [4]\nlayers: [{type: relu}]\n")
    for number in range(1, 9):
        (tmp_path / f"f{number}.yaml").write_text(f"extends: f{number - 1}.yaml\nname: n{number}\n")
    assert archcost.load(tmp_path / "f7.yaml").name == "n7"
    with pytest.raises(SpecError, match="extends goes too deep"):
        archcost.load(tmp_path / "f8.yaml")


@pytest.mark.parametrize("path", ["", "no/such/file.yaml", "x" * 5000 + ".yaml", "a\0b.yaml", "/dev/zero", ".", "ne:t"])
def test_a_path_that_leads_nowhere(path: str):
    with pytest.raises(archcost.ArchcostError):
        archcost.load(path)


def test_a_folder_is_not_a_file(tmp_path: Path):
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(SpecError, match="not a regular file"):
        archcost.load(tmp_path / "folder.yaml")


def test_marks_at_the_beginning_and_line_ends_of_windows_are_read(tmp_path: Path):
    file = write(tmp_path, b"\xef\xbb\xbfname: n\r\ninput: [4]\r\nlayers: [{type: linear, out_features: 3}]\r\n")
    assert archcost.cost(archcost.build(archcost.load(file))).parameters == 5 * 3


@pytest.mark.parametrize("layer", ["conv1d", "conv_transpose1d"])
def test_strides_without_end_make_no_endless_numbers(layer: str):
    """A kernel of 1 on a single position may have any stride; 600 of 2^31 would be a number of 5,600 digits."""
    strided = f"{{type: {layer}, out_channels: 1, kernel_size: 1, stride: 2147483647}}"
    spec = archcost.loads(f"name: n\ninput: [1, 1]\nlayers: [{{repeat: 600, layers: [{strided}]}}]\n")
    cost = archcost.cost(archcost.build(spec))
    assert cost.layers[0].field is not None
    assert cost.layers[-1].field is None
    assert len(json.dumps(cost.to_dict())) < 10**6


def test_text_with_lone_surrogates_is_refused():
    with pytest.raises(SpecError, match="not readable text"):
        archcost.loads("name: \ud800\n")
