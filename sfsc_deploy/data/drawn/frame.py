"""The frame that everything is drawn in, and the arithmetic that drawing keeps to.

Only `+ - * / floor abs` and comparisons of float64 arrays are used: IEEE 754 fixes every bit of their
results, so that all machines draw the same pictures. Sines, powers and sums over an axis would not do, nor
would a drawing library, whose outlines change from version to version.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

SIZE = 48
"""Pixels of a finished picture, each way."""

SAMPLES = 2
"""Samples in a pixel, each way: edges are smooth where they are averaged."""

Plane: TypeAlias = NDArray[np.float64]
"""One coordinate of every sample, float64 [H, W]; x grows to the right and y downwards, -1 to 1 in a frame."""

Mask: TypeAlias = NDArray[np.bool_]
"""Which samples are inside of something, bool [H, W]."""

Picture: TypeAlias = NDArray[np.float64]
"""Colours of samples or pixels, float64 [H, W, 3], RGB, 0 to 255."""


def coordinates(frames: int = 1) -> tuple[Plane, Plane]:
    """The coordinates x and y of the samples of several frames side by side; x runs on beyond 1."""
    rows = SIZE * SAMPLES
    centres = (np.arange(rows * frames, dtype=np.float64) + 0.5) / (rows / 2) - 1.0
    x, y = np.meshgrid(centres, centres[:rows])
    return x, y
