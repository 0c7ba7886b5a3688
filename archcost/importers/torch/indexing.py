"""Values picked by index."""

from __future__ import annotations

from torch import Tensor

from archcost.importers.torch.proposal import Proposal, rule_for


@rule_for("embedding")
def embedding(
    result: Tensor,
    indices: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Proposal | None:
    if max_norm is not None or sparse:
        return None
    fields = {"num_embeddings": weight.shape[0], "embedding_dim": weight.shape[1], "padding_idx": padding_idx}
    return Proposal("embedding", (indices,), fields, {"weight": weight})


@rule_for("torch.embedding", "aten::embedding")
def embedding_of_torch(
    result: Tensor, weight: Tensor, indices: Tensor, padding_idx: int = -1, *rest: bool
) -> Proposal | None:
    return embedding(result, indices, weight, None if padding_idx < 0 else padding_idx)
