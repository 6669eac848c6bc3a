"""Rows that are stored for the wrong image, a few among many: which show, and which can't."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fleet import IDENTITIES, PREPROCESSING, WIDTHS, portraits
from sfsc_deploy.metrics import Labels
from sfsc_deploy.runtime import load
from sfsc_deploy.verification.own_row import own_row
from sfsc_deploy.verification.thresholds import FLOAT16, FLOAT32
from sfsc_deploy.verification.verdict import Finding, Status

IMAGES = 40  # of each identity
Array = NDArray[np.float32]

PAIRS = [(made, stored) for made in WIDTHS for stored in WIDTHS]


@pytest.fixture(scope="module")
def labels() -> Labels:
    return Labels(np.repeat(np.arange(IDENTITIES), IMAGES))


@pytest.fixture(scope="module")
def made(trained: Path) -> Mapping[float, Array]:
    """What each width makes of 400 images, float32 [400, D]. Not to be changed."""
    images = portraits(range(IDENTITIES), range(30, 30 + IMAGES)).load(PREPROCESSING)
    rows = {}
    for width in WIDTHS:
        with load(f"{trained}@{width}") as embedder:
            rows[width] = embedder.embed(images)
    return rows


def coarse(rows: Array) -> Array:
    """As int8 weights leave them: a cosine of 0.998 to the right ones."""
    noise = np.random.default_rng(3).standard_normal(rows.shape).astype(np.float32)
    changed = rows + 0.06 * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return np.asarray(changed / np.linalg.norm(changed, axis=1, keepdims=True), np.float32)


def halved(rows: Array) -> Array:
    """As a file of float16 holds them."""
    return rows.astype(np.float16).astype(np.float32)


def judged(made: Array, stored: Array, labels: Labels, least: float | None = None) -> Finding:
    return own_row(made, stored, labels, [f"gallery/{row}.png" for row in range(len(made))], least)


@pytest.mark.parametrize(("wide", "narrow"), PAIRS)
@pytest.mark.parametrize("kept", [np.array, halved, coarse], ids=["float32", "float16", "int8"])
def test_right_rows_pass_and_it_is_told_what_would_show(
    made: Mapping[float, Array], labels: Labels, wide: float, narrow: float, kept: Callable[[Array], Array]
) -> None:
    found = judged(made[narrow], kept(made[wide]), labels)
    assert found.status is Status.PASS, found.why
    assert "of such pairs would show" in found.why
    assert float(found.details["seen"]) > 0.95  # type: ignore[arg-type]


def moved(rows: Array, count: int) -> Array:
    """`count` rows of different identities, each in the next one's place; of two rows, a swapped pair."""
    changed, chosen = rows.copy(), np.linspace(0, len(rows) - 1, count).astype(int)
    changed[chosen] = rows[np.roll(chosen, 1)]
    return changed


def copied(rows: Array) -> Array:
    """One row written over another identity's, so that the one that it is of is right."""
    changed = rows.copy()
    changed[390] = rows[10]
    return changed


@pytest.mark.parametrize(("wide", "narrow"), PAIRS)
@pytest.mark.parametrize(
    ("change", "least"),
    [
        pytest.param(lambda rows: moved(rows, 2), 2, id="a swapped pair"),
        pytest.param(lambda rows: moved(rows, 4), 4, id="1 %"),
        pytest.param(lambda rows: moved(rows, 8), 7, id="2 %"),
        pytest.param(lambda rows: np.roll(rows, 1, axis=0), 9, id="each in the next one's place"),
        pytest.param(copied, 1, id="a copy of another"),
    ],
)
def test_wrong_rows_are_named(
    made: Mapping[float, Array],
    labels: Labels,
    wide: float,
    narrow: float,
    change: Callable[[Array], Array],
    least: int,
) -> None:
    found = judged(made[narrow], change(made[wide]), labels)
    assert found.status is Status.FAIL, found.why
    assert isinstance(found.value, int)
    assert found.value >= least
    assert "images are surely those of others: that of gallery/" in found.why


def test_shuffled_rows_fail(made: Mapping[float, Array], labels: Labels) -> None:
    found = judged(made[0.25], made[1.0][np.random.default_rng(0).permutation(len(labels))], labels)
    assert found.status is Status.FAIL
    # Whether any single row of them is told besides is for the network that was trained here.
    assert "of wrong rows half would be" in found.why or "images are surely those of others" in found.why


def test_rows_that_have_nothing_to_do_with_the_images_fail(made: Mapping[float, Array], labels: Labels) -> None:
    strange = np.random.default_rng(0).standard_normal(made[1.0].shape).astype(np.float32)
    found = judged(made[0.25], strange, labels)
    assert found.status is Status.FAIL
    assert "of wrong rows half would be" in found.why


def test_both_of_a_swapped_pair_are_told(made: Mapping[float, Array], labels: Labels) -> None:
    found = judged(made[0.25], moved(made[1.0], 2), labels)
    assert "that of gallery/0.png fits gallery/399.png, that of gallery/399.png fits gallery/0.png" in found.why


def test_swapped_within_an_identity_shows_where_one_sub_model_made_both(
    made: Mapping[float, Array], labels: Labels
) -> None:
    stored = made[1.0].copy()
    apart = int((stored[:IMAGES] @ stored[0]).argmin())
    stored[[0, apart]] = stored[[apart, 0]]
    assert judged(made[1.0], stored, labels).status is Status.FAIL
    assert judged(made[1.0], stored, labels, FLOAT32.min_cosine).status is Status.FAIL


def replaced(rows: Array, made: Array, count: int) -> Array:
    """Rows of no image of the gallery, which most other rows surpass as the artifact sees it: the half that shows."""
    beyond = np.linalg.svd(made, full_matrices=False)[2][IDENTITIES:]
    drawn = np.random.default_rng(0).standard_normal((1000, len(beyond))).astype(np.float32) @ beyond
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    changed, scores = rows.copy(), made @ rows.T
    below = [row for row in range(len(rows)) if (made[row] @ drawn.T).min() < np.median(scores[row])]
    for row in below[:: len(below) // count][:count]:
        chosen = (drawn @ made[row]).argmin()
        changed[row], drawn = drawn[chosen], np.delete(drawn, chosen, axis=0)
    return changed


def test_rows_of_no_image_of_the_gallery_are_not_trusted(made: Mapping[float, Array], labels: Labels) -> None:
    """They have no place where they would fit better, so that only their number counts."""
    found = judged(made[0.25], replaced(made[1.0], made[0.25], 5), labels)
    assert found.status is Status.UNVERIFIED, found.why
    assert judged(made[0.25], replaced(made[1.0], made[0.25], 24), labels).status is Status.FAIL


def test_where_one_sub_model_made_both_each_row_counts(made: Mapping[float, Array], labels: Labels) -> None:
    stored = replaced(made[1.0], made[1.0], 1)
    assert judged(made[1.0], stored, labels).status is Status.PASS
    found = judged(made[1.0], halved(stored), labels, FLOAT16.min_cosine)
    assert found.status is Status.FAIL
    assert "as gallery/" in found.why
    assert judged(made[1.0], halved(made[1.0]), labels, FLOAT16.min_cosine).status is Status.PASS


def test_where_a_swap_would_not_show_it_does_not_pass(labels: Labels) -> None:
    """Rows that hardly tell images apart, under noise: right or not, nobody could see it."""
    rng = np.random.default_rng(0)
    centre = np.eye(16, dtype=np.float32)[0] + 0.1 * rng.standard_normal((IDENTITIES, 16)).astype(np.float32)
    right = centre[labels.identity]
    noise = [0.06 * rng.standard_normal(right.shape).astype(np.float32) for _ in range(2)]
    one, other = ((right + each) / np.linalg.norm(right + each, axis=1, keepdims=True) for each in noise)
    found = judged(one, other, labels)
    assert found.status is Status.UNVERIFIED, found.why
    assert "of such pairs would show; 90.0 % are needed" in found.why


def test_too_few_images_tell_nothing(made: Mapping[float, Array]) -> None:
    rows = made[1.0][:7]
    assert judged(rows, rows, Labels(np.arange(7))).status is Status.UNVERIFIED


def lookalikes(lacking: float, usual: float = 0.02) -> tuple[Array, Array, Labels]:
    """Rows `usual` short of a cosine of 1 to what is made of their images, but for two images that are hard to tell.

    Each lacks `lacking` to its own, and the first one's stored row is just what is made of the second.
    """
    count = 60
    made = np.zeros((count, 2 * count), np.float32)
    made[np.arange(count), np.arange(count)] = 1
    stored = (1 - usual) * made
    stored[np.arange(count), count + np.arange(count)] = np.sqrt(1 - (1 - usual) ** 2)
    cosine, sine = 1 - lacking, np.sqrt(1 - (1 - lacking) ** 2)
    made[:2], stored[:2] = 0, 0
    made[1, 0] = stored[0, 0] = 1
    made[0, :2], stored[1, :2] = (cosine, sine), (cosine, -sine)
    return made, stored, Labels(np.arange(count) % (count // 2))


@pytest.mark.parametrize(("times", "sure"), [(2.3, False), (3.4, False), (3.6, True)])
def test_what_is_sure_keeps_a_distance_from_what_right_rows_reached(times: float, sure: bool) -> None:
    """2.3 times what is usual, on groceries after a short training."""
    found = judged(*lookalikes(0.02 * times))
    assert ("surely those of others" in found.why) is sure
    assert (found.status is Status.FAIL) is sure
