"""The command line."""

from archcost.cli.main import main

__all__ = ["main"]
