"""What a type of memory can give at most: the fastest pin that was made, and the widest bus that one device had."""

from __future__ import annotations

from typing import Literal, NamedTuple


class MemoryLimit(NamedTuple):
    """Bits per second of a pin, pins of a device, and who says so."""

    data_rate: float
    bus: int
    source: str

    @property
    def bandwidth(self) -> float:
        """Bytes per second."""
        return self.data_rate * self.bus / 8


MemoryType = Literal[
    "DDR3", "DDR4", "DDR5", "LPDDR2", "LPDDR4", "LPDDR4X", "LPDDR5", "LPDDR5X", "GDDR5", "GDDR5X", "GDDR6", "GDDR6X",
    "GDDR7", "HBM", "HBM2", "HBM2e", "HBM3", "HBM3e", "HBM4", "SRAM",
]  # fmt: skip

_DIMMS = "sockets have at most 12 channels of 64 bit"
_STACKS = "8 stacks of 1024 bit"
_CATALOG = "rooflinenotes.dev, HBM catalog"
_MOBILE = "Apple's M1 Ultra has 1024 bit"
_CARDS = "R9 290X has 512 bit"

LIMITS: dict[MemoryType, MemoryLimit] = {
    "DDR3": MemoryLimit(2.133e9, 512, "JESD79-3: 2133 MT/s; sockets have at most 8 channels of 64 bit (recalled)"),
    "DDR4": MemoryLimit(3.2e9, 512, "JESD79-4: 3200 MT/s; sockets have at most 8 channels of 64 bit (recalled)"),
    "DDR5": MemoryLimit(8.8e9, 768, f"JESD79-5C: 8800 MT/s; {_DIMMS} (recalled)"),
    "LPDDR2": MemoryLimit(1.066e9, 128, "JESD209-2: 1066 MT/s; 128 bit is a choice (recalled)"),
    "LPDDR4": MemoryLimit(4.267e9, 512, "Wikipedia, LPDDR: 4267 MT/s for 4 and 4X; 512 bit is a choice"),
    "LPDDR4X": MemoryLimit(4.267e9, 512, "blocksandfiles.com, LPDDR: 4267 MT/s; 512 bit is a choice"),
    "LPDDR5": MemoryLimit(6.4e9, 1024, f"blocksandfiles.com, LPDDR: 6400 MT/s; {_MOBILE} (recalled)"),
    "LPDDR5X": MemoryLimit(10.667e9, 1024, f"JESD209-5: 8533 MT/s, sold up to 10667 (recalled); {_MOBILE} (recalled)"),
    "GDDR5": MemoryLimit(9e9, 512, f"probsee.com, GDDR5 SDRAM: 9 Gbit/s a pin; {_CARDS} (recalled)"),
    "GDDR5X": MemoryLimit(14e9, 384, "JESD232: 14 Gbit/s a pin; TITAN Xp has 384 bit (recalled)"),
    "GDDR6": MemoryLimit(24e9, 384, "sold up to 20 Gbit/s a pin, announced at 24; cards have 384 bit (recalled)"),
    "GDDR6X": MemoryLimit(24e9, 384, "sold up to 23 Gbit/s a pin, announced at 24; cards have 384 bit (recalled)"),
    "GDDR7": MemoryLimit(48e9, 512, "JESD239: 192 GB/s a chip of 32 bit; RTX 5090 has 512 bit (recalled)"),
    "HBM": MemoryLimit(1e9, 4096, f"{_CATALOG}: 1 Gbit/s a pin; 4 stacks of 1024 bit (recalled)"),
    "HBM2": MemoryLimit(2.43e9, 8192, f"A100 40GB: 1555 GB/s over 5120 bit, above JESD235; {_STACKS}"),
    "HBM2e": MemoryLimit(3.6e9, 8192, f"{_CATALOG}: 3.6 Gbit/s a pin; {_STACKS}"),
    "HBM3": MemoryLimit(6.4e9, 8192, f"{_CATALOG}, and JESD238: 6.4 Gbit/s a pin; {_STACKS}"),
    "HBM3e": MemoryLimit(9.6e9, 8192, f"{_CATALOG}: 9.6 Gbit/s a pin; {_STACKS}"),
    "HBM4": MemoryLimit(13e9, 16384, f"{_CATALOG}: up to 3.3 TB/s a stack of 2048 bit; 8 stacks"),
}
"""SRAM has no row: it stands on the chip, and no pin bounds it."""
