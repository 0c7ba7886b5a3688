"""What a network costs."""

from archcost.costs.model import LayerCost, ModelCost, TrainingFlops, cost
from archcost.costs.storages import Kept, Storage, kept

__all__ = ["Kept", "LayerCost", "ModelCost", "Storage", "TrainingFlops", "cost", "kept"]
