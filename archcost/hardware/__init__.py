"""Devices: one YAML file each, every figure with its unit, its source and how far it was verified."""

from archcost.hardware.figures import Figure
from archcost.hardware.library import Checked, Devices, check, load, names, profile_of, profiles_of, shipped
from archcost.hardware.profile import HardwareProfile, Source

__all__ = [
    "Checked",
    "Devices",
    "Figure",
    "HardwareProfile",
    "Source",
    "check",
    "load",
    "names",
    "profile_of",
    "profiles_of",
    "shipped",
]
