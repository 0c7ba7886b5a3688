"""GPT-3, 175 billion parameters as transformers writes it, imported on the meta device: seconds and the peak of memory.

    python -m tests.studies.gpt3

The sizes are those of Brown et al., Language Models are Few-Shot Learners, NeurIPS 2020, table 2.1. Needs transformers.
"""

from __future__ import annotations

import resource
import time

import torch

import archcost
from tests.collections.torchvision_models import declare_operators

SIZES = {"n_layer": 96, "n_embd": 12_288, "n_head": 96, "n_positions": 2_048, "vocab_size": 50_257}


def main() -> None:
    declare_operators()  # transformers imports torchvision
    from transformers import GPT2Config, GPT2LMHeadModel  # pyright: ignore[reportMissingImports]

    begin = time.perf_counter()
    with torch.device("meta"):
        module = GPT2LMHeadModel(GPT2Config(**SIZES, use_cache=False))
    made = time.perf_counter()
    spec = archcost.from_torch(module, torch.zeros(1, 2_048, dtype=torch.int64), name="gpt3")
    imported = time.perf_counter()
    cost = archcost.cost(archcost.build(spec))
    costed = time.perf_counter()
    print(f"{cost.parameters:,} parameters, {len(cost.layers):,} layers, unknown: {cost.unknown or 'none'}")
    print(f"made in {made - begin:.1f} s, imported in {imported - made:.1f} s, costed in {costed - imported:.1f} s")
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
