"""Graph networks of torch_geometric on one small graph, which has no batch axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tests.collections.far.member import Member, made_of

NODES, EDGES, CHANNELS = 12, 40, 8
LIBRARY = "torch_geometric.nn"


def _edges() -> Tensor:
    """Each node to those 1, 2, 3 (and some 5) further on."""
    steps = torch.arange(EDGES)
    start = steps % NODES
    return torch.stack([start, (start + 1 + steps // NODES) % NODES])


GRAPH = {"x": torch.zeros(NODES, CHANNELS), "edge_index": _edges()}
WEIGHTS = {"edge_weight": torch.ones(EDGES)}
FEATURES = {"edge_attr": torch.zeros(EDGES, 4)}
KINDS = {"edge_type": torch.arange(EDGES) % 3}
ONE = {"batch": torch.zeros(NODES, dtype=torch.int64)}
"""All nodes are of one graph."""

NARROW = {"in_channels": CHANNELS, "hidden_channels": 16, "out_channels": 5}
BASIC = {**NARROW, "num_layers": 2}
PLACED = {"z": torch.ones(NODES, dtype=torch.int64), "pos": torch.arange(NODES * 3).reshape(NODES, 3) / 7}


def _of(
    name: str, fields: dict[str, Any], *given: dict[str, Tensor], make: Callable[[], nn.Module] | None = None
) -> Member:
    named = {key: value for each in given or (GRAPH,) for key, value in each.items()}
    return Member(make or made_of(LIBRARY, name, **fields), (), named, tuple(named))


def _conv(name: str, *given: dict[str, Tensor], **fields: Any) -> Member:
    return _of(name, {"in_channels": CHANNELS, "out_channels": 6, **fields}, GRAPH, *given)


def _gin(edges: bool) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        inner = nn.Sequential(nn.Linear(CHANNELS, 16), nn.ReLU(), nn.Linear(16, 6))
        fields: dict[str, Any] = {"edge_dim": 4} if edges else {}
        return made_of(LIBRARY, "GINEConv" if edges else "GINConv", nn=inner, train_eps=True, **fields)()

    return make


def _edge() -> nn.Module:
    return made_of(LIBRARY, "EdgeConv", nn=nn.Sequential(nn.Linear(2 * CHANNELS, 16), nn.ReLU(), nn.Linear(16, 6)))()


def _neighbours(places: Tensor, batch: Tensor) -> tuple[Tensor, Tensor]:
    """The edges and how long they are: torch_geometric looks for those with a compiled library."""
    start, end = _edges().to(places.device)
    return torch.stack([start, end]), (places[start] - places[end]).norm(dim=-1)


SMALL = {"hidden_channels": 16, "num_filters": 16, "num_interactions": 2}
DEGREES = torch.tensor([0, 0, 4, 8])
AGGREGATED = {"aggregators": ["mean", "min", "max", "std"], "scalers": ["identity", "amplification"], "deg": DEGREES}

MODELS = {
    "GCN": _of("GCN", BASIC),
    "GCN weighted, jumping": _of("GCN", {**BASIC, "jk": "cat", "dropout": 0.1, "norm": "layer_norm"}, GRAPH, WEIGHTS),
    "GraphSAGE": _of("GraphSAGE", BASIC),
    "GIN": _of("GIN", {**BASIC, "norm": "batch_norm"}),
    "GAT": _of("GAT", {**BASIC, "heads": 2, "dropout": 0.1}),
    "GAT v2": _of("GAT", {**BASIC, "heads": 2, "v2": True}),
    "PNA": _of("PNA", {**BASIC, **AGGREGATED}),
    "EdgeCNN": _of("EdgeCNN", BASIC),
    "PMLP": _of("PMLP", BASIC),
    "LINKX": _of("LINKX", {**BASIC, "num_nodes": NODES}),
    "AttentiveFP": _of(
        "AttentiveFP",
        {
            "in_channels": CHANNELS,
            "hidden_channels": 16,
            "out_channels": 5,
            "edge_dim": 4,
            "num_layers": 2,
            "num_timesteps": 2,
        },
        GRAPH,
        FEATURES,
        ONE,
    ),
    "GraphUNet": _of("GraphUNet", {"in_channels": CHANNELS, "hidden_channels": 16, "out_channels": 5, "depth": 2}),
    "LightGCN": _of(
        "LightGCN", {"num_nodes": NODES, "embedding_dim": 8, "num_layers": 2}, {"edge_index": GRAPH["edge_index"]}
    ),
    "SchNet": _of("SchNet", {**SMALL, "interaction_graph": _neighbours}, PLACED),
    "SGFormer": _of("SGFormer", {"in_channels": CHANNELS, "hidden_channels": 16, "out_channels": 5}, GRAPH, ONE),
    "GINConv": _of("GINConv", {}, make=_gin(False)),
    "GINEConv": _of("GINEConv", {}, GRAPH, FEATURES, make=_gin(True)),
    "EdgeConv": _of("EdgeConv", {}, make=_edge),
    "TransformerConv": _conv("TransformerConv", FEATURES, heads=2, edge_dim=4, beta=True),
    "GATv2Conv": _conv("GATv2Conv", FEATURES, heads=2, edge_dim=4),
    "ChebConv": _conv("ChebConv", K=3),
    "TAGConv": _conv("TAGConv"),
    "SGConv": _conv("SGConv", K=2),
    "ARMAConv": _conv("ARMAConv", num_stacks=2, num_layers=2),
    "RGCNConv": _conv("RGCNConv", KINDS, num_relations=3),
    "FiLMConv": _conv("FiLMConv"),
    "GENConv": _conv("GENConv"),
    "GraphConv": _conv("GraphConv", WEIGHTS),
    "GatedGraphConv": _of("GatedGraphConv", {"out_channels": 8, "num_layers": 2}),
    "ResGatedGraphConv": _conv("ResGatedGraphConv"),
    "SuperGATConv": _conv("SuperGATConv"),
    "FAConv": _of("FAConv", {"channels": CHANNELS}, {**GRAPH, "x_0": GRAPH["x"]}),
    "APPNP": _of("APPNP", {"K": 3, "alpha": 0.1}),
    "CGConv": _of("CGConv", {"channels": CHANNELS, "dim": 4}, GRAPH, FEATURES),
    "NNConv": _of(
        "NNConv",
        {},
        GRAPH,
        FEATURES,
        make=lambda: made_of(LIBRARY, "NNConv", in_channels=CHANNELS, out_channels=6, nn=nn.Linear(4, CHANNELS * 6))(),
    ),
    "EGConv": _conv("EGConv", num_heads=2, num_bases=2),
    "HypergraphConv": _of(
        "HypergraphConv",
        {"in_channels": CHANNELS, "out_channels": 6},
        {"x": GRAPH["x"], "hyperedge_index": GRAPH["edge_index"]},
    ),
}
