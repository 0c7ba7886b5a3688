"""Short names of devices: `4090`, `rtx 4090`, `h100 sxm`, `rpi4`. One that may mean several devices is never guessed.

A name is words: the vendor's, those of a line (rtx, jetson), the model's, and those of a form that it is sold in
(80gb, pcie). A short name leaves out the vendor, the line and the form; where it leaves out a word of the model (ti,
laptop, max), it is no name of that device, and the device is offered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

LINES = frozenset(
    (
        "rtx", "gtx", "jetson", "rx", "arc", "ryzen", "epyc", "xeon", "core", "i3", "i5", "i7", "i9", "snapdragon",
        "kirin", "dimensity", "tpu", "dgx", "arduino",
    )
)  # fmt: skip
"""Words that a short name may leave out, as it may leave out the first one, the vendor's."""

FORM = re.compile(r"\d+gb|sxm\d?|pcie|nvl|oam")
"""What a model is sold in several of: left out, it may mean any of them."""

ALSO_SAID = {
    "nvidia": ("geforce", "tesla", "quadro", "gpu", "blackwell", "generation", "edition", "hbm3", "hbm3e"),
    "amd": ("radeon", "instinct", "pro", "gpu", "oam"),
    "intel": ("habana", "graphics"),
    "google": ("cloud",),
    "aws": ("amazon",),
}
"""Words that are said of a vendor's devices, and that their names here have not."""

SPELLINGS = {
    "raspberry": ("raspberry", "ras", "r"),
    "laptop": ("laptop", "mobile", "notebook"),
    "trainium1": ("trainium1", "trainium", "trn1"),
    "trainium2": ("trainium2", "trn2"),
    "inferentia2": ("inferentia2", "inf2"),
}
"""Of a word, where it has several."""

OTHER_NAMES = {
    "gb10": "nvidia-dgx-spark",
    "nvidiagb10": "nvidia-dgx-spark",
    "spark": "nvidia-dgx-spark",
    "strixhalo": "amd-ryzen-ai-max-395",
    "8060s": "amd-ryzen-ai-max-395",
    "radeon8060s": "amd-ryzen-ai-max-395",
    "thor": "nvidia-jetson-agx-thor-t5000",
    "jetsonthor": "nvidia-jetson-agx-thor-t5000",
    "agxthor": "nvidia-jetson-agx-thor-t5000",
    "jetsonagxthor": "nvidia-jetson-agx-thor-t5000",
    "gh200480gb": "nvidia-gh200-96gb",
    "nvidiagh200480gb": "nvidia-gh200-96gb",
    "trillium": "google-tpu-v6e",
    "ironwood": "google-tpu-v7",
    "tpu7x": "google-tpu-v7",
    "rp2040": "raspberry-pi-pico",
    "pico": "raspberry-pi-pico",
    "rp2350": "raspberry-pi-pico-2",
    "pico2": "raspberry-pi-pico-2",
    "zero2w": "raspberry-pi-zero-2-w",
    "nano33ble": "nordic-nrf52840",
    "nano33blesense": "nordic-nrf52840",
    "stm32h747": "arduino-portenta-h7",
    "rt1062": "pjrc-teensy-4-1",
}
"""What a device is also called, squeezed → its name."""

MOST_LETTERS = 60
"""Of a short name."""


class Found(NamedTuple):
    """Devices that a short name may mean: all of them where `is_named`, else those that have its words and more."""

    names: tuple[str, ...]
    is_named: bool


def find(text: str, names: Sequence[str]) -> Found:
    said = squeezed(text)
    if not said or len(said) > MOST_LETTERS:
        return Found((), False)
    if OTHER_NAMES.get(said) in names:
        return Found((OTHER_NAMES[said],), True)
    left_out = {name: fewest for name in names if (fewest := _left_out(said, _words(name))) is not None}
    named = tuple(name for name, number in left_out.items() if number == 0)
    return Found(named, True) if named else Found(tuple(left_out), False)


def squeezed(text: str) -> str:
    """Small letters and digits alone."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def shortest(name: str) -> str:
    """The words of the model: 4090 of nvidia-rtx-4090."""
    return " ".join(word.spellings[0] for word in _words(name) if word.is_model)


class Word(NamedTuple):
    """A word of a name as it may be said, and whether it must be."""

    spellings: tuple[str, ...]
    is_model: bool


@cache
def _words(name: str) -> tuple[Word, ...]:
    vendor, *others = name.split("-")
    known = [Word(_spellings(vendor), False)]
    for before, word in pairwise((vendor, *others)):
        is_line = (word in LINES and word != others[-1]) or before == "ryzen"  # a TITAN RTX is no other than RTX
        known.append(Word(_spellings(word), not is_line and not FORM.fullmatch(word)))
    return (*known, *(Word((word,), False) for word in ALSO_SAID.get(vendor, ())))


def _spellings(word: str) -> tuple[str, ...]:
    if re.fullmatch(r"\d+gb", word):
        return word, word[:-1], f"{word[:-2]}gib"
    if re.fullmatch(r"sxm\d", word):
        return word, "sxm"
    return SPELLINGS.get(word, (word,))


def _left_out(said: str, words: tuple[Word, ...]) -> int | None:
    """Words of the model that were not said; None where something was said that is no word of the name."""
    if not said:
        return sum(word.is_model for word in words)
    ways = [
        _left_out(said[len(spelling) :], (*words[:place], *words[place + 1 :]))
        for place, word in enumerate(words)
        for spelling in word.spellings
        if said.startswith(spelling)
    ]
    return min((way for way in ways if way is not None), default=None)
