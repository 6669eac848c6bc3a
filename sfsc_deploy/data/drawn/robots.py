"""The embedded data set, put together: who is photographed by which camera, how often."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import NamedTuple

from PIL import Image

from sfsc_deploy.data.dataset import DataSet, Split
from sfsc_deploy.data.drawn.camera import CAMERAS, Camera, Pixels, grain_sheet
from sfsc_deploy.data.drawn.chance import below, choose
from sfsc_deploy.data.drawn.figure import Pose, draw, paints
from sfsc_deploy.data.drawn.frame import SAMPLES, SIZE, Picture, Plane, coordinates
from sfsc_deploy.data.drawn.identity import Identity, identities
from sfsc_deploy.data.drawn.scene import FRAMES_WIDE, OCCLUDERS, PLACES, Place, backdrop

SEED = 1
MEMBERS = 4
TRAIN_TEAMS, TEST_TEAMS = 32, 12
TRAIN_IMAGES = 10
TEST_IMAGES_OF_A_CAMERA = 2
SHARE_OCCLUDED = 0.35


class Shot(NamedTuple):
    """One picture to take: the number of the robot and that of the camera, both from 0."""

    robot: int
    camera: int


@dataclass(frozen=True)
class Studio:
    """All that pictures are made with."""

    random: Random
    robots: tuple[Identity, ...]
    backdrops: dict[Place, Picture]
    sheet: Picture
    x: Plane
    y: Plane

    @classmethod
    def opened(cls, seed: int) -> "Studio":
        """A studio whose pictures follow from the seed alone."""
        random = Random(seed)
        robots = tuple(identities(random, TRAIN_TEAMS + TEST_TEAMS, MEMBERS))
        backdrops = {place: backdrop(random, place) for place in PLACES}
        return cls(random, robots, backdrops, grain_sheet(random), *coordinates())

    def photograph(self, shot: Shot) -> Pixels:
        """A picture of the robot in a pose, a place and a light of chance."""
        camera = CAMERAS[shot.camera]
        scene = self._background(camera)
        self._place_robot(scene, self.robots[shot.robot], camera.scale)
        if self.random.random() < SHARE_OCCLUDED:
            hidden, colour = choose(self.random, OCCLUDERS)(self.random, self.x, self.y)
            scene[hidden] = colour
        return camera.expose(self.random, scene, self.x, self.y, self.sheet)

    def _background(self, camera: Camera) -> Picture:
        width = SIZE * SAMPLES
        left = below(self.random, width * (FRAMES_WIDE - 1))
        return self.backdrops[choose(self.random, camera.places)][:, left : left + width].copy()

    def _place_robot(self, scene: Picture, robot: Identity, scale: float) -> None:
        parts = draw(robot, Pose.by_chance(self.random, scale), self.x, self.y)
        shown = parts > 0
        scene[shown] = paints(robot)[parts[shown]]


@cache
def drawn_set() -> DataSet:
    """The embedded data set: 128 robots x 10 images to train on; of 48 others 2 queries and 6 gallery images.

    Four cameras, numbered from 1. Every query's robot is in the gallery five times from other cameras.
    """
    studio = Studio.opened(SEED)
    query, gallery = _test_shots()
    return DataSet(
        name="robots",
        root=None,
        train=_split(studio, _train_shots()),
        query=_split(studio, query),
        gallery=_split(studio, gallery),
    )


def _train_shots() -> list[Shot]:
    robots = range(TRAIN_TEAMS * MEMBERS)
    return [Shot(robot, (robot + image) % len(CAMERAS)) for robot in robots for image in range(TRAIN_IMAGES)]


def _test_shots() -> tuple[list[Shot], list[Shot]]:
    """Queries and gallery: each camera takes two pictures of a robot; two cameras give one as a query."""
    query, gallery = [], []
    first = TRAIN_TEAMS * MEMBERS
    for robot in range(first, first + TEST_TEAMS * MEMBERS):
        asking = {robot % len(CAMERAS), (robot + 1 + robot // len(CAMERAS) % 3) % len(CAMERAS)}
        query += [Shot(robot, camera) for camera in sorted(asking)]
        for camera in range(len(CAMERAS)):
            gallery += [Shot(robot, camera)] * (TEST_IMAGES_OF_A_CAMERA - (camera in asking))
    return query, gallery


def _split(studio: Studio, shots: Iterable[Shot]) -> Split:
    shots = tuple(shots)
    return Split(
        sources=tuple(_png(studio.photograph(shot)) for shot in shots),
        identity=tuple(f"robot-{shot.robot:03d}" for shot in shots),
        camera=tuple(shot.camera + 1 for shot in shots),
    )


def _png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()
