"""Files are written whole or not at all, and by one process after the other."""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from archcost.errors import ArchcostError
from archcost.files.write import exclusively, record_read, recording_reads, write_whole


def test_what_is_new_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "usual").write_text("")
    write_whole(tmp_path / "new", b"abc")
    assert (tmp_path / "new").read_bytes() == b"abc"
    assert (tmp_path / "new").stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert sorted(os.listdir(tmp_path)) == ["new", "usual"]


def test_permissions_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    file.chmod(0o640)
    write_whole(file, b"new")
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("new", 0o640)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    file, link, dangling = tmp_path / "far" / "file", tmp_path / "link", tmp_path / "dangling"
    file.write_text("old")
    link.symlink_to(file)
    dangling.symlink_to(tmp_path / "far" / "none")
    write_whole(link, b"new")
    write_whole(dangling, b"made")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert (file.read_text(), (tmp_path / "far" / "none").read_text()) == ("new", "made")


def test_what_is_no_file_of_a_disk_is_written_to(tmp_path: Path) -> None:
    write_whole("/dev/null", b"gone")
    assert not Path("/dev/null").is_file()
    with pytest.raises(ArchcostError) as caught:
        write_whole(tmp_path, b"a folder")
    assert str(caught.value) == f"{tmp_path}: cannot be written: Is a directory"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    file = tmp_path / "file"
    file.write_text("old")

    def fails(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, fails)
    with pytest.raises(ArchcostError) as caught:
        write_whole(file, b"new")
    assert str(caught.value) == f"{file}: cannot be written: No space left on device"
    assert (file.read_text(), os.listdir(tmp_path)) == ("old", ["file"])


def test_a_file_that_may_not_be_written_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "file"
    file.write_text("old")

    def refuses(*_: object) -> bool:  # root may write anything
        return False

    monkeypatch.setattr(os, "access", refuses)
    with pytest.raises(ArchcostError) as caught:
        write_whole(file, b"new")
    assert str(caught.value) == f"{file}: cannot be written: Permission denied"
    assert file.read_text() == "old"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    file = tmp_path / "no" / "file"
    for act in (lambda: write_whole(file, b""), lambda: exclusively(file).__enter__()):
        with pytest.raises(ArchcostError) as caught:
            act()
        assert str(caught.value) == f"{file}: cannot be written: No such file or directory"


def test_reading_is_noted_only_inside() -> None:
    record_read(Path("before"))
    with recording_reads() as files:
        record_read(Path("inside"))
    record_read(Path("after"))
    assert files == [Path("inside")]


COUNTING = """
import sys
from pathlib import Path
from archcost.files.write import exclusively, write_whole
file = Path(sys.argv[1])
for _ in range(50):
    with exclusively(file):
        write_whole(file, str(int(file.read_bytes()) + 1).encode())
"""


def test_one_process_after_the_other(tmp_path: Path) -> None:
    file = tmp_path / "count"
    file.write_text("0")
    (tmp_path / ".count.busy").touch()  # left by one that was killed: it holds nothing
    processes = [subprocess.Popen([sys.executable, "-c", COUNTING, str(file)]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0, 0, 0, 0]
    assert file.read_text() == "200"  # 4 processes, 50 times each
    assert os.listdir(tmp_path) == ["count"]


LOCKING = """
import sys
from pathlib import Path
from archcost.comparison.align import LayerFacts
from archcost.comparison.locks import Section, write_section
from archcost.comparison.recipe import Recipe
facts = LayerFacts("linear", ((1, 2),), 6, 4)
for batch in map(int, sys.argv[2:]):
    write_section(Section(Recipe("net", batch), (("fc", facts),)), Path(sys.argv[1]))
"""


def test_a_lock_keeps_what_every_process_writes(tmp_path: Path) -> None:
    lock = tmp_path / "all.lock"
    batches = [range(1 + 8 * number, 9 + 8 * number) for number in range(3)]
    processes = [subprocess.Popen([sys.executable, "-c", LOCKING, str(lock), *map(str, each)]) for each in batches]
    while any(process.poll() is None for process in processes):  # nobody ever sees half of it
        assert not lock.exists() or lock.read_text().endswith("total |        |              |          6 |    4\n")
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert {int(batch) for batch in re.findall(r"--batch (\d+)", lock.read_text())} == set(range(1, 25))
    assert os.listdir(tmp_path) == ["all.lock"]
