"""Every model of torchvision, timm and transformers that can be built here, imported and held against torch.

    python -m tests.collections torchvision timm transformers

writes docs/coverage.md. It takes about an hour; `--only NAME` runs a few and writes nothing.
"""
