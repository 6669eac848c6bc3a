"""How a camera sees a scene: its colour cast, haze, focus and grain, and the light of the moment."""

from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sfsc_deploy.data.drawn.chance import below, between
from sfsc_deploy.data.drawn.frame import SAMPLES, SIZE, Picture, Plane
from sfsc_deploy.data.drawn.scene import HALL, PARK, STREET, YARD, Place

Pixels: TypeAlias = NDArray[np.uint8]
"""A finished picture, uint8 [48, 48, 3], RGB."""

FOG = 210.0
GRAIN_SHEET = 160


@dataclass(frozen=True)
class Camera:
    """One of the cameras.

    Attributes:
        places: what it watches; neighbours share a place.
        scale: half the height of a robot, in half frames.
        cast: gain of red, green and blue.
        haze: share of the fog in what it sees, 0 to 1.
        blur: how often the picture is smoothed.
        grain: how strong the noise is, in steps of 255.
    """

    places: tuple[Place, ...]
    scale: float
    cast: tuple[float, float, float]
    haze: float
    blur: int
    grain: float

    def expose(self, random: Random, scene: Picture, x: Plane, y: Plane, sheet: Picture) -> Pixels:
        """A picture of the scene that the samples (x, y) show, in the light of the moment."""
        seen = scene * _light(random, x, y)[..., None] * np.array(self.cast, np.float64)
        seen = seen * (1.0 - self.haze) + FOG * self.haze
        for _ in range(self.blur):
            seen = _smoothed(_smoothed(seen).swapaxes(0, 1)).swapaxes(0, 1)
        noisy = _pixels(seen) + _cut(random, sheet) * self.grain
        return np.floor(np.clip(noisy + 0.5, 0.0, 255.0)).astype(np.uint8)


CAMERAS = (
    Camera((YARD, HALL), scale=0.98, cast=(1.08, 1.0, 0.86), haze=0.0, blur=0, grain=5.0),
    Camera((HALL, PARK), scale=0.92, cast=(0.90, 0.98, 1.10), haze=0.08, blur=1, grain=7.0),
    Camera((PARK, STREET), scale=0.89, cast=(1.0, 1.05, 0.92), haze=0.14, blur=2, grain=6.0),
    Camera((STREET, YARD), scale=0.95, cast=(0.98, 0.88, 1.0), haze=0.0, blur=1, grain=9.0),
)


def grain_sheet(random: Random) -> Picture:
    """Noise about 0, nearly normal with deviation 1, to cut the grain of each picture from."""
    count = GRAIN_SHEET * GRAIN_SHEET * 3
    noise = [2.0 * (random.random() + random.random() + random.random() - 1.5) for _ in range(count)]
    return np.array(noise, np.float64).reshape(GRAIN_SHEET, GRAIN_SHEET, 3)


def _light(random: Random, x: Plane, y: Plane) -> Plane:
    gain, aside, above = between(random, 0.85, 1.15), between(random, -0.25, 0.25), between(random, -0.2, 0.2)
    return gain * (1.0 + aside * x + above * y)


def _smoothed(picture: Picture) -> Picture:
    """Each row mixed with its neighbours, 1 : 2 : 1; the first and the last row count double."""
    padded = np.concatenate([picture[:1], picture, picture[-1:]])
    return padded[:-2] * 0.25 + picture * 0.5 + padded[2:] * 0.25


def _pixels(samples: Picture) -> Picture:
    """The mean of each pixel's samples, added in a stated order as a sum over axes would not be."""
    total = np.zeros((SIZE, SIZE, 3), np.float64)
    for row in range(SAMPLES):
        for column in range(SAMPLES):
            total += samples[row::SAMPLES, column::SAMPLES]
    return total / (SAMPLES * SAMPLES)


def _cut(random: Random, sheet: Picture) -> Picture:
    top, left = below(random, GRAIN_SHEET - SIZE), below(random, GRAIN_SHEET - SIZE)
    return sheet[top : top + SIZE, left : left + SIZE]
