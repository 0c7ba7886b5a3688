"""Inference with a cache: what a network keeps of past tokens, its two steps, and what serving it takes."""

from archcost.serving.serve import Service, Serving, serve

__all__ = ["Service", "Serving", "serve"]
