"""Writes what a device embedded, in the format of `sfsc-deploy embed` (`sfsc_deploy.runtime.recorded`)."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sfsc_deploy import __version__
from sfsc_deploy.files import sha256_of
from sfsc_deploy.kit.runner.probe import Probe, drift_of, pillow_version
from sfsc_deploy.kit.runner.running import Running, embed, try_batches
from sfsc_deploy.kit.runner.tensors import write

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEY = "sfsc.recorded"
_HASH_BYTES = 32


@dataclass(frozen=True)
class Ran:
    """What ran.

    Attributes:
        artifact: the file or package.
        sidecar: its record, as JSON.
        running: what runs it.
        device: what this machine is called.
    """

    artifact: Path
    sidecar: Mapping[str, Any]
    running: Running
    device: str


def record(ran: Ran, probe: Probe, probe_sha256: str, target: Path) -> None:
    """Embed the images of the probe, and write rows, hashes and versions to `target`.

    Raises:
        SfscError: the runtime failed on batches of the usual size.
    """
    rows = embed(ran.running, probe.images, ran.running.largest)
    arrays: dict[str, NDArray[Any]] = {"embedding": rows, "pixel_sha256": pixel_hashes(probe.images)}
    arrays.update(probe.labels)
    write(target, arrays, {_KEY: json.dumps(describe(ran, probe, probe_sha256))})


def describe(ran: Ran, probe: Probe, probe_sha256: str) -> dict[str, Any]:
    """All that is told of a recording besides its arrays."""
    tools = {"sfsc-deploy kit": __version__, "python": platform.python_version(), "numpy": np.__version__}
    pillow = pillow_version()
    if pillow is not None:
        tools["pillow"] = pillow
    return {
        "schema_version": 1,
        "artifact": ran.artifact.name,
        "files": {ran.artifact.name: sha256_of(ran.artifact)},
        "sidecar": dict(ran.sidecar),
        "space": ran.sidecar["space"],
        "preprocessing": ran.sidecar["input"]["preprocessing"],
        "device": ran.device,
        "backend": ran.running.backend,
        "tools": {**tools, **ran.running.versions},
        "batch_trials": try_batches(ran.running, probe.images),
        "drift": drift_of(probe),
        "probe": probe_sha256,
    }


def pixel_hashes(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """SHA-256 of the pixels of each image: uint8 [N, H, W, 3] to uint8 [N, 32]."""
    digests = b"".join(hashlib.sha256(image.tobytes()).digest() for image in images)
    return np.frombuffer(digests, np.uint8).reshape(len(images), _HASH_BYTES)
