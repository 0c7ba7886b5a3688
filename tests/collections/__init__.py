"""Every model of torchvision, timm and transformers that can be built here, and of eight libraries further off (`far`),
imported and held against torch.

    make collections
    .venv-collections/bin/python -m tests.collections torchvision timm transformers far

The first installs the libraries at the versions of requirements.txt; the second writes the logs of docs/coverage.md. It
takes some hours; `--only NAME` runs a few and writes nothing. Neither is part of the ordinary suite.
"""
