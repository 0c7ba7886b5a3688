"""Budgets that a network is held to, the file in which they stand, and what differs between two networks."""
