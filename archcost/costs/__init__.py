"""What a network costs."""

from archcost.costs.model import LayerCost, ModelCost, TrainingFlops, cost

__all__ = ["LayerCost", "ModelCost", "TrainingFlops", "cost"]
