"""Networks with their sizes."""

from archcost.graph.build import build
from archcost.graph.model_graph import ModelGraph, Node, Port

__all__ = ["ModelGraph", "Node", "Port", "build"]
