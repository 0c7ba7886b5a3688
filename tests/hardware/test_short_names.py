"""Short names, memories and this machine: what they mean, and that nothing is guessed."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import archcost
from archcost import hardware
from archcost.cli import main
from archcost.errors import ArchcostError
from archcost.hardware import without_sheet
from archcost.hardware.short_names import find

NAMED = {
    "nvidia-rtx-4090": (
        "4090",
        "RTX 4090",
        "rtx4090",
        "GeForce RTX 4090",
        "nvidia rtx-4090",
        "NVIDIA-RTX-4090",
        "RTX 4090 24GB",
    ),
    "nvidia-t4": ("t4", "Tesla T4", " T4 ", "t4-16gb"),
    "nvidia-rtx-2080-ti": ("2080 ti", "2080Ti", "ti 2080"),
    "nvidia-h100-sxm5-80gb": ("h100 sxm", "H100-SXM5", "h100sxm 80GB"),
    "nvidia-a100-pcie-40gb": ("a100 pcie 40GB", "a100-40g-pcie"),
    "nvidia-b200-sxm": ("b200",),
    "nvidia-gtx-580-3gb": ("gtx 580", "580"),
    "nvidia-jetson-orin-nano-8gb": ("orin nano", "Jetson Orin Nano"),
    "amd-mi300x": ("mi300x", "AMD Instinct MI300X"),
    "amd-ryzen-9-5950x": ("5950x", "Ryzen 9 5950X"),
    "amd-ryzen-7-7700x": ("7700x", "Ryzen 7 7700X"),
    "intel-core-i9-14900k": ("14900K", "i9-14900K"),
    "intel-core-i7-13700k": ("13700k", "i7-13700K"),
    "apple-m3-max": ("m3 max", "M3Max"),
    "nvidia-rtx-4070-laptop": ("4070 laptop", "NVIDIA GeForce RTX 4070 Laptop GPU"),
    "nvidia-rtx-4070-ti-super": ("4070 Ti Super", "4070tisuper"),
    "nvidia-rtx-6000-ada": ("6000 ada", "NVIDIA RTX 6000 Ada Generation"),
    "nvidia-rtx-pro-6000-workstation": ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition",),
    "nvidia-titan-rtx": ("titan rtx",),
    "nvidia-dgx-spark": ("GB10", "dgx spark"),
    "nvidia-gh200-96gb": ("NVIDIA GH200 480GB", "gh200"),
    "nvidia-b300-sxm": ("B300",),
    "amd-rx-7900-xtx": ("7900 xtx", "Radeon RX 7900 XTX"),
    "amd-ryzen-ai-max-395": ("Ryzen AI Max+ 395", "strix halo"),
    "intel-gaudi-3": ("gaudi3", "Habana Gaudi 3"),
    "intel-arc-b580": ("b580", "Arc B580"),
    "aws-trainium2": ("trn2", "Trainium2"),
    "apple-m3": ("m3", "Apple M3"),
    "raspberry-pi-pico": ("rp2040", "Pi Pico", "Raspberry Pi Pico"),
    "espressif-esp32-s3": ("ESP32-S3", "esp32s3"),
    "espressif-esp32": ("esp32",),
    "pjrc-teensy-4-1": ("Teensy 4.1",),
    "nordic-nrf52840": ("nRF52840", "Nano 33 BLE"),
    "google-tpu-v5e": ("v5e", "tpuv5e", "Cloud TPU v5e"),
    "raspberry-pi-4": ("rpi4", "pi 4", "raspi4", "Raspberry Pi 4"),
    "st-stm32f746": ("stm32f746", "STM32F746"),
    "qualcomm-snapdragon-8-gen-2": ("8 gen 2", "Snapdragon 8 Gen 2"),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_short_name_means_its_device(name: str):
    for short in NAMED[name]:
        assert hardware.load(short).name == name, short


SEVERAL = {
    "a100": {"nvidia-a100-pcie-40gb", "nvidia-a100-pcie-80gb", "nvidia-a100-sxm4-40gb", "nvidia-a100-sxm4-80gb"},
    "a100 80GB": {"nvidia-a100-pcie-80gb", "nvidia-a100-sxm4-80gb"},
    "3060": {"nvidia-rtx-3060-8gb", "nvidia-rtx-3060-12gb"},
    "h100": {"nvidia-h100-nvl-94gb", "nvidia-h100-pcie-80gb", "nvidia-h100-sxm5-80gb"},
    "v100 sxm": {"nvidia-v100-sxm2-16gb", "nvidia-v100-sxm2-32gb"},
}


@pytest.mark.parametrize("short", SEVERAL)
def test_of_several_all_are_offered_with_their_memory(short: str):
    with pytest.raises(ArchcostError, match="may mean several devices") as raised:
        hardware.load(short)
    offered = dict(part.split(" ", 1) for part in (raised.value.hint or "").split(", "))
    assert offered.keys() == SEVERAL[short]
    assert all(f"({re.findall(r'[0-9]+', name)[-1]} GiB)" == memory for name, memory in offered.items())


@pytest.mark.parametrize(
    ("part", "offered"),
    [
        ("4090 48GB", "nvidia-rtx-4090"),
        ("m4 max 256GB", "apple-m4-max"),
        ("mi250x", "amd-mi250x-gcd"),
        ("titan", "nvidia-gtx-titan-black"),
        ("xavier", "nvidia-jetson-agx-xavier-cpu"),
    ],
)
def test_a_name_that_lacks_a_word_of_the_model_is_none(part: str, offered: str):
    """Half a board, a later card, another memory, the cores beside the GPU: not what was said."""
    with pytest.raises(ArchcostError, match="no whole name") as raised:
        hardware.load(part)
    assert offered in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("text", "name", "gib"),
    [("m4 max 64GB", "apple-m4-max", 64), ("M2 16GB", "apple-m2", 16), ("rpi5 4GB", "raspberry-pi-5", 4)],
)
def test_a_machine_whose_memory_is_chosen(text: str, name: str, gib: int):
    found, sold = hardware.load(text), hardware.load(name)
    assert (found.name, found.memory.nominal.amount) == (f"{name}-{gib}gb", gib * 2**30)
    assert hardware.load(found.name) == found
    assert (found.rates, found.memory.bandwidth) == (sold.rates, sold.memory.bandwidth)
    times = [archcost.estimate("lenet5", hardware=each, engine="ncnn", mode="infer").time for each in (found, sold)]
    assert all(times)
    assert len({time.band for time in times if time}) == 1  # the runs of the one hold for the other


def test_many_are_cut():
    with pytest.raises(ArchcostError) as raised:
        hardware.load("nvidia")
    assert len(raised.value.hint or "") < 700
    assert "in all)" in (raised.value.hint or "")


def test_several_on_the_command_line(capsys: pytest.CaptureFixture[str]):
    assert main(["fit", "--hardware", "4090", "24GB", "lenet5", "--mode", "infer", "--format", "json"]) == 0
    devices = json.loads(capsys.readouterr().out)["devices"]
    assert [device["hardware"] for device in devices] == ["nvidia-rtx-4090", "any-gpu-24gb"]


def test_common_devices_ship():
    assert set(hardware.common()) <= set(hardware.names())
    assert 50 < len(hardware.common()) < 100  # that can be read


def test_every_name_without_its_vendor_means_its_device():
    for name in hardware.names():
        short = name.partition("-")[2]
        assert find(short, hardware.names()) == ((name,), True), name


@pytest.mark.parametrize(
    ("text", "name", "nbytes"),
    [
        ("24GB", "any-gpu-24gb", 24_000_000_000),
        ("24GiB", "any-gpu-24gib", 25_769_803_776),
        ("80 gb", "any-gpu-80gb", 80_000_000_000),
        ("12g", "any-gpu-12gb", 12_000_000_000),
        ("1.5TiB", "any-gpu-1-5tib", 1_649_267_441_664),
    ],
)
def test_any_gpu_of_a_memory(text: str, name: str, nbytes: int):
    found = hardware.load(text)
    assert (found.name, found.memory.capacity) == (name, nbytes)
    assert hardware.load(name) == found
    assert {"memory.usable", "processors", "tdp"} <= set(found.unknown())
    assert found.rates.known() == {}


@pytest.mark.parametrize("text", ["0GB", "0.5 GB", "2000TB"])
def test_no_gpu_has_such_a_memory(text: str):
    with pytest.raises(ArchcostError, match="no memory of a GPU"):
        hardware.load(text)


def test_memory_is_answered_and_time_is_named_as_unknown(capsys: pytest.CaptureFixture[str]):
    assert main(["estimate", "lenet5", "--hardware", "24GB", "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["hardware"] == "any-gpu-24gb"
    assert told["memory"]["capacity_bytes"] == 24_000_000_000
    assert told["memory"]["verdict"] == "fits"
    assert told["time"]["step_seconds"] is None
    assert "time.step_seconds" in told["unknown"]


def test_a_short_name_serves_wherever_a_device_is_named():
    fit = archcost.fit(archcost.load("lenet5"), hardware=["4090", "24GB", "cpu"])
    assert [device.hardware.name for device in fit.devices][:2] == ["nvidia-rtx-4090", "any-gpu-24gb"]
    assert [device.time is None for device in fit.devices] == [False, True, True]
    with pytest.raises(ArchcostError, match="named twice"):
        archcost.fit(archcost.load("lenet5"), hardware=["4090", "nvidia-rtx-4090"])


def test_this_machine():
    found = hardware.load("CPU")
    assert found.kind == "cpu"
    assert found.processors is not None
    assert found.processors.amount == len(os.sched_getaffinity(0))
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 0.99 * installed <= found.memory.nominal.amount <= installed
    assert found.name == without_sheet.profile_name(without_sheet.cpu_name())
    assert hardware.load(found.name) == found
    assert found.rates.known() == {}


def test_no_constants_are_borrowed_for_what_has_no_data_sheet():
    """Engines that run on CPUs have relatives for any; without rates there is nothing to scale them by."""
    time = archcost.estimate("lenet5", hardware="cpu", engine="ncnn", mode="infer").time
    assert time is None


def test_a_file_may_be_like_a_device_that_ships(tmp_path: Path):
    file = tmp_path / "mine.yaml"
    text = (Path(__file__).parent / "example.yaml").read_text()
    file.write_text(text.replace("verified: C\n", "like: nvidia-rtx-4090\nverified: C\n", 1))
    assert hardware.load(file).timed_as == "nvidia-rtx-4090"
    file.write_text(text.replace("verified: C\n", "like: 4090\nverified: C\n", 1))
    with pytest.raises(ArchcostError, match="like"):
        hardware.load(file)
    file.write_text(text.replace("verified: C\n", "like: nvidia-rtx-409\nverified: C\n", 1))
    with pytest.raises(ArchcostError, match="no device that ships") as raised:
        hardware.load(file)
    assert "nvidia-rtx-4090" in (raised.value.hint or "")


def test_a_file_says_what_these_leave_open(tmp_path: Path):
    file = tmp_path / "open.yaml"
    text = (Path(__file__).parent / "example.yaml").read_text()
    file.write_text(re.sub(r"bandwidth: \{.*\}", "bandwidth:", text))
    with pytest.raises(ArchcostError, match=r"memory\.bandwidth: not stated"):
        hardware.load(file)
