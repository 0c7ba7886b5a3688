"""A `config.json` of Hugging Face → `ModelSpec`: sizes of a network, without weights and without a download."""

from archcost.importers.huggingface.config_file import from_config, is_config

__all__ = ["from_config", "is_config"]
