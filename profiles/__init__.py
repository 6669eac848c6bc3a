"""The devices that artifacts are exported for: one TOML file each, validated.

A profile says what runs on the device (format, runtime), how much of the supernet it affords (width), in which
precision, and what to know about it. The shipped ones lie in this folder; any other TOML file serves as well:

    profiles.load("jetson-orin")
    profiles.load("my-device.toml")
"""

from profiles.errors import ProfileError
from profiles.load import load, names, source
from profiles.schema import Batch, Budget, Coreml, Precision, Profile, Tensorrt

__all__ = [
    "Batch",
    "Budget",
    "Coreml",
    "Precision",
    "Profile",
    "ProfileError",
    "Tensorrt",
    "load",
    "names",
    "source",
]
