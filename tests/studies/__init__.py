"""Longer measurements behind a rule, run by hand: `python -m tests.studies.NAME`."""
