"""What an earlier build measured, kept in a file: it makes the next build quicker, and must never stand in its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sfsc_deploy.errors import SfscError
from sfsc_deploy.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from sfsc_deploy.runtime.engine.build import Plan

SUFFIX = ".timing.cache"
"""Of the file, after the stem of the engine."""


def read_timings(path: Path) -> bytes:
    """What an earlier build left; empty where there is nothing that can be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def keep_timings(path: Path, plan: Plan) -> tuple[str, ...]:
    """Leave what a build measured for the next one.

    Returns:
        A sentence for the person at the keyboard where the file was not used by this build, or can't be written.
    """
    remarks = []
    if path.exists() and not plan.timings_used:
        remarks.append(f"{path} was not used: it is damaged, or of another device or TensorRT. Building took longer.")
    if plan.timing_cache:
        try:
            with replacing(path) as beside:
                beside.write_bytes(plan.timing_cache)
        except SfscError as error:
            remarks.append(f"{error.message} The next build will take as long as this one.")
    return tuple(remarks)
