"""Passes: what turns the graph of a network into that of a run. `order` lists them, `contract` says what one is."""
