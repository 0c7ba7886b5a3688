"""Devices: one YAML file each, every figure with its unit, its source and how far it was verified."""

from archcost.hardware.figures import Figure
from archcost.hardware.library import (
    Checked,
    Devices,
    asked_for,
    check,
    common,
    load,
    may_be_device,
    names,
    profile_of,
    profiles_of,
    shipped,
    whole_name,
)
from archcost.hardware.profile import HardwareProfile, Source

__all__ = [
    "Checked",
    "Devices",
    "Figure",
    "HardwareProfile",
    "Source",
    "asked_for",
    "check",
    "common",
    "load",
    "may_be_device",
    "names",
    "profile_of",
    "profiles_of",
    "shipped",
    "whole_name",
]
