"""Quantised layers in torch: those of integers, and linear layers whose frozen weight is kept in few bits."""
