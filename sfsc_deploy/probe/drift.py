"""How far this machine's decoding and resizing are from those that made the probe."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from sfsc_deploy.data.images import read_images
from sfsc_deploy.probe.contents import Probe


class Drift(BaseModel):
    """Absolute difference of resized images, in levels of 0 to 255.

    Attributes:
        max_levels: of the worst value of all images.
        mean_levels: over all values of all images.
        images: how many were compared.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_levels: Annotated[int, Field(ge=0, le=255)]
    mean_levels: Annotated[float, Field(ge=0, le=255)]
    images: Annotated[int, Field(ge=1)]


def decoded_here(probe: Probe) -> NDArray[np.uint8]:
    """The raw images of `probe` decoded and resized here, uint8 [N, H, W, 3]; patterns, which have none, as they are.

    Raises:
        SfscError: a raw image cannot be decoded.
    """
    here = probe.images.copy()
    photographs = np.flatnonzero(~probe.is_pattern)
    here[photographs] = read_images([probe.raw[row] for row in photographs], probe.preprocessing)
    return here


def preprocessing_drift(probe: Probe, here: NDArray[np.uint8] | None = None) -> Drift:
    """Compare the raw images of `probe`, decoded and resized here, with its resized ones.

    JPEG decoders differ by a level or two; more means that images reach the model otherwise than in training.

    Args:
        probe: with both.
        here: what `decoded_here` gave, where that was called already.

    Raises:
        SfscError: a raw image cannot be decoded.
    """
    photographs = np.flatnonzero(~probe.is_pattern)
    decoded = (decoded_here(probe) if here is None else here)[photographs]
    difference = np.abs(decoded.astype(np.int16) - probe.images[photographs])
    return Drift(max_levels=int(difference.max()), mean_levels=float(difference.mean()), images=len(photographs))
