"""The devices that a table has where none is named: those that people have or rent now, and those that this project's
references are of. All that ship would be too many to read.
"""

from __future__ import annotations

COMMON = frozenset(
    (
        # GeForce
        "nvidia-gtx-580-3gb", "nvidia-gtx-titan-black", "nvidia-gtx-1080-ti", "nvidia-rtx-2080-ti",
        "nvidia-rtx-3060-12gb", "nvidia-rtx-3070", "nvidia-rtx-3080-10gb", "nvidia-rtx-3090", "nvidia-rtx-4060",
        "nvidia-rtx-4060-ti-16gb", "nvidia-rtx-4070", "nvidia-rtx-4070-laptop", "nvidia-rtx-4070-ti-super",
        "nvidia-rtx-4080", "nvidia-rtx-4090", "nvidia-rtx-4090-laptop", "nvidia-rtx-5060-ti-16gb", "nvidia-rtx-5070",
        "nvidia-rtx-5070-ti", "nvidia-rtx-5080", "nvidia-rtx-5090", "nvidia-rtx-5090-laptop",
        # workstations
        "nvidia-rtx-a4000", "nvidia-rtx-a5000", "nvidia-rtx-a6000", "nvidia-rtx-6000-ada", "nvidia-rtx-pro-6000-max-q",
        "nvidia-rtx-pro-6000-workstation", "nvidia-dgx-spark",
        # data centres
        "nvidia-k80", "nvidia-p100-pcie-16gb", "nvidia-p100-sxm2-16gb", "nvidia-v100-pcie-16gb",
        "nvidia-v100-pcie-32gb", "nvidia-v100-sxm2-16gb", "nvidia-v100-sxm2-32gb", "nvidia-t4", "nvidia-a10",
        "nvidia-a40", "nvidia-a100-pcie-40gb", "nvidia-a100-pcie-80gb", "nvidia-a100-sxm4-40gb",
        "nvidia-a100-sxm4-80gb", "nvidia-l4", "nvidia-l40s", "nvidia-h100-pcie-80gb", "nvidia-h100-sxm5-80gb",
        "nvidia-h200-sxm", "nvidia-b200-sxm", "nvidia-b300-sxm", "nvidia-gb300", "amd-mi250x-gcd", "amd-mi300x",
        "amd-mi325x", "amd-mi355x", "google-tpu-v4", "google-tpu-v5e", "google-tpu-v5p", "google-tpu-v6e",
        "google-tpu-v7", "aws-trainium2", "intel-gaudi-3",
        # other cards, and Apple
        "amd-rx-7900-xtx", "amd-rx-9070-xt", "amd-ryzen-ai-max-395", "intel-arc-b580", "apple-m1",
        "apple-m2-max", "apple-m3-max", "apple-m3-ultra", "apple-m4", "apple-m4-pro", "apple-m4-max",
        "apple-m5", "apple-m5-max",
        # boards and CPUs
        "nvidia-jetson-orin-nano-8gb", "nvidia-jetson-agx-orin-64gb", "nvidia-jetson-agx-thor-t5000",
        "raspberry-pi-4", "raspberry-pi-5", "generic-desktop-cpu", "amd-ryzen-9-5950x", "intel-core-i7-13700k",
        "amd-epyc-7763", "amd-epyc-9654", "st-stm32f746",
    )
)  # fmt: skip
