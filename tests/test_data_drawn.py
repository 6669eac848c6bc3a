"""The embedded data set: the same everywhere, what it promises, and neither too easy nor hopeless."""

import hashlib
from collections import Counter
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from sfsc_deploy.data.dataset import DataSet
from sfsc_deploy.data.drawn.chance import below, between, choose, shuffled
from sfsc_deploy.data.drawn.frame import SIZE, coordinates
from sfsc_deploy.data.drawn.hats import HATS
from sfsc_deploy.data.drawn.patterns import PATTERNS, nothing
from sfsc_deploy.data.drawn.robots import Shot, Studio
from sfsc_deploy.data.drawn.shapes import SHAPES
from sfsc_deploy.data.images import Preprocessing
from sfsc_deploy.data.layouts import open_dataset
from sfsc_deploy.metrics import retrieve

# Of the decoded pixels, uint8 [N, 48, 48, 3], of train, query and gallery. Whoever changes it changes the data set:
# figures measured on it are then no longer comparable.
GOLDEN = "b20d0d0e648b1cf7e06f0171ccf49dd15d1d7f13b200037d8fb77199737ffc26"

FULL_SIZE = Preprocessing(height=SIZE, width=SIZE)


@pytest.fixture(scope="module")
def robots() -> DataSet:
    return open_dataset(None)


def pixels_of(data: DataSet) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    return data.train.load(FULL_SIZE), data.query.load(FULL_SIZE), data.gallery.load(FULL_SIZE)


def test_every_machine_draws_the_same_pixels(robots: DataSet) -> None:
    assert hashlib.sha256(b"".join(images.tobytes() for images in pixels_of(robots))).hexdigest() == GOLDEN


def test_it_is_drawn_once_only(robots: DataSet) -> None:
    assert open_dataset(None) is robots


def test_its_sizes(robots: DataSet) -> None:
    assert (robots.name, robots.root) == ("robots", None)
    assert set(Counter(robots.train.identity).values()) == {10}
    assert set(Counter(robots.query.identity).values()) == {2}
    assert set(Counter(robots.gallery.identity).values()) == {6}
    assert (len(robots.train.identities), len(robots.query.identities)) == (128, 48)


def test_its_identities(robots: DataSet) -> None:
    assert robots.query.identities == robots.gallery.identities
    assert not robots.query.identities & robots.train.identities


def test_each_camera_sees_everybody_about_equally_often(robots: DataSet) -> None:
    assert robots.query.camera is not None
    assert robots.gallery.camera is not None
    views = Counter(
        zip(robots.query.identity + robots.gallery.identity, robots.query.camera + robots.gallery.camera, strict=True)
    )
    assert set(views.values()) == {2}
    assert {camera for _, camera in views} == {1, 2, 3, 4}
    assert min(Counter(robots.query.camera).values()) >= 16
    assert set(Counter(robots.train.camera).values()) == {320}


def test_each_query_has_five_matches_by_other_cameras(robots: DataSet) -> None:
    query, gallery = robots.labels()
    assert query.camera is not None
    assert gallery.camera is not None
    matches = (query.identity[:, None] == gallery.identity) & (query.camera[:, None] != gallery.camera)
    assert set(matches.sum(axis=1).tolist()) == {5}


def test_no_two_pictures_are_the_same(robots: DataSet) -> None:
    pictures = [image.tobytes() for images in pixels_of(robots) for image in images]
    assert len(set(pictures)) == len(pictures)


def rank1(robots: DataSet, query: NDArray[np.float64], gallery: NDArray[np.float64]) -> float:
    rows = [feature.reshape(len(feature), -1) for feature in (query, gallery)]
    unit = [(row / np.linalg.norm(row, axis=1, keepdims=True)).astype(np.float32) for row in rows]
    return retrieve(*unit, *robots.labels()).rank(1)


def histogram(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of 8 x 8 x 8 colours, after taking out the colour cast."""
    balanced = np.clip(images / images.mean(axis=(1, 2), keepdims=True) * 128, 0, 255).astype(np.int64) // 32
    colours = balanced @ [64, 8, 1]
    return np.sqrt([np.bincount(colour.ravel(), minlength=512) for colour in colours])


def test_pixels_and_colours_alone_find_few_robots(robots: DataSet) -> None:
    _, query, gallery = pixels_of(robots)
    centred = [images / 255 - 0.45 for images in (query, gallery)]
    assert 0.05 <= rank1(robots, *centred) <= 0.25
    assert rank1(robots, histogram(query), histogram(gallery)) <= 0.3


def test_robots_differ() -> None:
    # Hats and paints alone make thousands; two of the same would be an identity that can't be told apart.
    robots = Studio.opened(1).robots
    looks = [
        (robot.head, robot.hat, robot.eyes, robot.torso, robot.pattern, robot.legs, robot.torso_paint)
        for robot in robots
    ]
    assert len(set(looks)) == len(robots)


def test_a_studio_follows_from_its_seed() -> None:
    first, again, other = (Studio.opened(seed).photograph(Shot(3, 2)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("draw", [*SHAPES, *PATTERNS, *HATS])
def test_shapes_patterns_and_hats_show_something_but_not_everything(draw: object) -> None:
    x, y = coordinates()
    share = draw(x * 1.5, y * 1.5).mean()  # type: ignore[operator]
    assert share == 0 if draw is nothing else 0.02 < share < 0.9


def test_chance_stays_within_its_limits() -> None:
    random = Random(0)
    assert {below(random, 3) for _ in range(99)} == {0, 1, 2}
    assert {choose(random, "ab") for _ in range(99)} == {"a", "b"}
    assert all(-1 <= between(random, -1, 2) <= 2 for _ in range(99))
    assert sorted(shuffled(random, range(9))) == list(range(9))
    assert len({shuffled(random, "abc") for _ in range(99)}) == 6
