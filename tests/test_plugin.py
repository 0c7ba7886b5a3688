"""The pytest plugin, run by pytester in a folder of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

# pytester forgets what a run imports, and libyaml's events do not survive a second import of their module.
import archcost.spec.load  # noqa: F401  # pyright: ignore[reportUnusedImport]

pytest_plugins = ["pytester"]

NET = """
name: small_net
input: [3]
parameters: {{width: 4}}
layers: [{{type: linear, name: fc, out_features: {width}}}]
"""

ONE_LINE = """
def test_cost(archcost_lock):
    archcost_lock("net.yaml")
"""


@pytest.fixture
def user(pytester: pytest.Pytester) -> pytest.Pytester:
    """A user's folder with a network and a test of one line."""
    pytester.path.joinpath("net.yaml").write_text(NET.format(width="$width"))
    pytester.makepyfile(test_net=ONE_LINE)
    return pytester


def test_without_a_table_the_message_says_how_to_write_it(user: pytest.Pytester) -> None:
    result = user.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "no table of `network ../net.yaml --batch 1` in *archcost_locks/small_net.lock",
            "  write it: pytest --archcost-update",
        ]
    )
    assert not user.path.joinpath("archcost_locks").exists()


def test_update_writes_the_table_and_the_next_run_passes(user: pytest.Pytester) -> None:
    user.runpytest("--archcost-update").assert_outcomes(passed=1)
    lock = user.path / "archcost_locks" / "small_net.lock"
    assert "fc    | linear      | 1×4          |         16 |   12\n" in lock.read_text()  # 4·3 + 4 and 4·3
    before = lock.read_bytes()
    user.runpytest().assert_outcomes(passed=1)
    assert lock.read_bytes() == before, "only an update writes"


def test_a_changed_layer_fails_and_is_named(user: pytest.Pytester) -> None:
    user.runpytest("--archcost-update")
    user.path.joinpath("net.yaml").write_text(NET.format(width="5"))
    result = user.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "small_net differs from *small_net.lock",
            "  fc: output shape 1×4 → 1×5",
            "  fc: parameters 16 → 20",
            "  fc: MACs 12 → 15",
            "  total: parameters 16 → 20",
            "  total: MACs 12 → 15",
            "  if it is meant: pytest --archcost-update",
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    user.runpytest("--archcost-update").assert_outcomes(passed=1)
    user.runpytest().assert_outcomes(passed=1)


def test_the_command_line_checks_the_same_file(user: pytest.Pytester) -> None:
    from archcost.cli import main

    user.runpytest("--archcost-update")
    lock = str(user.path / "archcost_locks" / "small_net.lock")
    assert main(["check", lock]) == 0
    user.path.joinpath("net.yaml").write_text(NET.format(width="5"))
    assert main(["check", lock]) == 1


def test_shipped_networks_specs_and_options(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import archcost
        from archcost.layers import Linear

        SPEC = archcost.ModelSpec(name="mine", input=(3,), layers=(Linear(out_features=WIDTH),))

        def test_shipped(archcost_lock):
            archcost_lock("mlp")
            archcost_lock("mlp", batch=2)

        def test_spec(archcost_lock):
            archcost_lock(SPEC)

        def test_altered(archcost_lock):
            archcost_lock("vgg_d", "tables/vgg.lock", settings=["depth3=4"], inputs=["3x64x64"])
        """.replace("WIDTH", "5")
    )
    pytester.runpytest("--archcost-update").assert_outcomes(passed=3)
    tables = sorted(str(path.relative_to(pytester.path)) for path in pytester.path.rglob("*.lock"))
    assert tables == ["archcost_locks/mine.lock", "archcost_locks/mlp.lock", "tables/vgg.lock"]
    heads = pytester.path.joinpath("archcost_locks/mlp.lock").read_text().splitlines()
    assert [line for line in heads if line.startswith("network")] == ["network mlp --batch 1", "network mlp --batch 2"]
    assert "spec mine --batch 1\n" in pytester.path.joinpath("archcost_locks/mine.lock").read_text()
    assert (
        "network vgg_d --batch 1 --set depth3=4 --input 3x64x64\n"
        in pytester.path.joinpath("tables/vgg.lock").read_text()
    )
    pytester.runpytest().assert_outcomes(passed=3)


def test_wrong_input_fails_with_its_message(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_cost(archcost_lock):\n    archcost_lock('vgg_dd')\n")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["unknown network 'vgg_dd'", "  expected: a shipped name, *"])


def test_a_damaged_table_fails_with_its_line(user: pytest.Pytester) -> None:
    user.runpytest("--archcost-update")
    lock = user.path / "archcost_locks" / "small_net.lock"
    lock.write_text(lock.read_text().replace("|         16 |", "|         17 |", 1))
    result = user.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*small_net.lock:8:1: the lock file is damaged"])


def test_starting_pytest_imports_nothing_heavy() -> None:
    script = (
        "import sys, archcost.pytest_plugin; print(sorted({'pydantic', 'yaml', 'archcost.costs'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
