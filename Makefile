# `make demo` and `make test` each build the virtual environment they need and run in it.
PYTHON ?= python3
DEMO := .venv-demo
TEST := .venv-test

.PHONY: demo test lint types bench docs dist clean

demo: $(DEMO)/.ready
	$(DEMO)/bin/archcost summary vgg_d
	$(DEMO)/bin/archcost verify vgg_d

test: lint types
	$(TEST)/bin/python -m pytest -n auto -q

lint: $(TEST)/.ready
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .

types: $(TEST)/.ready
	$(TEST)/bin/pyright --pythonpath $(TEST)/bin/python

# Timed in one run on this machine, then written to docs/benchmarks.md.
bench: $(TEST)/.ready
	$(TEST)/bin/python -m tests.benchmarks

# Pages and files that are made from the code: conventions, the schema, the guarded table of the shipped networks.
docs: $(TEST)/.ready
	$(TEST)/bin/python -m tests.generate

dist: $(TEST)/.ready
	$(TEST)/bin/python -m build --wheel

$(DEMO)/.ready: EXTRA = torch
$(TEST)/.ready: EXTRA = dev
%/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install -q -c constraints.txt -e '.[$(EXTRA)]'
	touch $@

clean:
	rm -rf $(DEMO) $(TEST) dist build
