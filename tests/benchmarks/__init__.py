"""Speed, measured in one run beside the tools it is compared with. `python -m tests.benchmarks` writes the page."""
