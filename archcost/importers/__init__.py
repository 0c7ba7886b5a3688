"""Networks that exist already → `ModelSpec`."""
