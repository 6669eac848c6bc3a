"""What this machine is called. Goes into device kits: Python 3.8 and its standard library are enough."""

from __future__ import annotations

import platform
from pathlib import Path

_MODEL = Path("/proc/device-tree/model")  # of boards, such as "NVIDIA Jetson Orin Nano Developer Kit"


def device_name() -> str:
    """The model of a board where it tells one, else operating system and processor."""
    try:
        model = _MODEL.read_text(encoding="utf-8", errors="replace").strip("\0 \n")
    except OSError:
        model = ""
    return model or platform.platform()
