# `make demo` and `make test` each build the virtual environment they need and run in it.
PYTHON ?= python3
DEMO := .venv-demo
TEST := .venv-test
COLLECTIONS := .venv-collections
NEWEST := .venv-newest
SITE := .venv-site
DIST := .venv-dist
PYTHONS ?= python3.11 python3.12 python3.13


.PHONY: demo test test-newest lint types bench docs site collections onnx-node-tests onnx-quantised onnx-packages peft-rows liger-rows optimizer-rows dist pythons clean caches

demo: $(DEMO)/.ready
	@mkdir -p build
	$(DEMO)/bin/archcost summary vgg_d
	$(DEMO)/bin/archcost verify vgg_d
	$(DEMO)/bin/archcost report vgg_d --batch 32 --hardware nvidia-rtx-4090 nvidia-t4 -o build/vgg_d.html
	@echo "A page on vgg_d lies in $(CURDIR)/build/vgg_d.html; open it in a browser."

test: lint types
	$(TEST)/bin/python -m pytest -n auto -q

# The witness tests against the newest torch, and CUDA's column on fake tensors. Not in CI: torch's CUDA build is 5 GB.
test-newest: $(NEWEST)/.ready
	$(NEWEST)/bin/python -m pytest -n auto -q tests/layers tests/pytorch tests/importers tests/test_releases.py

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

# README.md and docs/ as pages to browse and search offline: build/site/index.html. Every warning is an error.
site: $(SITE)/.ready
	$(SITE)/bin/sphinx-build -q -W --keep-going -b html -d build/site-cache -c docs/site . build/site

# The pictures of docs/plots.md are drawn again: by another matplotlib they are other bytes, so not by `make docs`.
.PHONY: pictures
pictures: $(TEST)/.ready
	$(TEST)/bin/python -m tests.pictures.kept

# The libraries that docs/coverage.md is about; `$(COLLECTIONS)/bin/python -m tests.collections` then runs them for hours.
collections: $(COLLECTIONS)/.ready

# Every node test of the installed onnx is read again; what is found goes to docs/onnx_node_tests.md.
onnx-node-tests: $(TEST)/.ready
	$(TEST)/bin/python -m tests.onnx_programs.node_tests

# Files that onnxruntime quantises, in an environment of its own, are read; what is found goes to docs/onnx_quantised.md.
onnx-quantised: $(TEST)/.ready
	$(TEST)/bin/python -m tests.onnx_programs.quantised

# What networks keep of past tokens is compared with transformers' caches; docs/caches.md says what came of it.
caches:
	$(COLLECTIONS)/bin/python -m tests.large_programs.caches

# The ONNX files of packages are downloaded and read again, beside a run of onnxruntime; docs/onnx_packages.md says what came of it.
onnx-packages: $(TEST)/.ready
	$(TEST)/bin/python -m tests.onnx_programs.packages

# Language models, T5, Whisper and encoders beside transformers' modules; docs/families.md says what came of it.
.PHONY: families
families: $(COLLECTIONS)/.ready
	$(COLLECTIONS)/bin/python -m tests.large_programs.families

# Networks with experts, state spaces and diffusion beside transformers' and diffusers' modules; docs/other_families.md says what came of it.
.PHONY: other-families
other-families: $(COLLECTIONS)/.ready
	$(COLLECTIONS)/bin/python -m tests.large_programs.other_families

# Small modules that PEFT adapts, beside those that archcost adapts; docs/adapters.md says what came of it.
.PHONY: adapters
adapters: $(COLLECTIONS)/.ready
	$(COLLECTIONS)/bin/python -m tests.large_programs.adapters

# Modules that PEFT makes, beside its published runs; docs/peft_rows.md says what came of it.
peft-rows: $(COLLECTIONS)/.ready
	$(COLLECTIONS)/bin/python -m tests.large_programs.peft_rows

# Small networks with quantised weights beside bitsandbytes and PEFT; docs/quantised_weights.md says what came of it.
.PHONY: quantised-weights
quantised-weights: $(COLLECTIONS)/.ready
	$(COLLECTIONS)/bin/python -m tests.large_programs.quantised

# Eager operators on meta tensors, beside Liger-Kernel's published benchmark; docs/liger_rows.md says what came of it.
liger-rows: $(TEST)/.ready
	$(TEST)/bin/python -m tests.large_programs.liger

# Published runs of optimizers of few bits and of offloading; docs/optimizer_rows.md says what came of it.
optimizer-rows: $(COLLECTIONS)/.ready
	$(COLLECTIONS)/bin/python -m tests.large_programs.optimizer_rows

# Wheel and source distribution, whose metadata twine checks.
dist: $(DIST)/.ready
	rm -rf dist
	$(DIST)/bin/python -m build
	$(DIST)/bin/twine check --strict dist/*

# The wheel, without torch, in a new environment of each Python that is here: the commands, then the tests that need no torch.
pythons: dist
	$(PYTHON) tests/pythons.py dist/*.whl $(PYTHONS)

$(DIST)/.ready:
	$(PYTHON) -m venv $(DIST)
	$(DIST)/bin/python -m pip install -q build twine
	touch $@

$(COLLECTIONS)/.ready: pyproject.toml constraints.txt tests/collections/requirements.txt
	$(PYTHON) -m venv $(COLLECTIONS)
	$(COLLECTIONS)/bin/python -m pip install -q -c constraints.txt -e '.[torch]'
	$(COLLECTIONS)/bin/python -m pip install -q --no-deps -r tests/collections/requirements.txt
	touch $@

$(SITE)/.ready: docs/site/requirements.txt
	$(PYTHON) -m venv $(SITE)
	$(SITE)/bin/python -m pip install -q -r $<
	touch $@

$(NEWEST)/.ready: pyproject.toml constraints-newest.txt
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install -q -c constraints-newest.txt -e '.[dev]'
	touch $@

$(DEMO)/.ready: EXTRA = torch,report
$(TEST)/.ready: EXTRA = dev
%/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install -q -c constraints.txt -e '.[$(EXTRA)]'
	touch $@

clean:
	rm -rf $(DEMO) $(TEST) $(COLLECTIONS) $(NEWEST) $(SITE) $(DIST) dist build
