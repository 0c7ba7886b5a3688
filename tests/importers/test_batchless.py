"""Inputs without a batch axis, or with the batch in another one: modules beside torch, and what is said of a guess."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archcost
from archcost.errors import ArchcostError
from archcost.importers.python_callable import load_callable
from archcost.spec import InputSpec
from tests.importers.held import held


class Messages(nn.Module):
    """Nodes that add up what comes along edges; any number of graphs before the nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(16, 24), nn.Linear(24, 5)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        h = self.inner(nodes)
        arrived = torch.zeros_like(h).index_add(h.dim() - 2, edges[1], h.index_select(h.dim() - 2, edges[0]))
        return self.outer(torch.relu(arrived))


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.packed, self.out = nn.Linear(32, 96), nn.Linear(32, 32)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, features = x.shape
        q, k, v = self.packed(x).view(batch, length, 3, 4, 8).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(-1, -2)) / math.sqrt(8)
        scores = scores + mask if mask.is_floating_point() else scores.masked_fill(mask, -math.inf)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, features))


class Rotary(nn.Module):
    """Positions as a table of ids that all samples share, and a single number."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(24, 24), nn.Linear(24, 24)

    def forward(self, x: Tensor, ids: Tensor, scale: Tensor) -> Tensor:
        angles = ids[:, :1] * torch.arange(12, device=x.device, dtype=torch.float32)
        turns = torch.cat([angles, angles], -1)
        h = self.inner(x)
        return self.outer(h * turns.cos() + h.roll(12, -1) * turns.sin()) * scale


class Stateful(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(12, 20), nn.Linear(20, 3)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        grown = self.inner(x) * h[0].unsqueeze(1) + c.mean(0).unsqueeze(1)
        return self.outer(grown), c * 2


class TimeFirst(nn.Module):
    """The batch in axis 1, read for a constant of its size as well."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(12, 20)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) * torch.ones(x.shape[1], 20)


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.out = nn.Embedding(50, 16), nn.Embedding(9, 16), nn.Linear(16, 7)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        return self.out(torch.relu(self.words(ids) + self.places(positions)))


class Chosen(nn.Module):
    """Looks at the values of an input that all samples share."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 4)

    def forward(self, x: Tensor, columns: Tensor) -> Tensor:
        kept = [x[:, :, int(column)] for column in columns]
        return self.inner(torch.stack(kept, -1))


NODES, EDGES = torch.randn(7, 16), torch.randint(7, (2, 30))


def test_edges_beside_graphs() -> None:
    spec = held(Messages(), torch.randn(1, 7, 16), EDGES, unbatched=["edges"])
    assert spec.inputs["edges"] == InputSpec(shape=(2, 30), dtype="int64", batched=False)
    assert "edges: {shape: [2, 30], dtype: int64, batched: false}" in spec.to_yaml()


def test_one_graph_alone() -> None:
    spec = held(Messages(), NODES, EDGES, unbatched=["nodes", "edges"])
    assert not spec.has_batch
    # (7 nodes · 16 · 24 + 7 · 24 · 5) products
    assert archcost.cost(archcost.build(spec)).macs == 7 * 16 * 24 + 7 * 24 * 5


@pytest.mark.parametrize("mask", [torch.zeros(10, 10), torch.ones(10, 10, dtype=torch.bool).triu(1)])
def test_a_mask_that_all_samples_share(mask: Tensor) -> None:
    held(Masked(), torch.randn(1, 10, 32), mask, unbatched=["mask"])


def test_a_table_and_a_single_number() -> None:
    """A tensor without axes has no batch, and nobody need say so."""
    spec = held(Rotary(), torch.randn(1, 10, 24), torch.randn(10, 3), torch.tensor(2.0), unbatched=["ids"])
    assert spec.inputs["scale"] == InputSpec(shape=(), batched=False)


def test_a_state_with_the_batch_second() -> None:
    """The name of an argument stands for all of its tensors."""
    state = (torch.randn(2, 1, 20), torch.randn(2, 1, 20))
    spec = held(Stateful(), torch.randn(1, 9, 12), state, batch_dims={"state": 1})
    assert spec.inputs["state_1"].shape == (2, "B", 20)
    assert archcost.build(spec, 4).inputs["state_0"].shape == (2, 4, 20)


def test_the_batch_second_in_all() -> None:
    spec = held(TimeFirst(), torch.randn(9, 1, 12), batch_dims={"x": -2})
    assert spec.inputs["x"] == InputSpec(shape=(9, "B", 12))


def test_indices_that_all_samples_share() -> None:
    held(Embedded(), torch.randint(50, (1, 9)), torch.arange(9), unbatched=["positions"])


def test_values_of_what_all_samples_share_are_seen() -> None:
    spec = held(Chosen(), torch.randn(1, 5, 8), torch.tensor([7, 1, 2, 3, 5, 4]), unbatched=["columns"])
    chosen = [layer.index for layer in spec.layers if layer.type == "select"]  # pyright: ignore
    assert chosen[:2] == [7, 1]


class WithoutLoops(nn.Module):
    """Edges from a node to itself are told from others by their values, and weighed apart."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(16, 24), nn.Linear(24, 5)

    def forward(self, nodes: Tensor, edges: Tensor, weights: Tensor) -> Tensor:
        others = edges[0] != edges[1]
        own = torch.ones(len(nodes))
        own[edges[0][~others]] = weights[~others]
        start, end = edges[:, others]
        h = self.inner(nodes)
        arrived = torch.zeros_like(h).index_add(0, end, h[start] * weights[others].unsqueeze(1))
        return self.outer(torch.relu(arrived + h * own.unsqueeze(1)))


def test_masks_of_what_all_samples_share_pick_as_many_as_they_do() -> None:
    edges = torch.stack([torch.arange(30) % 7, torch.arange(30) % 5])
    named = {"nodes": NODES, "edges": edges, "weights": torch.rand(30)}
    held(WithoutLoops(), unbatched=[*named], **named)
    spec = archcost.from_torch(WithoutLoops(), unbatched=[*named], **named)
    found = next(layer for layer in spec.to_dict()["layers"] if layer["name"] == "index1")
    assert found["type"] == "index"


def refusal(*inputs: Tensor, **said: Any) -> str:
    with pytest.raises(ArchcostError) as caught:
        archcost.from_torch(Messages(), *inputs, **said)
    return str(caught.value)


def test_inputs_that_do_not_agree_are_not_guessed() -> None:
    assert refusal(NODES, EDGES) == (
        "the inputs do not agree on how many samples there are\n"
        "  expected: the batch as the first axis of each, or said which input is without a batch, or has it elsewhere\n"
        "  found: nodes 7×16, edges 2×30 int64\n"
        '  try: unbatched=["edges"] (--input edges=2x30:int64:unbatched), '
        'or batch_dims={"edges": 1} (B among the sizes)'
    )


def test_a_guess_that_fails_says_what_else_it_may_be() -> None:
    """As many rows as samples by chance: 5 rows are no batch of tables of 8."""
    with pytest.raises(ArchcostError) as caught:
        archcost.from_torch(Rotary(), torch.randn(5, 5, 24), torch.randn(5, 3), torch.tensor(2.0))
    assert str(caught.value).endswith(
        '  try: for an input without a batch axis, unbatched=["name"], or --input name=2x300:unbatched'
    )


def test_a_guess_that_runs_is_told() -> None:
    """Two graphs, and by chance the two rows of edges: a sample is read by its number."""
    spec = archcost.from_torch(Messages(), torch.randn(2, 7, 16), EDGES)
    assert spec.assumptions == (
        'axis 0 of edges is the batch (forward picks one of its samples; without a batch it is unbatched=["edges"])',
    )
    assert archcost.from_torch(Messages(), NODES[None], EDGES, unbatched=["edges"]).assumptions == ()


def test_what_is_said_of_no_input() -> None:
    assert refusal(NODES, EDGES, unbatched=["edgs"]) == (
        "no input is called 'edgs'\n  expected: edges, nodes\n  found: 'edgs'\n  try: 'edges'"
    )
    assert refusal(NODES, EDGES, batch_dims={"edges": 2}) == (
        "batch_dims names no axis of edges\n  expected: an integer from 0 to 1\n  found: 2"
    )
    assert refusal(NODES, EDGES, unbatched=["edges"], batch_dims={"edges": 1}) == (
        "edges is said to have a batch and to have none\n  expected: one of them"
    )


def test_in_the_shell() -> None:
    network = f"{__name__}:Messages"
    spec = load_callable(network, inputs=["7x16", "edges=2x30:int64:unbatched"])
    assert spec.inputs["nodes"] == InputSpec(shape=(7, 16))
    assert spec.inputs["edges"] == InputSpec(shape=(2, 30), dtype="int64", batched=False)
    spec = load_callable(f"{__name__}:Rotary", inputs=["10x24", "10x3:unbatched", "scalar"])
    assert [given.batched for given in spec.inputs.values()] == [True, False, False]
    spec = load_callable(f"{__name__}:TimeFirst", inputs=["9xBx12"])
    assert spec.inputs["x"] == InputSpec(shape=(9, "B", 12))


@pytest.mark.parametrize(
    ("module", "inputs", "said"),
    [
        (Messages, (torch.randn(1, 7, 16), EDGES), {"unbatched": ["edges"]}),
        (Messages, (NODES, EDGES), {"unbatched": ["nodes", "edges"]}),
        (Rotary, (torch.randn(1, 10, 24), torch.randn(10, 3), torch.tensor(2.0)), {"unbatched": ["ids"]}),
        (TimeFirst, (torch.randn(9, 1, 12),), {"batch_dims": {"x": 1}}),
        (Stateful, (torch.randn(1, 9, 12), (torch.randn(2, 1, 20),) * 2), {"batch_dims": {"state": 1}}),
    ],
)
def test_through_onnx_and_back(
    module: type[nn.Module], inputs: tuple[Any, ...], said: dict[str, Any], tmp_path: Path
) -> None:
    """The file says by its sizes which axis is the batch."""
    pytest.importorskip("onnx")
    spec = archcost.from_torch(module(), *inputs, **said)
    archcost.to_onnx(spec, tmp_path / "net.onnx")
    batch = 3 if spec.has_batch else 1
    read = archcost.from_onnx(tmp_path / "net.onnx")
    assert read.inputs == spec.inputs
    archcost.to_onnx(spec, tmp_path / "net.onnx", batch)  # with nothing but numbers
    assert archcost.from_onnx(tmp_path / "net.onnx").inputs == spec.inputs
    ours, theirs = (archcost.cost(archcost.build(each, batch)) for each in (spec, read))
    assert (theirs.macs, theirs.parameters, theirs.unknown) == (ours.macs, ours.parameters, ())


def test_the_chain_of_estimates() -> None:
    """Edges do not grow with the batch: of 2·30·8 bytes there is one tensor, however many graphs there are."""
    spec = archcost.from_torch(Messages(), torch.randn(1, 7, 16), EDGES, unbatched=["edges"])
    run = archcost.Run(mode="infer")
    sizes = [archcost.timeline(archcost.build(spec, batch), run, "cpu").moments[0].by_role for batch in (1, 6)]
    assert [each["inputs"] for each in sizes] == [7 * 16 * 4 + 480, 6 * 7 * 16 * 4 + 480]
    fitted = archcost.estimate(spec, hardware="nvidia-t4")
    assert fitted.max_batch is not None
    assert fitted.max_batch > 1000


def test_a_network_without_any_batch() -> None:
    spec = archcost.from_torch(Messages(), NODES, EDGES, unbatched=["nodes", "edges"])
    with pytest.raises(ArchcostError) as caught:
        archcost.build(spec, 8)
    assert str(caught.value) == (
        "messages: no input has a batch axis\n"
        "  expected: a batch of 1, or an input without batched: false\n"
        "  found: a batch of 8"
    )
    fitted = archcost.estimate(spec, hardware="nvidia-t4")
    assert fitted.max_batch == 1
    assert "The largest batch" not in str(fitted)
    found = archcost.fit(spec, hardware=["nvidia-t4"]).devices[0]
    assert (found.fits, found.max_batch) == (True, 1)
    assert archcost.pytorch.verify(spec).ok
    scores = spec.model_copy(update={"loss": "cross_entropy"})  # each node is a sample to the loss
    assert archcost.pytorch.verify(scores, run=archcost.Run(optimizer="sgd")).ok
