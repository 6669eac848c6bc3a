"""Where a robot stands: the places behind it, and the things before it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import numpy as np

from sfsc_deploy.data.drawn.chance import between, choose
from sfsc_deploy.data.drawn.frame import Mask, Picture, Plane, coordinates
from sfsc_deploy.data.drawn.identity import PAINTS, Colour
from sfsc_deploy.data.drawn.patterns import bands, bricks, checks, columns
from sfsc_deploy.data.drawn.shapes import Predicate, box, disc

Occluder: TypeAlias = Callable[[Random, Plane, Plane], tuple[Mask, Colour]]
"""Draws something by chance: the samples that it hides, and its colour."""

FRAMES_WIDE = 4
POSTERS = 14
HORIZON = 0.45


@dataclass(frozen=True)
class Surface:
    """Two colours, and the pattern that the second makes on the first."""

    ground: Colour
    figure: Colour
    pattern: Predicate

    def paint(self, x: Plane, y: Plane) -> Picture:
        """The surface at the samples (x, y)."""
        figure, ground = np.array(self.figure, np.float64), np.array(self.ground, np.float64)
        return np.where(self.pattern(x, y)[..., None], figure, ground)


@dataclass(frozen=True)
class Place:
    """A wall (or the sky) above a floor."""

    wall: Surface
    floor: Surface


YARD = Place(Surface((176, 104, 84), (204, 176, 156), bricks), Surface((150, 144, 136), (132, 126, 120), checks))
HALL = Place(Surface((198, 200, 196), (176, 184, 190), columns), Surface((112, 120, 132), (92, 100, 112), checks))
PARK = Place(Surface((150, 196, 226), (168, 206, 228), bands), Surface((104, 152, 76), (92, 138, 68), columns))
STREET = Place(Surface((96, 92, 104), (112, 106, 114), bricks), Surface((70, 70, 76), (84, 84, 88), bands))
PLACES = (YARD, HALL, PARK, STREET)


def backdrop(random: Random, place: Place) -> Picture:
    """A place, several frames wide, hung with posters in the robots' own colours: colour tells little."""
    x, y = coordinates(FRAMES_WIDE)
    picture = np.where(
        (y < HORIZON)[..., None], place.wall.paint(x * 3.0, y * 3.0), place.floor.paint(x * 2.0, y * 6.0)
    )
    for _ in range(POSTERS):
        left, top = between(random, -1.0, 2.0 * FRAMES_WIDE - 1.0), between(random, -1.2, 0.9)
        width, height = between(random, 0.15, 0.4), between(random, 0.12, 0.35)
        poster = choose(random, (box, disc))((x - left) / width, (y - top) / height)
        picture[poster] = choose(random, PAINTS)
    return picture


def _post(random: Random, x: Plane, _y: Plane) -> tuple[Mask, Colour]:
    middle, width = between(random, -0.5, 0.5), between(random, 0.07, 0.14)
    return abs(x - middle) <= width, (88, 92, 96)


def _crate(random: Random, x: Plane, y: Plane) -> tuple[Mask, Colour]:
    middle, width, top = between(random, -0.6, 0.6), between(random, 0.3, 0.6), between(random, 0.35, 0.7)
    return (abs(x - middle) <= width) & (y >= top), (148, 112, 72)


def _bush(random: Random, x: Plane, y: Plane) -> tuple[Mask, Colour]:
    middle, height = choose(random, (-1.0, 1.0)) * between(random, 0.45, 0.8), between(random, 0.5, 0.9)
    return disc((x - middle) / 0.5, (y - 0.9) / height), (64, 112, 60)


OCCLUDERS: tuple[Occluder, ...] = (_post, _crate, _bush)
