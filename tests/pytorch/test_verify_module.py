"""`verify` of a module: torch runs the user's own module, so that what the import gets wrong is found, and named."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

import archcost
from archcost import ModelSpec, Run
from archcost.cli import main
from archcost.errors import ArchcostError
from archcost.importers import torch_module
from archcost.layers import Linear
from archcost.pytorch import Verification, verify
from archcost.pytorch.checks import Check
from archcost.pytorch.crosscheck_module import check_module
from archcost.pytorch.crosscheck_module_memory import Body, unmatched
from archcost.pytorch.match_modules import by_module
from archcost.pytorch.user_module import Subject, tensors_of
from archcost.tensors import TensorType
from archcost.work import Contraction

SGD = Run(optimizer="sgd")


class Plain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(6, 10), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.a(x).relu())


class Images(nn.Module):
    """Grouped convolution, norm, in place, pooling, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.grouped = nn.Conv2d(6, 6, 3, groups=3, bias=False)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 5))

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        return self.head(functional.max_pool2d(self.grouped(x), 2).mean((2, 3)))


class Words(nn.Module):
    """Tied tables, attention (fused, and a module that multiplies with the weights of another), a dict returned."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(11, 8)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 11, bias=False)
        self.head.weight = self.table.weight

    def forward(self, ids: Tensor) -> dict[str, Any]:
        x = self.block(self.table(ids))
        return {"logits": self.head(x), "states": [x]}


class Two(nn.Module):
    """A buffer of each kind, two inputs, one of them by name."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(4))
        self.register_buffer("index", torch.tensor([2, 0, 1]))
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor, *, y: Tensor) -> Tensor:
        return self.fc(x * self.scale)[:, self.index] + y  # pyright: ignore[reportOperatorIssue]


class Recurrent(nn.Module):
    """The weights stand in a list of the module's own, too (`_flat_weights`)."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.RNN(4, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x)[0].relu()


class Looks(Plain):
    """Forward looks at values, so that it is counted on the CPU, where attention is another kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = super().forward(x)
        return self.attention(y, y, y, need_weights=False)[0] if mask.all() else y


class Logits(Plain):
    """In float32 the cast is none, and what is returned is what it was given."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


def images() -> Tensor:
    return torch.randn(2, 3, 8, 8)


RIGHT: dict[str, tuple[Callable[[], nn.Module], Callable[[], list[Tensor]], dict[str, Tensor]]] = {
    "plain": (Plain, lambda: [torch.randn(3, 6)], {}),
    "images": (Images, lambda: [images()], {}),
    "images in evaluation": (lambda: Images().eval(), lambda: [images()], {}),
    "words": (Words, lambda: [torch.randint(0, 11, (2, 5))], {}),
    "two": (Two, lambda: [torch.randn(3, 4)], {"y": torch.randn(3, 3)}),
    "recurrent": (Recurrent, lambda: [torch.randn(2, 3, 4)], {}),
    "frozen": (lambda: Images().requires_grad_(False), lambda: [images()], {}),
    "logits": (Logits, lambda: [torch.randn(3, 6)], {}),
    "half": (lambda: Plain().half(), lambda: [torch.randn(3, 6).half()], {}),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_import_agrees(name: str) -> None:
    make, inputs, named = RIGHT[name]
    found = verify(make(), inputs(), **named)
    assert found.disagreements == ()
    assert found.silent == ()


@pytest.mark.parametrize(
    ("name", "run"),
    [
        ("plain", Run(optimizer="adam", precision="bf16", master_weights=True)),
        ("plain", Run(optimizer="sgd-momentum", accumulation=2)),
        ("images", SGD),
        ("images", Run(optimizer="adam", precision="amp-bf16")),
        ("images", Run(mode="infer", precision="bf16")),
        ("images in evaluation", SGD),
        ("words", Run(optimizer="sgd", precision="bf16")),
        ("words", SGD),
        ("two", SGD),
        ("half", SGD),
        ("logits", SGD),
        ("logits", Run(mode="infer", precision="bf16")),
    ],
    ids=str,
)
def test_a_right_import_agrees_when_it_is_measured(name: str, run: Run) -> None:
    make, inputs, named = RIGHT[name]
    found = verify(make(), inputs(), run=run, **named)
    assert found.disagreements == ()
    peak = of(found, "peak_bytes")
    assert peak["total"].archcost == peak["total"].witness


def test_the_counts_are_torchs_own() -> None:
    """Plain: 3 × 6 × 10 + 3 × 10 × 4 = 300 MACs; backward without the first input's gradient, 2·300 − 180 = 420."""
    found = verify(Plain(), torch.randn(3, 6))
    forward, backward = of(found, "flops_forward"), of(found, "flops_backward")
    assert (forward["total"].witness, backward["total"].witness) == (600, 840)
    assert {name: check.witness for name, check in forward.items()} == {"total": 600, "a": 360, "b": 240}
    assert {name: check.witness for name, check in backward.items()} == {"total": 840, "a": 360, "b": 480}
    assert {name: check.witness for name, check in of(found, "parameters").items()} == {"total": 114, "a": 70, "b": 44}


def test_known_differences_are_taken_off_and_named() -> None:
    """Grouped: 2·(2 × 6·6·6 × 2·9) = 15,552 forward, 31,104 in backward, and thrice the weight's half by torch."""
    grouped = of(verify(Images(), images()), "flops_backward")["grouped"]
    assert (grouped.archcost, grouped.agrees) == (31_104, True)
    assert grouped.reason is not None
    assert "62,208 as counted, 31,104 too much" in grouped.reason
    attention = of(verify(Words(), torch.randint(0, 11, (2, 5))), "flops_backward")["block.self_attn"]
    assert attention.reason is not None
    assert "fused attention works its scores out again" in attention.reason


def test_where_forward_looks_at_values_the_cpu_counts() -> None:
    found = verify(Looks(), [torch.randn(2, 3, 6), torch.ones(2, 3, dtype=torch.bool)], run=SGD)
    assert found.disagreements == ()
    assert of(found, "flops_forward")["total"].by.endswith(" on cpu")


def test_weights_that_another_module_multiplies_with_are_told_where_they_are() -> None:
    parameters = of(verify(Words(), torch.randint(0, 11, (2, 5))), "parameters")
    reason = parameters["block.self_attn"].reason
    assert reason is not None
    assert reason.startswith("as much in other places: block.self_attn.out_proj 0 and by torch 72")


# -- what is wrong is named: a spec that is not the module ------------------------------------------------------------


def of(found: Verification, quantity: str) -> dict[str, Check]:
    """By scope."""
    return {check.scope: check for check in found.checks if check.quantity == quantity}


def altered(spec: ModelSpec, name: str, **fields: Any) -> ModelSpec:
    layers = [layer.model_copy(update=fields) if layer.name == name else layer for layer in spec.layers]
    return spec.model_copy(update={"layers": tuple(layers)})


def beside(module: nn.Module, wrong: Callable[[ModelSpec], ModelSpec], *inputs: Tensor, run: Run | None = None) -> Any:
    return check_module(wrong(archcost.from_torch(module, *inputs)), Subject(module, inputs), run=run)


def test_a_wrong_width_is_named_in_every_quantity() -> None:
    found = beside(Plain(), lambda spec: altered(spec, "a", out_features=9), torch.randn(3, 6))
    differ = {(check.quantity, check.scope): (check.archcost, check.witness) for check in found.disagreements}
    assert differ[("parameters", "a")] == (63, 70)  # 6 · 9 + 9, and 6 · 10 + 10
    assert differ[("output_shapes", "a")] == (((3, 9),), ((3, 10),))
    assert differ[("flops_forward", "a")] == (324, 360)
    assert differ[("flops_backward", "b")] == (432, 480)
    reason = of(found, "flops_forward")["a"].reason
    assert reason == "archcost has a (linear) 324 here"


def test_a_frozen_layer_is_named() -> None:
    found = beside(Plain(), lambda spec: altered(spec, "a", trainable=False), torch.randn(3, 6))
    differ = {(check.quantity, check.scope): (check.archcost, check.witness) for check in found.disagreements}
    assert differ == {
        ("trainable_parameters", "total"): (44, 114),
        ("trainable_parameters", "a"): (0, 70),
        ("flops_backward", "total"): (240, 840),
        ("flops_backward", "a"): (0, 360),
        ("flops_backward", "b"): (240, 480),
    }


def test_a_backward_that_is_cut_is_found() -> None:
    def cut(spec: ModelSpec) -> ModelSpec:
        detach = archcost.loads("name: n\ninput: [1]\nlayers: [{type: detach, name: cut}]").layers[0]
        relu = next(index for index, layer in enumerate(spec.layers) if layer.type == "relu")
        return spec.model_copy(update={"layers": (*spec.layers[: relu + 1], detach, *spec.layers[relu + 1 :])})

    found = beside(Plain(), cut, torch.randn(3, 6))
    assert {(check.quantity, check.scope) for check in found.disagreements} == {
        ("flops_backward", "total"),
        ("flops_backward", "a"),
        ("flops_backward", "b"),
    }


def test_a_product_that_is_counted_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Linear.work

    def twice(self: Any, *tensors: Any) -> Any:
        return tuple(
            Contraction(2 * part.macs) if isinstance(part, Contraction) else part for part in rule(self, *tensors)
        )

    monkeypatch.setattr(Linear, "work", twice)
    found = verify(Plain(), torch.randn(3, 6))
    assert (of(found, "flops_forward")["a"].archcost, of(found, "flops_forward")["a"].witness) == (720, 360)
    assert not found.ok


class Kept(nn.Module):
    """A parameter that nobody uses, and buffers."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.unused = nn.Linear(6, 4), nn.Parameter(torch.ones(3, 4))
        self.register_buffer("table", torch.ones(4))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.fc(x) * self.table
        return y, y.exp()


def test_as_many_values_in_other_tensors_are_said() -> None:
    found = beside(Kept(), lambda spec: altered(spec, "unused", shape=(4, 3)), torch.randn(3, 6))
    (check,) = found.disagreements
    assert (check.quantity, check.archcost, check.witness) == ("parameters", 40, 40)
    assert check.reason == "as many values in other tensors: archcost has 4×3, and torch 3×4"


def test_a_buffer_of_another_dtype_is_said() -> None:
    found = beside(Kept(), lambda spec: altered(spec, "table", dtype="float64"), torch.randn(3, 6))
    differ = {check.scope: (check.archcost, check.witness) for check in found.disagreements}
    assert differ["float64"] == (32, 0)
    assert differ["float32"] == (0, 16)


def test_an_output_that_is_lost_is_named() -> None:
    found = beside(Kept(), lambda spec: spec.model_copy(update={"outputs": ("mul1",)}), torch.randn(3, 6))
    reason = of(found, "output_shapes")["total"].reason
    assert reason == "archcost alone has none, torch alone 3×4"


def test_what_is_not_kept_is_named_with_its_module_and_operator() -> None:
    """The dropout, left out: its output, and its mask in the output's dtype, of 2·6 floats."""

    def without_dropout(spec: ModelSpec) -> ModelSpec:
        names = [str(layer.name) for layer in spec.layers]
        assert names[-2:] == ["head.0", "head.1"]
        return spec.model_copy(update={"layers": (*spec.layers[:-2], spec.layers[-1])})

    found = beside(Images(), without_dropout, images(), run=SGD)
    kept = of(found, "kept_bytes")["total"]
    assert kept.agrees is False
    assert kept.reason is not None
    assert "torch alone 2×6 of " in kept.reason
    assert " in head.0 (48 bytes)" in kept.reason
    assert {check.quantity for check in found.disagreements} <= {
        "kept_bytes",
        "peak_bytes",
        "peak_tensors",
        "output_shapes",
    }


def test_a_cast_that_is_lost_is_found_in_bf16() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(6, 50, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x).float().log_softmax(-1)

    def lost(spec: ModelSpec) -> ModelSpec:
        return spec.model_copy(update={"layers": tuple(layer for layer in spec.layers if layer.type != "cast")})

    run = Run(optimizer="sgd", precision="bf16")
    assert verify(Wide(), torch.randn(20, 6), run=run).ok
    found = beside(Wide(), lost, torch.randn(20, 6), run=run)
    assert of(found, "peak_bytes")["total"].agrees is False
    assert of(found, "kept_bytes")["total"].agrees is False


class Hoards(Plain):
    """It keeps every activation that it ever made."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.kept.append(super().forward(x))
        return self.kept[-1]


def test_what_is_left_from_step_to_step_is_found() -> None:
    """One output of 3·4 floats in each of two steps."""
    module = Hoards()
    found = verify(module, torch.randn(3, 6), run=Run(mode="infer"))
    left = of(found, "left_bytes")["total"]
    assert left.witness == 2 * 3 * 4 * 4
    assert left.agrees is False
    assert module.kept == []


def test_unknown_operations_are_a_lower_bound_and_no_agreement() -> None:
    class Renormed(Plain):
        def forward(self, x: Tensor) -> Tensor:
            return self.b(self.a(x).renorm(2, 0, 1.0))

    found = verify(Renormed(), torch.randn(3, 6), run=SGD)
    assert found.ok
    peak = of(found, "peak_bytes")["total"]
    assert peak.agrees is None
    assert peak.reason is not None
    assert "archcost's is a lower bound" in peak.reason


# -- the parts -------------------------------------------------------------------------------------------------------


def placed(ours: dict[str, int], theirs: dict[str, int]) -> list[tuple[Any, ...]]:
    checks = by_module("flops_forward", ours, theirs, "torch", {}, "Net")
    return [(check.scope, check.archcost, check.witness, check.agrees, check.reason) for check in checks]


def test_numbers_in_another_place_are_the_same_number() -> None:
    assert placed({"a.b": 5, "c": 1}, {"a": 5, "c": 1}) == [
        ("c", 1, 1, True, None),
        ("a", 5, 5, True, "as much in other places: a.b 5 and by torch 0, a 0 and by torch 5"),
    ]


def test_what_no_place_makes_up_for_is_named_where_it_is() -> None:
    assert placed({"a.b": 5, "a.c": 2, "": 3}, {"a.b": 4, "a.c": 2, "": 3}) == [
        ("a.b", 5, 4, False, None),
        ("a.c", 2, 2, True, None),
        ("Net", 3, 3, True, None),
    ]


def body(size: int, dtype: str, path: str) -> Body:
    kind = TensorType((size,), dtype)
    return Body(kind.nbytes, kind, path, f"a tensor of {path}")


def test_tensors_are_matched_by_size_and_dtype_and_in_their_module_first() -> None:
    ours = [body(4, "float32", "a"), body(4, "float32", "b"), body(8, "bfloat16", "a")]
    theirs = [body(4, "float32", "b"), body(4, "float32", "c"), body(4, "float32", "a")]
    mine, torchs = unmatched(ours, theirs)
    assert [str(each) for each in mine] == ["8 bfloat16 of a tensor of a (16 bytes)"]
    assert [each.path for each in torchs] == ["c"]


class Slotted:
    __slots__ = ("inner", "value")

    def __init__(self, value: Tensor, inner: Any) -> None:
        self.value, self.inner = value, inner


def test_tensors_are_found_in_objects_of_any_class() -> None:
    x, y, z = torch.ones(1), torch.ones(2), torch.ones(3)
    returned = Slotted(x, {"list": [y, x], "module": nn.Linear(2, 2), "type": int})
    returned.inner["self"] = returned
    returned.inner["object"] = type("Holder", (), {})()
    returned.inner["object"].kept = (z,)
    assert {id(tensor) for tensor in tensors_of(returned)} == {id(x), id(y), id(z)}


def test_the_module_is_left_as_it_was() -> None:
    module = Images()
    module.note = [1]  # type: ignore
    module.stem[0].weight.grad = torch.ones_like(module.stem[0].weight)
    weights, buffers = dict(module.named_parameters()), {name: each.clone() for name, each in module.named_buffers()}
    values = {name: weight.detach().clone() for name, weight in weights.items()}
    image = images()
    torch.manual_seed(5)
    random.seed(5)
    drawn = torch.get_rng_state(), random.getstate()
    verify(module, image, run=Run(optimizer="adam"))
    verify(module, image, run=Run(mode="infer"))
    assert torch.equal(torch.get_rng_state(), drawn[0])
    assert random.getstate() == drawn[1]
    assert module.training
    for name, weight in module.named_parameters():
        assert weight is weights[name]
        assert torch.equal(weight, values[name])
        assert (weight.grad is None) == (name != "stem.0.weight")
    assert torch.equal(module.stem[0].weight.grad, torch.ones_like(module.stem[0].weight))
    for name, buffer in module.named_buffers():
        assert torch.equal(buffer, buffers[name])


class Graphs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        return self.fc(x) + edges.sum()


def test_inputs_without_a_batch() -> None:
    inputs = [torch.randn(5, 4), torch.ones(2, 7, dtype=torch.int64)]
    found = verify(Graphs(), inputs, unbatched=["edges"], run=SGD)
    assert found.disagreements == ()
    assert of(found, "input_shapes")["edges"].witness == ((2, 7),)


def test_another_batch_than_that_of_the_inputs() -> None:
    found = verify(Words(), torch.randint(0, 11, (2, 5)), batch=3, run=SGD)
    assert found.disagreements == ()
    assert of(found, "output_shapes")["total"].witness == ((3, 5, 11), (3, 5, 8))


def test_what_its_own_checkpoints_run_again_is_no_cost_of_a_layer() -> None:
    class Checkpointed(Plain):
        def forward(self, x: Tensor) -> Tensor:
            out = checkpoint(super().forward, x, use_reentrant=False)
            assert isinstance(out, Tensor)
            return out

    backward = of(verify(Checkpointed(), torch.randn(3, 6)), "flops_backward")
    assert backward["total"].agrees
    assert backward["total"].archcost == 840


# -- errors ----------------------------------------------------------------------------------------------------------

FAULTY = """
import torch
from torch import nn

class Base(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.norm = nn.Linear(6, 6), nn.BatchNorm1d(6)

class Mixes(Base):
    def forward(self, x):
        return self.fc(x) @ torch.ones(6, 6)

class Once(Base):
    calls = 0
    def forward(self, x):
        Once.calls += 1
        if Once.calls > CALLS:
            raise RuntimeError("once is enough")
        return self.fc(x)

class Single(Base):
    def forward(self, x):
        return self.norm(self.fc(x))

class Prints(Base):
    def forward(self, x):
        print("hello")
        return self.fc(x)

class NoWayBack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x * 2
    @staticmethod
    def backward(ctx, gradient):
        raise ValueError("no way back")

class Backless(Base):
    def forward(self, x):
        return NoWayBack.apply(self.fc(x))
"""

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a module of Python that nobody has imported yet, and from which one can be imported."""
    name = f"faulty_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(FAULTY.replace("CALLS", "3"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / f"{name}.py"


@pytest.mark.parametrize(
    ("name", "options", "line", "said"),
    [
        ("Mixes", ["--precision", "bf16"], 12, "the module fails when it is run in bf16 on cpu"),
        ("Single", [], 24, "the module fails when it is run in fp32 on cpu"),
    ],
)
def test_what_the_module_refuses_is_one_message_with_its_line(
    folder: Path, capsys: Capture, name: str, options: list[str], line: int, said: str
) -> None:
    code = main(["verify", f"{folder.stem}:{name}", "--input", "6", "--measure", *options])
    printed = capsys.readouterr()
    assert (code, printed.out) == (2, "")
    assert printed.err.startswith(f"archcost: {folder}:{line}:1: {name}")
    assert said in printed.err
    assert "\n  try: --" in printed.err


@pytest.mark.parametrize("name", ["Once", "Backless"])
def test_a_module_that_fails_later_is_an_answer_or_one_message(folder: Path, capsys: Capture, name: str) -> None:
    code = main(["verify", f"{folder.stem}:{name}", "--input", "6", "--batch", "2", "--measure"])
    printed = capsys.readouterr()
    assert code == 2
    assert printed.err.startswith(f"archcost: {folder}:")
    assert "internal error" not in printed.err


def test_what_the_module_prints_is_no_output(folder: Path, capsys: Capture) -> None:
    code = main(["verify", f"{folder.stem}:Prints", "--input", "6", "--format", "json", "--measure"])
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert (code, found["ok"], found["schema"]) == (0, True, "archcost.verify/1")
    assert "hello" in printed.err
    keys = ["quantity", "scope", "archcost", "witness", "by", "agrees", "reason"]
    assert all(list(check) == keys for check in found["checks"])


def test_a_wrong_import_ends_with_1(folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    right = torch_module.spec_from

    def wrong(*given: Any, **named: Any) -> ModelSpec:
        return altered(right(*given, **named), "fc", trainable=False)

    monkeypatch.setattr(torch_module, "spec_from", wrong)
    code = main(["verify", f"{folder.stem}:Prints", "--input", "6"])
    assert code == 1
    assert "FLOPs backward        fc" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (Run(recompute="every:2"), "--recompute is for a spec"),
        (Run(in_place=True), "--in-place is for a spec"),
        (Run(optimizer="lion"), "lion cannot be measured"),
    ],
)
def test_settings_that_no_step_of_a_module_has(run: Run, said: str) -> None:
    with pytest.raises(ArchcostError, match=said):
        verify(Plain(), torch.randn(3, 6), run=run)


def test_weights_without_values_cannot_be_measured() -> None:
    with torch.device("meta"):
        module = Plain()
    assert verify(module, torch.randn(3, 6)).ok
    with pytest.raises(ArchcostError, match="on the meta device, where nothing can be run"):
        verify(module, torch.randn(3, 6), run=SGD)


def test_what_is_no_module_and_no_spec() -> None:
    with pytest.raises(ArchcostError, match="nothing to verify"):
        verify("resnet50")  # type: ignore
    with pytest.raises(ArchcostError, match="a spec says itself"):
        verify(archcost.load("mlp"), torch.ones(1))


TEXT = """\
plain on cpu: archcost beside its witnesses (independent counts)

quantity                archcost     witness   agree  differ  uncounted  counted by
--------------------  ----------  ----------  ------  ------  ---------  ---------------------------------------
parameters                   114         114  3 of 3       0          0  torch VERSION
trainable parameters          44         114  1 of 3       2          0  torch VERSION
buffers                        0           0  1 of 1       0          0  torch VERSION
input shapes          each input  each input  1 of 1       0          0  torch VERSION on meta
output shapes                3×4         3×4  3 of 3       0          0  torch VERSION on meta
FLOPs forward                600         600  3 of 3       0          0  FlopCounterMode of torch VERSION on meta
FLOPs backward               240         840  0 of 3       3          0  FlopCounterMode of torch VERSION on meta

These differ, and nobody knows why:

quantity              where  archcost  witness  counted by
--------------------  -----  --------  -------  ---------------------------------------
trainable parameters  total        44      114  torch VERSION
trainable parameters  a             0       70  torch VERSION
FLOPs backward        total       240      840  FlopCounterMode of torch VERSION on meta
FLOPs backward        a             0      360  FlopCounterMode of torch VERSION on meta
FLOPs backward        b           240      480  FlopCounterMode of torch VERSION on meta

Notes on numbers that differ:
- FLOPs backward of a: archcost has a (linear) 0 here
- FLOPs backward of b: archcost has b (linear) 240 here

5 of 17 numbers differ.
"""


def test_the_whole_report() -> None:
    found = beside(Plain(), lambda spec: altered(spec, "a", trainable=False), torch.randn(3, 6))
    version = torch.__version__.partition("+")[0]
    assert str(found).replace(version, "VERSION").replace("-" * 39, "-" * 40) == TEXT.replace("-" * 39, "-" * 40)
