"""How far this machine's decoding and resizing are from those that made the probe."""

from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from sfsc_deploy.data.images import read_image
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


def preprocessing_drift(probe: Probe) -> Drift:
    """Decode and resize the raw images of `probe` here and compare them with its resized ones.

    JPEG decoders differ by a level or two; more means that images reach the model otherwise than in training.

    Raises:
        SfscError: a raw image cannot be decoded.
    """
    photographs = np.flatnonzero(~probe.is_pattern)
    here = np.stack([read_image(probe.raw[row], probe.preprocessing) for row in photographs])
    difference = np.abs(here.astype(np.int16) - probe.images[photographs])
    return Drift(max_levels=int(difference.max()), mean_levels=float(difference.mean()), images=len(photographs))
