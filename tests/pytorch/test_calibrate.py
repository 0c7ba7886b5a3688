"""`archcost hardware calibrate` on a handful of layers: what it writes, what an interruption leaves, what it refuses.

Nothing is asserted of how long anything takes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import archcost
from archcost import ArchcostError
from archcost.cli import main
from archcost.costs.kernels import kernels
from archcost.costs.timeline import timeline
from archcost.hardware.calibration import Calibration, loads, read
from archcost.hardware.calibration_file import WRITTEN, as_text, partial
from archcost.passes.run import Run
from archcost.pytorch import calibrate as calibrating
from archcost.pytorch.calibrate import Asked, calibrate, points
from archcost.pytorch.probes import Probe, probes
from archcost.pytorch.samples import summed_up
from archcost.pytorch.timing import Bench, Sample
from archcost.pytorch.validate import NETWORKS, graph_of
from archcost.spec import ModelSpec
from archcost.times.operators import Operator, operators

FEW = (
    Probe({"type": "conv2d", "out_channels": 8, "kernel_size": 3, "padding": 1, "bias": False}, ((2, 8, 6, 6),)),
    Probe({"type": "linear", "out_features": 16}, ((4, 8),)),
    Probe({"type": "relu", "inplace": True}, ((2, 8, 6, 6),)),
    Probe({"type": "embedding", "num_embeddings": 9, "embedding_dim": 4}, ((2, 3),), dtype="int64"),
)
TINY = ModelSpec.model_validate(
    {"name": "tiny", "input": [3], "layers": [{"type": "linear", "name": "fc", "out_features": 5}, {"type": "relu"}]}
)


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibrating, "probes", lambda quick: FEW)
    monkeypatch.setattr(calibrating, "optimizers", lambda bench, quick: {})


def quietly(done: int, total: int) -> None:
    """Nobody looks on."""


def made(output: Path, **asked: Any) -> Calibration:
    return calibrate(Asked(output, quick=True, threads=1, **asked), quietly)


def test_what_it_holds(tmp_path: Path) -> None:
    found = made(tmp_path / "mine.yaml", hardware="generic-desktop-cpu")
    assert (found.device, found.engine, found.status, found.threads) == (
        "generic-desktop-cpu",
        "eager",
        "calibrated",
        1,
    )
    assert found.version == f"torch {torch.__version__.partition('+')[0]}"
    assert set(found.classes) == {"convolution 3x3", "product", "elementwise", "gather"}
    assert set(found.backward) <= set(found.classes)
    assert found.runs == len(found.points) == len(FEW)
    assert all(point.forward > 0 for point in found.points.values())
    assert loads(as_text(found), "mine.yaml").classes.keys() == found.classes.keys()


def test_it_is_named_after_its_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archcost.pytorch.machine.cpu_name", lambda: "Made(R) Up CPU @ 2.40GHz")
    found = made(tmp_path / "mine.yaml")
    assert (found.device, found.processor) == ("made-r-up-cpu-2-40ghz", "Made(R) Up CPU @ 2.40GHz")


class Interrupted:
    """Ctrl-C in the midst."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, done: int, total: int) -> None:
        if done == self.after:
            raise KeyboardInterrupt


def timed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of what is timed from now on."""
    keys: list[str] = []
    plain = Bench.time

    def time(self: Bench, operator: Operator, repeats: int) -> list[Sample]:
        keys.append(operator.key)
        return plain(self, operator, repeats)

    monkeypatch.setattr(Bench, "time", time)
    return keys


def test_an_interruption_keeps_what_was_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "mine.yaml"
    with pytest.raises(KeyboardInterrupt):
        calibrate(Asked(output, quick=True, threads=1), Interrupted(after=3))
    assert not output.exists()
    with partial(output).open("a") as file:
        file.write('["cut off in the mid')  # as if the power had gone
    keys = timed(monkeypatch)
    found = made(output)
    assert [key.split()[0] for key in keys if "2×8×8" not in key] == ["embedding"]
    assert found.runs == len(FEW)


@pytest.mark.parametrize("changed", [{"torch": "1.0"}, {"threads": 7}, {"processor": "another"}])
def test_what_another_machine_has_timed_is_timed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any]
) -> None:
    output = tmp_path / "mine.yaml"
    made(output)
    first, *rest = partial(output).read_text().splitlines()
    partial(output).write_text("\n".join([json.dumps({**json.loads(first), **changed}), *rest]) + "\n")
    keys = timed(monkeypatch)
    made(output)
    assert {point.operator.key for point in points().values()} <= set(keys)


def test_networks_are_timed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their layers join the file, and the classes in it stay."""
    output = tmp_path / "mine.yaml"
    first = made(output)
    output.write_text(as_text(first))
    partial(output).unlink()
    graph = archcost.build(TINY, 2)
    keys = timed(monkeypatch)
    second = made(output, networks=[graph])
    assert second.points.keys() == first.points.keys()
    assert set(second.operators) == {
        "linear out_features=5 2×3 gradients of bias,weight train",
        "relu 2×5 gradients of 0 train",
        "linear out_features=5 2×3 infer",
        "relu 2×5 infer",
    }
    assert not set(keys) & set(first.points)
    output.write_text(as_text(second))
    partial(output).unlink()
    keys.clear()
    assert made(output, networks=[graph]).operators == read(output).operators
    assert not set(keys) & set(second.operators)


def arguments(output: Path) -> list[str]:
    return ["hardware", "calibrate", "--quick", "--threads", "1", "-o", str(output)]


def test_the_command_writes_it_whole_and_over_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "mine.yaml"
    for _ in range(2):
        assert main(arguments(output)) == 0
        assert output.read_text().startswith(WRITTEN)
        assert [each.name for each in tmp_path.iterdir()] == ["mine.yaml"]
    asked = ["estimate", "mlp", "--hardware", "generic-desktop-cpu", "--calibration", str(output), "--format", "json"]
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["time"]["status"] == "calibrated"


def test_an_interrupted_command_leaves_the_last_good_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mine.yaml"
    assert main(arguments(output)) == 0
    before = output.read_bytes()
    monkeypatch.setattr(Bench, "time", interrupting(Bench.time, after=2))
    assert main(arguments(output)) == 130
    assert output.read_bytes() == before
    assert partial(output).exists()
    assert "the same command goes on" in capsys.readouterr().err


def interrupting(plain: Any, after: int) -> Any:
    left = iter(range(after + 1))  # the first is the bench's own

    def time(self: Bench, operator: Operator, repeats: int) -> list[Sample]:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return plain(self, operator, repeats)

    return time


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "no file to write to"),
        (["-o", "OTHER"], "is there, and would be overwritten"),
        (["-o", "NEW", "--device", "nothing"], "device 'nothing' cannot be used here"),
        (["-o", "NEW", "--threads", "0"], "the number of threads"),
        (["-o", "NEW", "--hardware", "nothing"], "unknown hardware 'nothing'"),
        (["-o", "NEW", "--precision", "fp17"], "fp17"),
    ],
)
def test_wrong_input(tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Sequence[str], told: str) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("name: somebody's\n")
    places = {"OTHER": str(other), "NEW": str(tmp_path / "new.yaml")}
    assert main(["hardware", "calibrate", *(places.get(each, each) for each in options)]) == 2
    assert told in capsys.readouterr().err
    assert other.read_text() == "name: somebody's\n"
    assert [each.name for each in tmp_path.iterdir()] == ["other.yaml"]


def test_under_strict_a_calibration_of_something_else_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mine.yaml"
    output.write_text(as_text(made(output, hardware="amd-epyc-7763")))
    asked = ["estimate", "mlp", "--hardware", "generic-desktop-cpu", "--calibration", str(output)]
    assert main(asked) == 0
    assert "and not of generic-desktop-cpu" in " ".join(capsys.readouterr().out.split())
    assert main([*asked, "--strict"]) == 2
    assert "the calibration is of something else" in capsys.readouterr().err


def test_medians_are_of_the_faster_half() -> None:
    """1 2 3 | 9: of four the faster two, of which the median is 1.5 and the spread (2 − 1) / 1.5."""
    found = summed_up([Sample(seconds, None) for seconds in (9.0, 1.0, 3.0, 2.0)])
    assert found == pytest.approx((1.5, 0.0, 1 / 1.5))


def test_layers_lie_as_in_the_network() -> None:
    """What arrives permuted is timed permuted, and what is overwritten still has a backward."""
    layers = [
        {"type": "linear", "name": "fc", "out_features": 4},
        {"type": "permute", "name": "turned", "dims": [0, 2, 1]},
        {"type": "relu", "name": "relu", "inplace": True},
    ]
    spec = ModelSpec.model_validate({"name": "n", "input": [3, 5], "layers": layers, "loss": "sum"})
    found = operators(timeline(archcost.build(spec, 2), Run(optimizer="none"), "cpu"))["relu"]
    assert found.layouts == ((12, 1, 4),)
    (sample,) = Bench().time(found, 1)
    assert sample.backward is not None


@pytest.mark.parametrize("quick", [False, True])
def test_every_class_of_layers_is_probed(quick: bool) -> None:
    """But for those that only some networks have, and what is no layer's."""
    found: set[str] = set()
    for probe in probes(quick):
        of_probe = kernels(timeline(archcost.build(probe.spec(), probe.batch), Run(optimizer="none"), "cpu"))
        found |= {kernel.kind for layer in of_probe.layers if layer.name == "probe" for kernel in layer.forward}
    usual = {"convolution 1x1", "convolution 3x3", "convolution", "stem", "depthwise", "depthwise strided"}
    usual |= {"depthwise wide", "transposed convolution", "product", "batched product", "attention", "recurrent"}
    usual |= {"elementwise", "transcendental", "batch norm", "layer norm", "response norm", "softmax"}
    usual |= {"max pooling", "average pooling", "adaptive pooling", "reduction", "interpolation", "copy", "gather"}
    assert usual | {"dropout"} <= found


def test_no_layer_of_the_validation_is_one_of_the_calibration() -> None:
    known = set(_keys_of_probes())
    for network in NETWORKS:
        for batch in network.batches:
            line = timeline(graph_of(network, batch), Run(optimizer="none"), "cpu")
            assert not known & {each.key for each in operators(line).values()}


def _keys_of_probes() -> Iterator[str]:
    for probe in probes():
        line = timeline(archcost.build(probe.spec(), probe.batch), Run(optimizer="none"), "cpu")
        yield operators(line)["probe"].key


def test_a_gpu_that_is_not_here_is_refused(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(ArchcostError, match="device 'cuda' cannot be used here"):
        made(tmp_path / "mine.yaml", device="cuda")
