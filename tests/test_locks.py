"""Guarding tables: what is written, read back, compared; and what is said of a damaged file."""

from __future__ import annotations

from pathlib import Path

import pytest

from archcost.cli import main
from archcost.comparison.locks import Section, changes, check, find, parse, read, section, write, write_section
from archcost.comparison.recipe import Recipe
from archcost.errors import SpecError
from archcost.spec import zoo
from tests.generate import LOCKS

NET = """
name: net
input: [1, 4, 4]
parameters: {width: 2}
layers:
  - {type: conv2d, out_channels: $width, kernel_size: 3}
  - {type: max_pool2d, kernel_size: 2, return_indices: true}
  - {type: flatten}
  - {type: linear, out_features: 1000}
"""

# conv 3·3·1·2 + 2 = 20 weights, 2·2·2 outputs of 9 products; linear 2·1000 + 1000 weights, 2·1000 products
LOCK = """\
# Layers of networks, written by `archcost lock` and compared by `archcost check`.

network net.yaml --batch 1
layer    | type, state | output shape     | parameters |  MACs
---------+-------------+------------------+------------+------
conv1    | conv2d      | 1×2×2×2          |         20 |    72
pool1    | max_pool2d  | 1×2×1×1, 1×2×1×1 |          0 |     0
flatten1 | flatten     | 1×2              |          0 |     0
fc1      | linear      | 1×1000           |      3,000 | 2,000
---------+-------------+------------------+------------+------
total    |             |                  |      3,020 | 2,072
"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(NET)
    return path


def section_now(net: Path, **options: tuple[str, ...]):
    recipe = Recipe("net.yaml", **options)  # pyright: ignore
    return section(recipe, recipe.cost(net.parent))


def test_the_file_as_it_is_written(net: Path) -> None:
    assert write([section_now(net)]) == LOCK


def test_what_is_written_is_read_back() -> None:
    assert write(parse(LOCK, "x")) == LOCK
    twice = LOCK + "\n" + LOCK.partition("\n\n")[2].replace("--batch 1", "--batch 1 --set 'a=[1, 2]' --input 3x4:int8")
    first, second = parse(twice, "x")
    assert second.recipe == Recipe("net.yaml", 1, ("a=[1, 2]",), ("3x4:int8",))
    assert first.layers == second.layers
    assert write([first, second]) == twice


def test_an_option_of_two_lines_is_refused(net: Path) -> None:
    broken = Section(Recipe("net.yaml", 1, ("width=3\n",)), section_now(net).layers)
    with pytest.raises(SpecError, match="a lock holds its options on one line"):
        write([broken])


def test_nothing_changed(net: Path) -> None:
    assert changes(parse(LOCK, "x")[0], section_now(net)) == ()


def test_changes_are_told_layer_by_layer(net: Path) -> None:
    net.write_text(
        NET.replace("$width", "4").replace("  - {type: flatten}\n", "  - {type: relu}\n  - {type: flatten}\n")
    )
    assert changes(parse(LOCK, "x")[0], section_now(net)) == (
        "conv1: output shape 1×2×2×2 → 1×4×2×2",
        "conv1: parameters 20 → 40",
        "conv1: MACs 72 → 144",
        "pool1: output shape 1×2×1×1, 1×2×1×1 → 1×4×1×1, 1×4×1×1",
        "+ relu1: relu, 1×4×1×1, parameters 0, MACs 0",
        "flatten1: output shape 1×2 → 1×4",
        "fc1: parameters 3,000 → 5,000",
        "fc1: MACs 2,000 → 4,000",
        "total: parameters 3,020 → 5,040",
        "total: MACs 2,072 → 4,144",
    )


def test_a_layer_that_went_and_one_of_another_type(net: Path) -> None:
    kept = NET.replace("  - {type: linear, out_features: 1000}\n", "").replace(
        "{type: flatten}", "{type: identity, name: flatten1}"
    )
    net.write_text(kept)
    assert changes(parse(LOCK, "x")[0], section_now(net)) == (
        "flatten1: type flatten → identity",
        "flatten1: output shape 1×2 → 1×2×1×1",
        "- fc1: linear, 1×1000, parameters 3,000, MACs 2,000",
        "total: parameters 3,020 → 20",
        "total: MACs 2,072 → 72",
    )


def test_what_freezes_or_is_in_place_is_a_change(net: Path) -> None:
    plain = NET.replace("  - {type: flatten}\n", "  - {type: relu}\n  - {type: flatten}\n")
    other = plain.replace("kernel_size: 3}", "kernel_size: 3, trainable: false}").replace(
        "relu}", "relu, inplace: true}"
    )
    net.write_text(plain)
    before = section_now(net)
    net.write_text(other)
    now = section_now(net)
    assert "conv1    | conv2d, frozen " in write([now])
    assert "relu1    | relu, in place " in write([now])
    assert parse(write([now]), "x")[0].states == {"conv1": "frozen", "relu1": "in place"}
    assert changes(before, now) == ("conv1: not frozen → frozen", "relu1: not in place → in place")
    assert changes(now, before) == ("conv1: frozen → not frozen", "relu1: in place → not in place")


def test_a_lock_without_states_says_that_it_holds_none(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stateless = LOCK.replace("type, state", "type       ")
    lock = net.with_suffix(".lock")
    lock.write_text(stateless)
    net.write_text(NET.replace("kernel_size: 3}", "kernel_size: 3, trainable: false}"))
    assert main(["check", str(lock)]) == 0
    unheld = "whose table does not hold what is frozen or in place"
    assert capsys.readouterr().out == f"net.yaml: 4 layers as locked, {unheld}\n"
    assert "| type       |" in write(read(lock)), "what it does not know stays so"


def test_a_network_named_twice_is_locked_once(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lock", str(net), str(net)]) == 0
    assert capsys.readouterr().out.count("\nnetwork ") == 1


def test_a_moved_layer(net: Path) -> None:
    order = "name: net\ninput: [2]\nlayers: [{type: relu, name: a}, {type: relu, name: b}, {type: relu, name: c}]"
    net.write_text(order)
    before = section_now(net)
    net.write_text(
        order.replace("name: a}", "name: x}").replace("name: c}", "name: a}").replace("name: x}", "name: c}")
    )
    assert changes(before, section_now(net)) == ("b: moved to another place", "c: moved to another place")


def test_check_loads_again_from_the_folder_of_the_file(net: Path, tmp_path: Path) -> None:
    locks = tmp_path / "locks"
    locks.mkdir()
    assert main(["lock", str(net), "--set", "width=3", "--batch", "5", "-o", str(locks / "net.lock")]) == 0
    text = (locks / "net.lock").read_text()
    assert "\nnetwork ../net.yaml --batch 5 --set width=3\n" in text
    (outcome,) = check(locks / "net.lock")
    assert outcome.changes == ()
    net.write_text(NET.replace("out_features: 1000", "out_features: 10"))
    (outcome,) = check(locks / "net.lock")
    assert outcome.changes[0] == "fc1: output shape 5×1000 → 5×10"


def test_lock_prints_and_is_deterministic(
    net: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(net.parent)
    assert main(["lock", "net.yaml"]) == 0
    assert capsys.readouterr().out == LOCK
    assert main(["lock", "./net.yaml"]) == 0
    assert capsys.readouterr().out == LOCK


def test_check_says_what_changed_and_fails(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = net.with_suffix(".lock")
    lock.write_text(LOCK)
    assert main(["check", str(lock)]) == 0
    assert capsys.readouterr().out == "net.yaml: 4 layers as locked\n"
    net.write_text(NET.replace("out_features: 1000", "out_features: 1001"))
    assert main(["check", str(lock)]) == 1
    assert capsys.readouterr().out.splitlines()[:3] == [
        "net.yaml: changed",
        "  fc1: output shape 1×1000 → 1×1001",
        "  fc1: parameters 3,000 → 3,003",
    ]


OPTIONS = "network NAME --batch N [--set key=value] [--input SHAPE] [--args JSON] [--sequence N]"
ROW = "fc1      | linear      | 1×1000           |      3,000 | 2,000"
DAMAGE = [
    ("", "", 0, "a section for each network"),
    ("network net.yaml --batch 1", "<<<<<<< ours", 3, "network NAME --batch N, or a comment"),
    ("network net.yaml --batch 1", "network net.yaml", 3, OPTIONS),
    ("--batch 1", "--batch 1 --args {", 3, OPTIONS),
    ("--batch 1", "--batch 1 --args 1 --args 2", 3, OPTIONS),
    ("--batch 1", "--batch one", 3, OPTIONS),
    ("--batch 1", "--batch 1 --sets a=1", 3, OPTIONS),
    ("--batch 1", "--batch 1 --set 'a", 3, OPTIONS),
    ("| type, state |", "|", 4, "layer | type, state | output shape | parameters | MACs"),
    ("---------+-------------+------------------+------------+------\nconv1", "conv1", 5, "a rule of dashes"),
    (ROW, "<<<<<<< ours", 9, "5 cells: layer | type, state | output shape | parameters | MACs"),
    (ROW, ROW.replace("linear", "linear, thawed"), 9, "a type, and after it frozen or in place"),
    (ROW, ROW.replace("3,000", "3000"), 9, "layer | type | 1×64×224×224 | 1,792 | 86,704,128"),
    (ROW, ROW.replace("3,000", "3" + ",000" * 2000), 9, "layer | type | 1×64×224×224 | 1,792 | 86,704,128"),
    (ROW, ROW.replace("1×1000", "1×1" + "0" * 5000), 9, "layer | type | 1×64×224×224 | 1,792 | 86,704,128"),
    (ROW, ROW.replace("1×1000", "1xx1000"), 9, "layer | type | 1×64×224×224 | 1,792 | 86,704,128"),
    (ROW, ROW.replace("linear", "      "), 9, "layer | type | 1×64×224×224 | 1,792 | 86,704,128"),
    (ROW + "\n", "", 10, "total of 20 parameters and 72 MACs, the sum of its rows"),
    ("3,020", "3,021", 11, "total of 3,020 parameters and 2,072 MACs, the sum of its rows"),
    ("flatten1 |", "conv1    |", 11, "each layer once"),
]


@pytest.mark.parametrize(("old", "new", "line", "expected"), DAMAGE)
def test_a_damaged_file_is_told_with_its_line(old: str, new: str, line: int, expected: str) -> None:
    assert old in LOCK
    text = LOCK.replace(old, new, 1) if old else ""
    with pytest.raises(SpecError) as caught:
        parse(text, "x.lock")
    message = str(caught.value).splitlines()
    assert message[0] == f"x.lock:{max(line, 1)}:1: the lock file is damaged"
    assert message[1] == f"  expected: {expected}"


def test_a_file_that_breaks_off() -> None:
    lines = LOCK.splitlines(keepends=True)
    for length in range(2, len(lines)):
        with pytest.raises(SpecError, match="damaged"):
            parse("".join(lines[:length]), "x.lock")


def test_a_network_that_is_gone_is_told_at_its_section(net: Path) -> None:
    lock = net.with_suffix(".lock")
    lock.write_text(LOCK.replace("net.yaml", "mlpp"))
    with pytest.raises(SpecError, match=r"net\.lock:3:1: unknown network 'mlpp'"):
        check(lock)


def test_a_network_declared_in_python_is_left_to_its_test(net: Path) -> None:
    lock = net.with_suffix(".lock")
    lock.write_text(LOCK.replace("network net.yaml", "spec net"))
    assert read(lock)[0].recipe == Recipe("net", kind="spec")
    with pytest.raises(SpecError, match=r"net is declared in Python\n  expected: the test that declares it"):
        check(lock)


def test_put_replaces_its_own_section_and_keeps_the_others(net: Path) -> None:
    lock = net.parent / "deep" / "net.lock"
    wider, narrow = section_now(net, settings=("width=3",)), section_now(net)
    write_section(wider, lock)
    write_section(narrow, lock)
    write_section(wider, lock)
    assert [kept.recipe for kept in read(lock)] == [narrow.recipe, wider.recipe]
    assert find(read(lock), narrow.recipe) is not None
    assert find(read(lock), Recipe("net.yaml", 2)) is None


@pytest.mark.parametrize("name", zoo.names())
def test_the_shipped_networks_are_as_locked(name: str) -> None:
    """`make docs` writes the files again when a network is meant to change."""
    (outcome,) = check(LOCKS / f"{name}.lock")
    assert (outcome.section.recipe.network, outcome.changes) == (name, ())


def test_no_lock_is_of_another_network() -> None:
    assert {file.stem for file in LOCKS.iterdir()} == set(zoo.names())
