"""The images that a kit brings, and how this device's own decoding and resizing compares with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sfsc_deploy.errors import SfscError
from sfsc_deploy.kit.runner.tensors import read

if TYPE_CHECKING:
    from numpy.typing import NDArray

_KEY = "sfsc.probe"
_LABELS = ("identity", "camera")
PILLOW = (10, 3)
"""The oldest Pillow that images are decoded with."""


@dataclass(frozen=True)
class Probe:
    """Images in their order.

    Attributes:
        images: uint8 [N, H, W, 3], RGB, as they were resized when the probe was made.
        raw: N encoded image files; empty for patterns.
        labels: int64 [N] by name, what is to be recorded besides embeddings.
        preprocessing: how `images` were made of `raw`.
    """

    images: NDArray[np.uint8]
    raw: tuple[bytes, ...]
    labels: Mapping[str, NDArray[Any]]
    preprocessing: Mapping[str, Any]


def read_probe(path: Path) -> Probe:
    """Read the probe of a kit.

    Raises:
        SfscError: it is none.
    """
    arrays, metadata = read(path)
    try:
        preprocessing = json.loads(metadata[_KEY])["preprocessing"]
        flat, offsets = arrays["raw"].tobytes(), arrays["raw_offset"].tolist()
        raw = tuple(flat[offsets[row] : offsets[row + 1]] for row in range(len(offsets) - 1))
        labels = {name: arrays[name] for name in _LABELS if name in arrays}
        images = arrays["image"]
        if images.dtype != np.uint8 or images.ndim != 4 or not 0 < len(images) == len(raw):
            raise ValueError("its images are none")
        return Probe(images, raw, labels, preprocessing)
    except (LookupError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise SfscError(f"{path} is no probe: {error}.", "Unpack the kit anew.") from None


def drift_of(probe: Probe) -> dict[str, Any] | None:
    """How far the raw images, decoded and resized here, are from the stored ones; None without a Pillow for it.

    Returns:
        `max_levels` and `mean_levels`, absolute differences of 0 to 255, and `images`, how many were compared.

    Raises:
        SfscError: an image can't be decoded.
    """
    if pillow_version() is None:
        return None
    from sfsc_deploy.data.decoding import UnreadableError, decode, resized, without_warnings

    wanted = probe.preprocessing
    rows = [row for row, raw in enumerate(probe.raw) if raw]
    worst, total, count = 0, 0.0, 0
    with without_warnings():
        for row in rows:
            try:
                here = resized(decode(probe.raw[row]), wanted["height"], wanted["width"], wanted["resize"])
            except UnreadableError as error:
                raise SfscError(f"Image {row} of the probe can't be decoded: {error}.", "Repair Pillow.") from None
            difference = np.abs(here.astype(np.int16) - probe.images[row])
            worst, total, count = max(worst, int(difference.max())), total + float(difference.sum()), count + here.size
    return {"max_levels": worst, "mean_levels": total / max(count, 1), "images": len(rows)} if rows else None


def pillow_version() -> str | None:
    """The version of Pillow; None where it is absent, or too old to decode as the other machines do."""
    try:
        import PIL
    except ImportError:
        return None
    numbers = tuple(int(part) for part in PIL.__version__.split(".")[:2] if part.isdigit())
    return PIL.__version__ if numbers >= PILLOW else None
