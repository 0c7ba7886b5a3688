"""Shipped profiles against their rows of the reference tables: no figure lost, none mistyped, none added. Those that
have no row are held against what their data sheets' figures have to do with each other, and against what was printed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from archcost import hardware
from archcost.hardware import HardwareProfile
from archcost.hardware.figures import Figure
from archcost.hardware.memory_types import LIMITS
from archcost.hardware.plausibility import against_peers, by_itself

ROOT = Path(__file__).parents[2]
ROWS: dict[str, dict[str, str]] = {}
for table in ("devices.csv", "boards.csv"):  # of the second are published runs
    with (ROOT / "tests" / "reference" / table).open(newline="", encoding="utf-8") as stream:
        ROWS |= {row["name"]: row for row in csv.DictReader(stream)}  # pyright: ignore[reportConstantRedefinition]

PROFILES = hardware.shipped().profiles
TABLED = [profile for profile in PROFILES if profile.title in ROWS]
BY_NAME = {"argvalues": TABLED, "ids": [profile.name for profile in TABLED]}

GIB, MIB = 2**30, 2**20
FIGURES = {
    "fp64_tflops": ("rates.float64", 10**12),
    "fp32_tflops": ("rates.float32", 10**12),
    "tf32_tflops": ("rates.tf32", 10**12),
    "fp16_tflops": ("rates.float16", 10**12),
    "bf16_tflops": ("rates.bfloat16", 10**12),
    "fp8_tflops": ("rates.float8", 10**12),
    "int8_tops": ("rates.int8", 10**12),
    "memory_gb": ("memory.nominal", GIB),
    "usable_gib": ("memory.usable", GIB),
    "bandwidth_gbs": ("memory.bandwidth", 10**9),
    "l2_or_llc_mb": ("cache", MIB),
    "link_each_way_gbs": ("links.peer", 10**9),
    "host_link_each_way_gbs": ("links.host", 10**9),
    "tdp_w": ("tdp", 1),
    "launch_price_usd": ("price", 1),
}
"""Column of the table → figure of the profile, and what one of the column's unit is worth."""

MICROCONTROLLER_MEMORY = {"0.00032": 320 * 1024}
"""The table writes 320 KB as 0.00032 GB; the others are of 2^30 bytes."""

ONLY_HERE = {
    "memory.type", "memory.bus", "memory.data_rate", "sparsity", "board", "flash", "context", "workspace", "processors",
    "seen.stream", "seen.matmul.float32", "seen.matmul.bfloat16",
}  # fmt: skip
"""Figures that no single number of the table says; the tests below look at them one by one."""


TOTAL_MEMORY = {
    "apple-m2-max": 72, "apple-m3-max": 96,
    "nvidia-l40s": 44.4, "nvidia-p100-pcie-16gb": 15.9, "nvidia-p100-sxm2-16gb": 15.9, "nvidia-rtx-2080-ti": 10.76,
    "nvidia-rtx-3090": 23.7, "nvidia-rtx-4090": 23.64, "nvidia-rtx-5090": 31.37, "nvidia-t4": 14.56,
    "nvidia-v100-pcie-16gb": 15.78, "nvidia-v100-pcie-32gb": 31.74, "nvidia-v100-sxm2-16gb": 15.78,
    "nvidia-v100-sxm2-32gb": 31.74,
}  # fmt: skip
"""GiB that torch's own messages told of devices on which the table says nothing, and what Metal recommends of Apple's;
each profile names the message.
"""


def amounts(profile: HardwareProfile) -> dict[str, int | float]:
    return {path: figure.amount for path, figure in profile.figures() if isinstance(figure, Figure)}


def expected(row: dict[str, str]) -> Iterator[tuple[str, int | float]]:
    for column, (path, worth) in FIGURES.items():
        if not row[column]:
            continue
        exact = Fraction(row[column]) * worth
        if row["kind"] == "mcu" and path == "memory.nominal":
            exact = Fraction(MICROCONTROLLER_MEMORY.get(row[column], exact))
        yield path, exact.numerator if exact.denominator == 1 else float(exact)


def test_each_row_has_its_profile():
    assert len(ROWS) == len(TABLED) == 69
    assert {profile.title for profile in TABLED} == set(ROWS)
    assert len({profile.title for profile in PROFILES}) == len(PROFILES)
    assert [profile.name for profile in PROFILES] == list(hardware.names())


@pytest.mark.parametrize("profile", **BY_NAME)
def test_figures_are_those_of_the_row(profile: HardwareProfile):
    figures = {path: amount for path, amount in amounts(profile).items() if path not in ONLY_HERE}
    since = {"memory.usable": TOTAL_MEMORY[profile.name] * GIB} if profile.name in TOTAL_MEMORY else {}
    assert figures == pytest.approx({**dict(expected(ROWS[profile.title])), **since}, rel=1e-12)


@pytest.mark.parametrize("profile", **BY_NAME)
def test_the_rest_of_the_row(profile: HardwareProfile):
    row = ROWS[profile.title]
    assert profile.vendor == row["vendor"]
    assert profile.kind == {"mcu": "microcontroller"}.get(row["kind"], row["kind"])
    assert profile.year == int(row["year"])
    assert profile.verified == row["verified"]
    assert (profile.notes or "") == row["notes"]
    assert profile.sparsity is not None
    assert profile.sparsity.value == {"yes": "2:4", "no": "none"}[row["sparsity_2to4"]]
    assert profile.processors is not None
    assert profile.processors.value == row["units"]
    assert (profile.board is not None) == ("one of two" in profile.title)


@pytest.mark.parametrize("profile", **BY_NAME)
def test_parts_of_the_peak_that_were_seen(profile: HardwareProfile):
    row, seen = ROWS[profile.title], profile.seen
    matmul = dict(part.split() for part in row["matmul_fraction_seen"].split("; ") if part)
    given = {dtype: spread for dtype, spread in seen.matmul or () if spread}
    assert {"fp32": "float32", "bf16": "bfloat16"}.keys() >= matmul.keys()
    named = {{"fp32": "float32", "bf16": "bfloat16"}[word]: text for word, text in matmul.items()}
    assert {dtype: "/".join(f"{share:.2f}" for share in spread.value) for dtype, spread in given.items()} == named
    assert (
        "/".join(f"{share:.2f}" for share in (seen.stream.value if seen.stream else ()))
        == (row["stream_fraction_seen"])
    )


@pytest.mark.parametrize("profile", **BY_NAME)
def test_the_sources_of_the_row_are_in_the_profile(profile: HardwareProfile):
    """Whatever site the row names stands among the sources or in the notes, and every source is used."""
    told = " ".join([*(source.text for source in profile.sources.values()), profile.notes or ""])
    for part in ROWS[profile.title]["sources"].split("; "):
        site = part.split()[0].rstrip(",")
        assert site in told, site


RECALLED = {
    "nvidia-gtx-580-3gb": {"rates.float64", "cache", "price"},
    "nvidia-gtx-titan-black": {"rates.float64", "cache", "price"},
    "nvidia-k80": {"memory.usable", "rates.float32", "rates.float64", "tdp"},
    "nvidia-v100-pcie-16gb": {"tdp"},
    "nvidia-rtx-2080-ti": {"rates.float16"},
    "nvidia-rtx-3090": {"rates.tf32", "rates.float16", "rates.bfloat16", "rates.int8"},
    "nvidia-rtx-5090": {"rates.float8", "rates.int8"},
    "nvidia-a10": {"rates.tf32", "cache", "tdp"},
    "nvidia-rtx-a6000": {"price"},
    "nvidia-h100-pcie-80gb": {"rates.float64", "rates.float32"},
    "nvidia-h100-sxm5-80gb": {"memory.usable"},
    "amd-mi300x": {"rates.float16", "rates.float8"},
    "google-tpu-v4": {"links.peer"},
    "apple-m2-max": {"memory.bandwidth"},
    "nvidia-jetson-agx-orin-64gb": {"rates.float16", "rates.int8", "memory.nominal"},
    "raspberry-pi-4": {"tdp", "price"},
    "raspberry-pi-5": {"tdp", "price"},
    "amd-epyc-7763": {"price"},
    "amd-epyc-9654": {"price"},
}
"""What the table's notes and sources call recalled."""


@pytest.mark.parametrize("profile", **BY_NAME)
def test_what_the_table_calls_recalled_is_not_called_more(profile: HardwareProfile):
    statuses = {path: profile.source(figure).verified for path, figure in profile.figures()}
    assert {statuses[path] for path in RECALLED.get(profile.name, ())} <= {"C"}


@pytest.mark.parametrize("profile", PROFILES, ids=[profile.name for profile in PROFILES])
def test_a_shipped_profile_passes_its_own_check(profile: HardwareProfile):
    file = ROOT / "archcost" / "hardware" / "profiles" / f"{profile.name}.yaml"
    checked = hardware.check(file)
    assert checked.profile == profile
    assert all(len(line) <= 120 for line in file.read_text(encoding="utf-8").splitlines())
    assert all("recalled" not in source.text or source.verified == "C" for source in profile.sources.values())
    assert {figure.source for _, figure in profile.figures()} == set(profile.sources)


def test_dtypes_sum_in_what_is_known_of_them():
    """Matrix units sum in float32; a GPU without them, and Arm's vectors, run float16 at twice the rate, in it."""
    for profile in PROFILES:
        rates = profile.rates
        if profile.kind in ("gpu", "tpu") and rates.float32 and rates.float16 and rates.float16.accumulate == "float16":
            assert profile.architecture in ("Pascal", "Turing TU11x", "RDNA 2")
            assert rates.float16.amount / rates.float32.amount == pytest.approx(2, rel=0.01)


def test_boards_of_two_devices_and_flash():
    k80, mcu = hardware.load("nvidia-k80"), hardware.load("st-stm32f746")
    assert k80.board is not None
    assert (k80.board.value, k80.board.devices) == ("Tesla K80", 2)
    assert k80.memory.nominal.amount * k80.board.devices == 24 * GIB  # the board is sold with 24 GB
    assert mcu.flash is not None
    assert (mcu.flash.amount, mcu.memory.nominal.amount) == (MIB, 320 * 1024)


def test_library_workspaces():
    """torch's CublasHandlePool: 2 × 4096 KiB and 8 × 16 KiB are 8.125 MiB; 32 MiB on Hopper."""
    workspaces = {name: hardware.load(name).workspace for name in ("nvidia-rtx-4090", "nvidia-h100-sxm5-80gb")}
    assert {name: w.amount for name, w in workspaces.items() if w} == {
        "nvidia-rtx-4090": 8_519_680,
        "nvidia-h100-sxm5-80gb": 33_554_432,
    }


def test_apple_lends_two_thirds_or_three_quarters():
    """16 GB: 10922.67 MB; 32 GB: 21845.34 MB; 64 GB: 49152.00 MB, as Metal tells llama.cpp in issues named there."""
    told = {"apple-m1": 10922.67, "apple-m1-pro": 21845.34, "apple-m1-max": 49152.0, "m4 max 64GB": 49152.0}
    for name, mib in told.items():
        assert hardware.load(name).memory.capacity / 2**20 == pytest.approx(mib, rel=0.001)


def test_capacity_is_what_is_usable_where_that_is_known():
    assert hardware.load("nvidia-a100-sxm4-40gb").memory.capacity == 42_412_802_048  # 39.5 * 2^30
    assert hardware.load("nvidia-a10").memory.capacity == 25_769_803_776  # 24 * 2^30


def test_every_limit_of_a_memory_type_is_above_what_ships():
    for profile in PROFILES:
        limit = LIMITS.get(profile.memory.type.value) if profile.memory.type else None
        assert limit is None or profile.memory.rate <= limit.bandwidth
    assert all(limit.source for limit in LIMITS.values())


def doubled(profile: HardwareProfile, dtypes: list[str]) -> HardwareProfile:
    """The profile with some rates twice as high, as if the sparse ones had been taken for dense."""
    fields = profile.model_dump()
    for dtype in dtypes:
        number, unit = fields["rates"][dtype]["value"].split()
        fields["rates"][dtype]["value"] = f"{float(2 * Fraction(number)):.10g} {unit}"
    return HardwareProfile.model_validate(fields)


WITH_SPARSITY = [profile for profile in TABLED if profile.sparsity and profile.sparsity.value == "2:4"]
"""Of the others some are sold with half of what their chip can do, as L40: doubled, they look like a sibling."""


@pytest.mark.parametrize("profile", WITH_SPARSITY, ids=[profile.name for profile in WITH_SPARSITY])
def test_a_sparse_rate_taken_for_dense_is_seen(profile: HardwareProfile):
    """On a device of a known make: any one matrix rate, and all of them together."""
    matrix = [dtype for dtype in profile.rates.known() if dtype not in ("float64", "float32")]
    for dtypes in [*([dtype] for dtype in matrix), matrix]:
        slip = doubled(profile, dtypes)
        refusal = by_itself(slip) or against_peers(slip, PROFILES)
        assert refusal is not None, dtypes
        assert "sparse" in refusal.problem


CORES = {
    "Maxwell GM20x": 128, "Pascal GP104": 128, "Pascal GP10x": 128, "Pascal": 64, "Volta": 64, "Turing": 64,
    "Turing TU11x": 64, "Ampere GA100": 64, "Ampere GA10x": 128, "Ampere GA10B": 128, "Ada": 128, "Hopper": 128,
    "Blackwell GB20x": 128, "Blackwell GB10": 128,
}  # fmt: skip
"""Of a multiprocessor, for float32, by the white papers."""

PER_CLOCK = {
    "GeForce": {"float16": 512, "bfloat16": 512, "float8": 1024, "int8": 2048},
    "workstation": {"float16": 1024, "bfloat16": 1024, "float8": 2048, "int8": 2048},
}
"""Dense FLOP of a multiprocessor and clock in tensor cores since Turing, sums in float32: two lines of one chip."""


def clock(profile: HardwareProfile) -> float | None:
    """Hz, of the data sheet's rate in float32."""
    cores = CORES.get(profile.architecture or "")
    if cores is None or profile.rates.float32 is None or profile.processors is None:
        return None
    return profile.rates.float32.amount / (2 * cores * profile.processors.amount)


@pytest.mark.parametrize("line", PER_CLOCK)
def test_rates_are_multiprocessors_times_clock(line: str):
    """Of those that were looked up and those that were worked out, alike."""
    for profile in PROFILES:
        hertz = clock(profile)
        before = (profile.architecture or "").startswith(("Pascal", "Maxwell", "Turing TU11x"))  # tensor cores
        if hertz is None or profile.line != line or before:
            continue
        assert 0.9e9 < hertz < 2.7e9, profile.name
        for dtype, rate in profile.rates.known().items():
            expected = PER_CLOCK[line].get(dtype)
            if expected is None or rate.accumulate == "float16":
                continue
            assert profile.processors is not None
            each = rate.amount / (hertz * profile.processors.amount)
            assert each == pytest.approx(expected, rel=0.015), (profile.name, dtype)


def test_bandwidth_is_bus_times_data_rate():
    both = [p for p in PROFILES if p.memory.bus and p.memory.data_rate]
    for profile in both:
        assert profile.memory.bus is not None
        assert profile.memory.data_rate is not None
        nbytes = profile.memory.bus.amount * profile.memory.data_rate.amount / 8
        assert profile.memory.rate == pytest.approx(nbytes, rel=0.01), profile.name
    assert len(both) > 100


PRINTED = {
    "nvidia-rtx-3080-10gb": {"int8": 238, "float16": 59.5},
    "nvidia-rtx-4060": {"int8": 242 / 2},
    "nvidia-rtx-4070": {"float32": 29.15, "int8": 466 / 2, "bandwidth": 504, "tdp": 200},
    "nvidia-rtx-5060-ti-16gb": {"int8": 759 / 4},
    "nvidia-rtx-5070": {"int8": 988 / 4},
    "nvidia-rtx-5070-ti": {"int8": 1406 / 4},
    "nvidia-rtx-5080": {"int8": 1801 / 4, "bandwidth": 960},
    "nvidia-rtx-a2000-12gb": {"float16": 63.9 / 2},
    "nvidia-rtx-a4500": {"float16": 189.2 / 2},
    "nvidia-rtx-a5000": {"float32": 27.8, "float16": 222.2 / 2},
    "nvidia-rtx-2000-ada": {"float8": 191.9 / 2},
    "nvidia-rtx-5000-ada": {"float8": 1044.4 / 2},
    "nvidia-rtx-6000-ada": {"float32": 91.1, "float8": 1457 / 2},
    "nvidia-rtx-pro-6000-workstation": {"float32": 125, "float8": 4000 / 4},
    "nvidia-rtx-4070-super": {"float32": 35.49, "bandwidth": 504, "tdp": 220},
    "nvidia-rtx-4070-ti": {"float32": 40.09, "bandwidth": 504, "tdp": 285},
    "nvidia-rtx-4070-ti-super": {"float32": 44.1, "bandwidth": 672, "tdp": 285},
    "nvidia-rtx-4080": {"float32": 48.74, "float16": 97.5, "int8": 780 / 2, "bandwidth": 717, "tdp": 320},
    "nvidia-rtx-4080-super": {"float32": 52.22, "bandwidth": 736, "tdp": 320},
    "nvidia-rtx-a4000": {"float32": 19.2, "float16": 153.4 / 2, "bandwidth": 448, "tdp": 140},
    "nvidia-a40": {"float32": 37.4, "tf32": 74.8, "bfloat16": 149.7, "int8": 299.3, "bandwidth": 696, "tdp": 300},
    "nvidia-l40": {"float32": 90.5, "bandwidth": 864},
    "nvidia-jetson-agx-orin-32gb": {"int8": 108 / 2},
    "nvidia-jetson-orin-nx-16gb": {"int8": 60 / 2},
    "nvidia-jetson-agx-xavier-32gb": {"float16": 11.3, "int8": 22.6},
    "amd-mi100": {"float64": 11.5, "float32": 23.1, "float16": 184.6, "bandwidth": 1229},
    "amd-mi210": {"float64": 22.6, "float16": 181, "bandwidth": 1638},
    "amd-mi355x": {"float64": 78.6, "float32": 157.3, "bfloat16": 2516.6, "float8": 5033.2},
    "amd-rx-9070-xt": {"float32": 48.7, "float16": 195, "int8": 389, "bandwidth": 640, "tdp": 304},
    "intel-arc-a770-16gb": {"bandwidth": 560, "tdp": 225},
    "apple-m4-max": {"bandwidth": 546},
    "google-tpu-v6e": {"bfloat16": 918, "bandwidth": 1638},
    "amd-rx-7900-xtx": {"float32": 61.4, "float16": 122.8, "bandwidth": 960, "tdp": 355},
    "intel-arc-b580": {"float32": 13.67, "bandwidth": 456, "tdp": 190},
    "nvidia-a16": {"float32": 4.5, "tf32": 9, "float16": 17.9, "int8": 35.9, "bandwidth": 200},
}
"""TFLOP/s (int8 TOP/s), GB/s and W that other pages print: svethardware.cz on the GeForce cards of January 2024, and
shops that quote NVIDIA's data sheets (ecer.com of A40 and A4000, whose tensor rate is sparse; panchaea.com of A16);
the vendors' own pages of the others, recalled: NVIDIA prints sparse int8 of Ada, and sparse fp4, four times as much as
dense int8, of Blackwell as AI TOPS, and sparse float16 or float8 of workstation cards.
"""


@pytest.mark.parametrize("name", PRINTED)
def test_others_print_the_same(name: str):
    profile = hardware.load(name)
    found = {"bandwidth": profile.memory.rate / 1e9, **{d: r.amount / 1e12 for d, r in profile.rates.known().items()}}
    if profile.tdp is not None:
        found["tdp"] = profile.tdp.amount
    printed = PRINTED[name]
    assert {quantity: found[quantity] for quantity in printed} == pytest.approx(printed, rel=0.015)
