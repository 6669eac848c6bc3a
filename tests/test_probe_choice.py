"""Which images are chosen for a probe, and the patterns added to them."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from samples import PREPROCESSING, SPACE, encoded, unit_rows
from sfsc_deploy.data.dataset import JUNK_IDENTITY, Split
from sfsc_deploy.errors import SfscError
from sfsc_deploy.metrics import JUNK, retrieve
from sfsc_deploy.probe import Probe, ProbeSize, build
from sfsc_deploy.probe.patterns import PATTERNS, draw_patterns
from tiny_onnx import HEIGHT, WIDTH, some_images

View = tuple[str, int]
"""Identity and camera of an image."""


def split_of(folder: Path, views: list[View], *, cameras: bool = True, seed: int = 0) -> Split:
    """Different small images on disk."""
    folder.mkdir()
    paths = [folder / f"{row:04}.png" for row in range(len(views))]
    for path, image in zip(paths, some_images(len(views), seed), strict=True):
        path.write_bytes(encoded(image))
    identity = tuple(name for name, _ in views)
    return Split(tuple(paths), identity, tuple(camera for _, camera in views) if cameras else None)


def chosen(tmp_path: Path, query: list[View], gallery: list[View], *, cameras: bool = True, **given: object) -> Probe:
    splits = [
        split_of(tmp_path / name, views, cameras=cameras, seed=seed)
        for seed, (name, views) in enumerate((("query", query), ("gallery", gallery)))
    ]
    return build(*splits, PREPROCESSING, space=SPACE, origin="a set", **given)


def views(identities: int, cameras: tuple[int, ...], each: int) -> list[View]:
    return [(f"id{number:02}", camera) for number in range(identities) for camera in cameras for _ in range(each)]


def test_the_numbers_asked_for_are_kept(tmp_path: Path) -> None:
    probe = chosen(tmp_path, views(6, (1,), 5), views(6, (2, 3), 5), size=ProbeSize(4, 2, 3))
    queries, gallery = probe.retrieval()
    assert (len(queries), len(gallery), int(probe.is_pattern.sum())) == (8, 12, PATTERNS)
    assert Counter(probe.identity[queries].tolist()) == dict.fromkeys(range(4), 2)
    assert Counter(probe.identity[gallery].tolist()) == dict.fromkeys(range(4), 3)
    assert (probe.space, probe.origin) == (SPACE, "a set")


def test_the_default_takes_few_images_of_many(tmp_path: Path) -> None:
    probe = chosen(tmp_path, views(40, (1,), 3), views(40, (2,), 5))
    assert len(probe) == 32 * (2 + 4) + PATTERNS


def test_the_seed_decides(tmp_path: Path) -> None:
    splits = [split_of(tmp_path / "query", views(9, (1,), 4)), split_of(tmp_path / "gallery", views(9, (2,), 4))]
    first, again, other = (
        build(*splits, PREPROCESSING, space=SPACE, origin="a set", size=ProbeSize(3, 1, 1), seed=seed)
        for seed in (0, 0, 1)
    )
    assert first.raw == again.raw
    assert first.raw != other.raw


def test_images_are_those_of_the_raw_files_and_labels_those_of_the_splits(tmp_path: Path) -> None:
    query, gallery = views(3, (1,), 2), views(3, (2,), 2)
    probe = chosen(tmp_path, query, gallery)
    origin = {path.read_bytes(): path for path in tmp_path.glob("*/*.png")}
    for row in np.flatnonzero(~probe.is_pattern):
        path = origin[probe.raw[row]]
        pool = query if path.parent.name == "query" else gallery
        identity, camera = pool[int(path.stem)]
        assert (f"id{probe.identity[row]:02}", probe.camera[row]) == (identity, camera)
        assert probe.is_query[row] == (path.parent.name == "query")
        expected = some_images(6, seed=int(path.parent.name == "gallery"))[int(path.stem)]
        np.testing.assert_array_equal(probe.images[row], expected)


def test_no_image_is_taken_twice(tmp_path: Path) -> None:
    probe = chosen(tmp_path, views(3, (1,), 2), views(3, (2,), 2), size=ProbeSize(3, 5, 5))
    photographs = [raw for raw in probe.raw if raw]
    assert len(photographs) == len(set(photographs)) == 12


def test_every_query_has_a_match_that_counts(tmp_path: Path) -> None:
    probe = chosen(tmp_path, views(5, (1, 2), 4), views(5, (1, 2), 9), size=ProbeSize(5, 2, 2))
    queries, gallery = probe.retrieval()
    embedding = unit_rows(len(probe))
    result = retrieve(embedding[queries], embedding[gallery], probe.labels(queries), probe.labels(gallery))
    assert result.queries == len(queries)


def test_identities_seen_by_one_camera_alone_are_left_out(tmp_path: Path) -> None:
    query = [*views(3, (1,), 1), ("alone", 7), ("absent", 1)]
    gallery = [*views(3, (2,), 1), ("alone", 7), ("distractor", 2)]
    probe = chosen(tmp_path, query, gallery)
    assert probe.camera is not None
    assert 7 not in probe.camera
    assert set(probe.identity.tolist()) == {0, 1, 2, JUNK}


def test_junk_is_no_identity(tmp_path: Path) -> None:
    junk = [(JUNK_IDENTITY, camera) for camera in (1, 2, 3)]
    probe = chosen(tmp_path, [*views(2, (1,), 1), *junk], [*views(2, (2,), 1), *junk])
    assert set(probe.identity.tolist()) == {0, 1, JUNK}


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    splits = [split_of(tmp_path / "query", views(2, (1,), 1)), split_of(tmp_path / "gallery", views(2, (2,), 1))]
    (tmp_path / "gallery" / "0001.png").unlink()
    with pytest.raises(SfscError, match=r"gallery/0001\.png"):
        build(*splits, PREPROCESSING, space=SPACE, origin="a set")


def test_queries_without_a_match_are_left_out(tmp_path: Path) -> None:
    probe = chosen(tmp_path, views(2, (1, 2), 3), views(2, (2,), 3), size=ProbeSize(2, 6, 6))
    queries, _ = probe.retrieval()
    assert probe.camera is not None
    assert set(probe.camera[queries].tolist()) == {1}


def test_without_cameras_every_shared_identity_serves(tmp_path: Path) -> None:
    probe = chosen(tmp_path, views(2, (1,), 2), views(2, (1,), 2), cameras=False)
    assert probe.camera is None
    assert len(probe.retrieval()[0]) == 4


@pytest.mark.parametrize("gallery", [[("a", 2)], [("a", 2), ("b", 1)], [("c", 2)]])
def test_fewer_than_two_identities_are_an_error(tmp_path: Path, gallery: list[View]) -> None:
    with pytest.raises(SfscError, match="a probe needs 2"):
        chosen(tmp_path, [("a", 1), ("b", 1)], gallery)


def test_patterns_come_last_without_identity_or_file(tmp_path: Path) -> None:
    probe = chosen(tmp_path, views(2, (1,), 1), views(2, (2,), 1))
    assert probe.is_pattern.tolist() == [False] * 4 + [True] * PATTERNS
    assert set(probe.identity[4:].tolist()) == {JUNK}
    assert set(probe.raw[4:]) == {b""}
    np.testing.assert_array_equal(probe.images[4:], draw_patterns(HEIGHT, WIDTH))


def test_patterns_are_always_the_same_and_all_different() -> None:
    patterns = draw_patterns(32, 24)
    np.testing.assert_array_equal(patterns, draw_patterns(32, 24))
    assert len({pattern.tobytes() for pattern in patterns}) == PATTERNS


def test_exchanging_red_and_blue_changes_every_pattern_a_lot() -> None:
    patterns = draw_patterns(32, 24).astype(int)
    difference = np.abs(patterns - patterns[..., ::-1])[..., 0].mean((1, 2))
    assert difference.min() > 80
    balance = (patterns[..., 0] - patterns[..., 2]).mean((1, 2))
    assert (balance[::2] > 0).all()
    assert (balance[1::2] < 0).all()
